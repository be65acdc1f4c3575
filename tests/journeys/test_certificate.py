"""The program with a certificate of its own: served, replaced while it runs, and refused."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.authority import Authority, shown_serial
from tests.cli.program import ADMIN, Program
from tests.journeys.served import serving


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Program:
    program = Program(folder=tmp_path_factory.mktemp("installed"))
    program.init()
    return program


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "tls"
    folder.mkdir()
    return Authority(folder=folder)


def curl(authority: Authority, url: str) -> object:
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail", "--cacert", authority.ca_file, url],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.needs("curl")
def test_a_certificate_is_served_and_its_successor_too(
    installed: Program, authority: Authority
) -> None:
    authority.issue()
    with serving(installed, **authority.settings()) as service:
        url = service.wait_for("serving")["url"]
        assert url == f"https://127.0.0.1:{service.port}"
        assert service.wait_printed(url)
        assert curl(authority, f"{url}/healthz") == {"status": "ok"}
        before = shown_serial(service.port, authority.trusting())

        authority.issue()  # found within seconds, by itself
        service.wait_many(2, "certificate read")
        renewed = shown_serial(service.port, authority.trusting())
        assert renewed != before

        authority.issue()
        authority.certificate.write_text("not a certificate")
        service.send(signal.SIGHUP)
        refused = service.wait_for("certificate not taken; the one before stays")
        assert "no certificate in PEM" in refused["reason"]
        assert curl(authority, f"{url}/healthz") == {"status": "ok"}

        authority.issue()
        service.send(signal.SIGHUP)
        service.wait_many(3, "certificate read")
        assert shown_serial(service.port, authority.trusting()) not in (before, renewed)


def test_http_can_stay_without_tls(installed: Program, authority: Authority) -> None:
    authority.issue()
    with serving(installed, **authority.settings(), SMARTHOST_HTTP_TLS="off") as service:
        assert service.wait_for("serving")["url"].startswith("http://")
        assert service.client("").ask("GET", "/healthz").status == 200


def test_a_certificate_that_cannot_be_used_stops_the_start_before_anything_is_made(
    program: Program, authority: Authority
) -> None:
    authority.issue()
    authority.key.unlink()
    ended = program("serve", SMARTHOST_ADMIN_EMAIL=ADMIN, **authority.settings())
    ended.assert_one_line(3, "where the private key should be")
    assert not program.data_dir.exists()


def test_an_expired_certificate_is_served_with_a_warning(
    installed: Program, authority: Authority
) -> None:
    authority.issue_expired()
    with serving(installed, **authority.settings()) as service:
        assert "expired" in service.wait_for("certificate")["reason"]


def test_sighup_ends_nothing_where_there_is_no_certificate(installed: Program) -> None:
    with serving(installed) as service:
        service.send(signal.SIGHUP)
        assert service.client("").ask("GET", "/healthz").status == 200
