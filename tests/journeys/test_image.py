"""The image's own steps: what the Dockerfile copies is enough, and runs as it says."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.contract.service import SETTINGS
from tests.journeys.image import Image
from tests.journeys.proxy import free_port
from tests.journeys.served import Served

pytestmark = pytest.mark.needs("unshare", "setpriv", "chroot")

GRACE_SECONDS = 5
_ATTEMPTS = """
import os, pathlib
for folder in ("/", "/etc/smarthost", "/opt/smarthost", "/usr", "/var/lib", "/root"):
    try:
        pathlib.Path(folder, "new").touch()
    except OSError as error:
        continue
    print("could write to", folder)
print(os.getuid(), os.getgid(), os.getgroups())
print(pathlib.Path("/proc/self/status").read_text())
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("image"))


@contextlib.contextmanager
def running(image: Image, port: int, **environ: str) -> Iterator[Served]:
    command = image.command(
        *image.stage.command,
        SMARTHOST_ADMIN_EMAIL="admin@example.com",
        SMARTHOST_HTTP_LISTEN=f"127.0.0.1:{port}",
        SMARTHOST_SUBMISSION_LISTEN="",
        **environ,
    )
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    service = Served(process)
    try:
        service.wait_for("serving")
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        service.ended()


def test_it_starts_is_healthy_answers_and_stops_in_order(image: Image) -> None:
    port = free_port()
    at = {"SMARTHOST_HTTP_LISTEN": f"0.0.0.0:{port}"}
    sick = image.run(*image.stage.health, **at)
    assert (sick.returncode, sick.stdout) == (1, "")
    assert "no answer: ConnectionRefusedError" in sick.stderr
    assert sick.stderr.count("\n") == 1

    with running(image, port) as service:
        health = image.run(*image.stage.health, **at)
        assert (health.returncode, health.stderr) == (0, "")
        (shown,) = [line for line in service.wait_printed("API key") if "API key" in line]
        key = image.run("cat", shown.split()[-1]).stdout.strip()
        assert service.client(key).ask("GET", SETTINGS).status == 200
        listed = image.run("smarthost", "portal", "list", "--json")
        assert [portal["name"] for portal in json.loads(listed.stdout)] == ["default"]
        before = time.monotonic()
        assert image.stage.stop_signal == "SIGTERM"
        service.stop()
        assert time.monotonic() - before < GRACE_SECONDS

    volumes = [Path(volume).name for volume in image.stage.volumes]
    files = {volume: image.run("ls", f"/var/lib/{volume}").stdout.split() for volume in volumes}
    assert files == {
        "smarthost": ["delivery.lock", "first-key", "smarthost.db"],
        "smarthost-keyring": ["keyring.json"],
    }


def test_its_health_is_seen_through_its_own_certificate_too(image: Image) -> None:
    files = {
        "SMARTHOST_TLS_CERTIFICATE_FILE": image.put(
            "/etc/smarthost/tls/both.pem",
            trustme.CA()
            .issue_cert("smarthost.example.com")
            .private_key_and_cert_chain_pem.bytes(),
        )
    }
    port = free_port()
    with running(image, port, **files):
        health = [
            image.run(
                *image.stage.health,
                SMARTHOST_HTTP_LISTEN=f"0.0.0.0:{port}",
                SMARTHOST_HTTP_TLS=switch,
                **files,
            ).returncode
            for switch in ("on", "off")
        ]
    # Without TLS it asks in a way that this service does not answer.
    assert health == [0, 1]


def test_it_is_nobody_and_writes_to_its_volumes_alone(image: Image) -> None:
    tried = image.run("python3", "-c", _ATTEMPTS)
    user, *status = tried.stdout.splitlines()
    assert user == "10001 10001 []", tried
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert {fields[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"


def test_settings_that_are_wrong_make_it_sick_in_one_line(image: Image) -> None:
    sick = image.run(*image.stage.health, SMARTHOST_NTLM="maybe")
    assert sick.returncode == 1
    assert sick.stderr.startswith("the settings are not valid: SMARTHOST_NTLM")
