"""Suggestions as an administrator asks for them; nothing here asks the network."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from smarthost.portals.model import Permission, Role
from smarthost.web.api.smtp_suggest import REQUESTS_A_MINUTE
from tests.contract.service import SETTINGS, Reply, Service, running_service

SUGGEST = f"{SETTINGS}/suggest"


def ask(service: Service, email: str, key: str | None = None) -> Reply:
    return service.ask("GET", f"{SUGGEST}?email={quote(email, safe='&=')}", key=key or service.key)


def test_a_known_provider_is_told_with_what_to_do_first(service: Service) -> None:
    reply = ask(service, "Anna.Smith@GMAIL.com")
    assert reply.status == 200
    first, second = reply.json()["response"]
    assert second["port"] == 587
    assert "app password" in first.pop("first")
    assert first == {
        "host": "smtp.gmail.com",
        "port": 465,
        "enableSSL": True,
        "enableAuth": True,
        "useNtlm": False,
        "credentialsUserName": "Anna.Smith@gmail.com",
        "source": "provider table",
        "provider": "Gmail and Google Workspace",
        "confidence": "high",
        "oauth2": True,
    }


def test_what_is_suggested_can_be_saved(service: Service) -> None:
    best: dict[str, Any] = ask(service, "anna@gmx.de").json()["response"][0]
    names = ("host", "port", "enableSSL", "enableAuth", "useNtlm", "credentialsUserName")
    body = {name: best[name] for name in names} | {
        "senderAddress": "anna@gmx.de",
        "credentialsUserPassword": "secret",
    }
    assert service.ask("POST", SETTINGS, body, key=service.key).status == 200


def test_of_a_relay_that_is_named_its_ways_are_told(service: Service) -> None:
    reply = ask(service, "anna@example.com&host=SMTP.gmail.com")
    assert reply.status == 200
    told = [(one["host"], one["port"], one["enableSSL"]) for one in reply.json()["response"]]
    assert told == [("smtp.gmail.com", 465, True), ("smtp.gmail.com", 587, True)]
    assert reply.json()["response"][0]["credentialsUserName"] == "anna@example.com"


@pytest.mark.parametrize("host", ["mail.example.com", "192.0.2.1", "gmail.com"])
def test_of_a_relay_that_nobody_knows_nothing_is_told(service: Service, host: str) -> None:
    assert ask(service, f"anna@gmail.com&host={host}").json()["response"] == []


def test_all_that_is_wrong_with_a_question_is_told(service: Service) -> None:
    reply = service.ask("GET", f"{SUGGEST}?email=anna&host=a%20b", key=service.key)
    assert reply.status == 400
    assert set(reply.json()["response"]["errors"]) == {"email", "host"}


def test_where_nothing_is_known_the_list_is_empty(service: Service) -> None:
    reply = ask(service, "anna@example.invalid")
    assert (reply.status, reply.json()["response"], reply.json()["count"]) == (200, [], 0)


@pytest.mark.parametrize("query", ["", "?email=", "?email=anna", "?email=gmail.com", "?EMAIL=a@b"])
def test_an_address_is_needed(service: Service, query: str) -> None:
    reply = service.ask("GET", SUGGEST + query, key=service.key)
    assert reply.status == 400
    assert "email" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "email", ["anna@" + "a." * 5000, "@" * 10_000, "anna@exa mple.com", "a@b@c", "anna@.com"]
)
def test_what_is_no_address_is_refused(service: Service, email: str) -> None:
    assert ask(service, email).status == 400


def test_it_is_for_those_who_may_read_the_settings(service: Service) -> None:
    user = service.open_user("suggest@example.com", Role.USER)
    assert service.ask("GET", SUGGEST).status == 401
    assert ask(service, "anna@gmail.com", service.open_key(user)).status == 403
    assert ask(service, "anna@gmail.com", service.open_key(None, Permission.SEND)).status == 403
    assert ask(service, "anna@gmail.com", service.open_key(None, Permission.READ)).status == 200


def test_a_user_may_ask_so_often_a_minute(tmp_path: Path) -> None:
    with running_service(tmp_path, RATE_LIMITS="on") as service:
        other = service.open_user("other@example.com", Role.ADMINISTRATOR)
        # A new minute may begin in between, once.
        replies = [ask(service, "anna@gmail.com") for _ in range(2 * REQUESTS_A_MINUTE + 1)]
        refused = [reply for reply in replies if reply.status == 429]
        assert refused
        assert [reply.status for reply in replies[:REQUESTS_A_MINUTE]] == [200] * 30
        assert 1 <= int(refused[0].headers["Retry-After"]) <= 60
        assert "30 a minute" in refused[0].json()["error"]["message"]
        assert ask(service, "anna@gmail.com", service.open_key(other)).status == 200
        assert service.ask("GET", SETTINGS, key=service.key).status == 200
