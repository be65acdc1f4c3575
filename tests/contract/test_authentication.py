"""Sessions: signing in, asking, signing out, and the limit on wrong passwords."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.service import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    AUTHENTICATION,
    SETTINGS,
    Reply,
    Service,
    running_service,
)

RIGHT = {"userName": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
MOST_FAILURES = 5


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, behind a proxy that says who is asking."""
    with running_service(tmp_path, TRUSTED_NETWORKS="127.0.0.0/8") as running:
        yield running


def sign_in(
    service: Service, email: str, password: str, address: str = "192.0.2.1", *, basic: bool = False
) -> Reply:
    headers = {"X-Forwarded-For": address}
    if basic:
        pair = b64encode(f"{email}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
        return service.ask("GET", AUTHENTICATION, headers=headers)
    body = {"userName": email, "password": password}
    return service.ask("POST", AUTHENTICATION, body, headers=headers)


def fail_until_refused(
    service: Service,
    *emails: str,
    addresses: tuple[str, ...] = ("192.0.2.1",),
    basic: bool = False,
) -> Reply:
    """Give wrong passwords until one is not looked at."""
    for count in range(MOST_FAILURES + 1):
        email, address = emails[count % len(emails)], addresses[count % len(addresses)]
        reply = sign_in(service, email, "wrong password", address, basic=basic)
        if reply.status == 429:
            assert count == MOST_FAILURES
            return reply
        assert reply.status == 401
    pytest.fail("wrong passwords are not limited")


def test_signing_in_answers_a_token_and_when_it_ends(service: Service) -> None:
    before = datetime.now(UTC)
    answered = service.ask("POST", AUTHENTICATION, RIGHT).json()["response"]

    assert set(answered) == {"token", "expires"}
    assert answered["token"].startswith("ss_")
    assert len(answered["token"]) <= 256
    assert answered["expires"].endswith("Z")
    life = datetime.fromisoformat(answered["expires"]) - before
    assert timedelta(hours=23) < life <= timedelta(hours=25)
    assert service.ask("GET", SETTINGS, key=answered["token"]).status == 200


def test_asking_answers_true_or_401(service: Service) -> None:
    assert service.ask("GET", AUTHENTICATION, key=service.key).json()["response"] is True
    assert service.ask("GET", AUTHENTICATION).status == 401


def test_signing_out_ends_this_session_and_no_other(service: Service) -> None:
    first, second = (
        service.ask("POST", AUTHENTICATION, RIGHT).json()["response"]["token"] for _ in range(2)
    )
    reply = service.ask("POST", f"{AUTHENTICATION}/logout", key=first)

    assert reply.status == 200
    assert "response" not in reply.json()
    assert reply.json()["count"] == 0
    assert service.ask("GET", AUTHENTICATION, key=first).status == 401
    assert service.ask("POST", f"{AUTHENTICATION}/logout", key=first).status == 401
    assert service.ask("GET", AUTHENTICATION, key=second).status == 200


def test_a_key_is_not_signed_out(service: Service) -> None:
    reply = service.ask("POST", f"{AUTHENTICATION}/logout", key=service.key)

    assert reply.status == 403
    assert "DELETE" in reply.json()["error"]["message"]
    assert service.ask("GET", AUTHENTICATION, key=service.key).status == 200


def test_a_wrong_password_and_an_unknown_user_are_the_same_answer(service: Service) -> None:
    wrong = service.ask("POST", AUTHENTICATION, {**RIGHT, "password": "wrong"})
    unknown = service.ask("POST", AUTHENTICATION, {**RIGHT, "userName": "nobody@example.com"})

    assert wrong.status == unknown.status == 401
    assert wrong.body == unknown.body


def test_a_user_without_a_password_cannot_sign_in(proxied: Service) -> None:
    proxied.open_user("keys@example.com")

    for password in ("", "x", "None"):
        assert sign_in(proxied, "keys@example.com", password).status == 401


def test_a_password_is_neither_trimmed_nor_folded(proxied: Service) -> None:
    for wrong in (f" {ADMIN_PASSWORD}", f"{ADMIN_PASSWORD} ", ADMIN_PASSWORD.upper()):
        assert sign_in(proxied, ADMIN_EMAIL, wrong).status == 401


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"userName", "password"}),
        ({"userName": ADMIN_EMAIL}, {"password"}),
        ({"userName": "", "password": "x"}, {"userName"}),
        ({"userName": "x" * 255, "password": "x"}, {"userName"}),
        ({"userName": None, "password": None}, {"userName", "password"}),
        ({"USERNAME": 5, "password": ["x"]}, {"USERNAME", "password"}),
        ({**RIGHT, "session": True}, {"session"}),
    ],
)
def test_every_wrong_field_is_named(
    service: Service, body: dict[str, object], fields: set[str]
) -> None:
    reply = service.ask("POST", AUTHENTICATION, body)

    assert reply.status == 400
    assert set(reply.json()["response"]["errors"]) == fields


def test_a_huge_password_is_wrong_and_not_hashed(proxied: Service) -> None:
    assert sign_in(proxied, ADMIN_EMAIL, "x" * 60_000).status == 401


@pytest.mark.parametrize("basic", [False, True])
def test_after_five_failures_a_user_is_not_looked_at_from_anywhere(
    proxied: Service, basic: bool
) -> None:
    addresses = tuple(f"192.0.2.{last}" for last in range(1, 12))
    refused = fail_until_refused(proxied, ADMIN_EMAIL, addresses=addresses, basic=basic)

    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "Wait" in refused.json()["error"]["message"]
    # The right password is refused as well: nothing was hashed or compared.
    again = sign_in(proxied, ADMIN_EMAIL.upper(), ADMIN_PASSWORD, "198.51.100.1", basic=basic)
    assert again.status == 429


def test_after_five_failures_an_address_is_not_looked_at_for_any_user(proxied: Service) -> None:
    emails = tuple(f"user{number}@example.com" for number in range(11))
    fail_until_refused(proxied, *emails)

    assert sign_in(proxied, ADMIN_EMAIL, ADMIN_PASSWORD).status == 429
    assert sign_in(proxied, ADMIN_EMAIL, ADMIN_PASSWORD, "192.0.2.2").status == 200


def test_an_ipv6_subscriber_is_one_address(proxied: Service) -> None:
    emails = tuple(f"user{number}@example.com" for number in range(11))
    addresses = tuple(f"2001:db8::{last:x}" for last in range(1, 12))

    fail_until_refused(proxied, *emails, addresses=addresses)


def test_failures_in_parallel_are_counted_one_by_one(proxied: Service) -> None:
    replies: list[int] = []

    def wrong() -> None:
        replies.append(sign_in(proxied, ADMIN_EMAIL, "wrong password").status)

    threads = [threading.Thread(target=wrong) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert replies.count(401) == MOST_FAILURES
    assert replies.count(429) == 20 - MOST_FAILURES


def test_keys_are_not_limited_by_wrong_passwords(proxied: Service) -> None:
    fail_until_refused(proxied, ADMIN_EMAIL)
    headers = {"X-Forwarded-For": "192.0.2.1"}

    assert proxied.ask("GET", SETTINGS, headers=headers, key=proxied.key).status == 200
