"""What the table alone says of every domain in it, with the rows themselves as the measure."""

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from smarthost.mail.host import parse_host
from smarthost.providers import Login, Providers
from smarthost.relay_check.suggestions.model import Confidence, Found, Source
from smarthost.relay_check.suggestions.table import by_domain, by_exchangers, completed

ROWS = json.loads((resources.files("smarthost.providers") / "providers.json").read_bytes())
PROGRAM = Path(__file__).parent / "without_network.py"
WITH_DOMAINS = [row for row in ROWS if row.get("domains")]
TABLE = Providers.load()
NEEDS_A_STEP = [one for one in TABLE.all if one.first is not None]
USER_NAMES = {"<address>": "anna@{domain}", "<local part>": "anna"}


@pytest.fixture(scope="module")
def told() -> dict[str, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["loaded"] == []
    found: dict[str, list[dict[str, Any]]] = printed["told"]
    return found


def test_every_domain_of_the_table_is_told_of(told: dict[str, list[dict[str, Any]]]) -> None:
    assert sorted(told) == sorted(one for row in WITH_DOMAINS for one in row["domains"])
    assert len(told) > 500


@pytest.mark.parametrize("row", WITH_DOMAINS, ids=[row["id"] for row in WITH_DOMAINS])
def test_the_table_alone_gives_host_port_and_tls(
    row: dict[str, Any], told: dict[str, list[dict[str, Any]]]
) -> None:
    for domain in row["domains"]:
        best = told[domain][0]
        below = [host for host in row["hosts"] if host.endswith("." + domain)]
        assert best["host"] == (below or row["hosts"])[0]
        assert best["port"] == row["ports"][0]
        assert [one["port"] for one in told[domain]] == [
            port for port in row["ports"] if port != 25
        ]
        for one in told[domain]:
            assert (one["enable_ssl"], one["enable_auth"], one["use_ntlm"]) == (True, True, False)
            assert (one["source"], one["confidence"]) == ("provider table", Confidence.HIGH)
            assert one["provider"] == row["name"]
            assert one["oauth2"] == ("oauth2" in row)
            assert one["first"] or not row.get("first")
            template = USER_NAMES.get(row["user_name"])
            assert one["user_name"] == (template and template.format(domain=domain))


def found(host: str, confidence: Confidence = Confidence.MEDIUM, port: int = 587) -> Found:
    return Found(
        host=host,
        port=port,
        enable_ssl=True,
        user_name="%EMAILLOCALPART%",
        source=Source.DNS_SRV,
        confidence=confidence,
    )


@pytest.mark.parametrize("provider", NEEDS_A_STEP, ids=[one.id for one in NEEDS_A_STEP])
def test_every_way_to_a_provider_that_needs_a_step_first_names_it(provider: Any) -> None:
    assert provider.first
    hosts = [host.replace("<", "").replace(">", "") for host in provider.hosts]
    ways = [completed(TABLE, found(host), "example.com") for host in hosts]
    for domain in provider.domains:
        ways += by_domain(TABLE, domain)
    for name in provider.mx:
        ways += by_exchangers(TABLE, "example.com", [f"mx1.{name}"])
    assert ways
    for way in ways:
        assert way.provider == provider.name
        assert way.first is not None
        assert way.first.startswith(provider.first)


def test_all_that_the_table_offers_keeps_the_rules_of_the_settings() -> None:
    offered = [
        one
        for provider in TABLE.all
        for one in [
            *(found for domain in provider.domains for found in by_domain(TABLE, domain)),
            *by_exchangers(TABLE, "example.com", provider.mx),
        ]
    ]
    assert offered
    for one in offered:
        assert parse_host(one.host) == one.host


def test_a_user_name_that_nobody_can_tell_is_named_among_the_steps() -> None:
    first, *_ = by_domain(TABLE, "mailbox.org")
    assert first.first is not None
    assert first.first.endswith("User name: main address of the account.")


def test_the_host_that_is_named_like_the_domain_goes_first() -> None:
    assert by_domain(TABLE, "yandex.ru")[0].host == "smtp.yandex.ru"
    assert by_domain(TABLE, "yandex.by")[0].host == "smtp.yandex.com"


def test_a_domain_below_one_of_the_table_is_the_provider_s() -> None:
    assert by_domain(TABLE, "acme.onmicrosoft.com")[0].host == "smtp.office365.com"
    assert by_domain(TABLE, "notgmail.com") == []


def test_a_known_host_has_the_rules_of_its_provider() -> None:
    known = completed(TABLE, found("smtp.sendgrid.net"), "example.com")
    assert (known.user_name, known.confidence) == ("apikey", Confidence.HIGH)
    assert known.provider == "Twilio SendGrid"
    relay = next(one for one in TABLE.all if one.login is Login.NONE)
    host = relay.hosts[0].replace("<domain-with-dashes>", "example-com")
    assert completed(TABLE, found(host, port=25), "example.com").enable_auth is False


@pytest.mark.parametrize("host", ["mail.example.com", "example.com"])
def test_a_host_of_the_domain_itself_is_likelier(host: str) -> None:
    assert completed(TABLE, found(host), "example.com").confidence is Confidence.HIGH
    low = found(host, Confidence.LOW)
    assert completed(TABLE, low, "example.com") == low


def test_a_host_of_somebody_else_stays_as_it_is() -> None:
    for host in ("mail.example.net", "badexample.com"):
        assert completed(TABLE, found(host), "example.com") == found(host)
