"""What settings are warned of before anything is connected to."""

from typing import Any

import pytest

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.failure import Recommended
from smarthost.providers import Kind, Login, Provider, Providers
from smarthost.relay_check.advice import advice
from tests.smtp_settings.relays import relay


def provider(kind: Kind = Kind.MAILBOX, login: Login = Login.PASSWORD) -> Provider:
    return next(one for one in Providers.load().all if (one.kind, one.login) == (kind, login))


def warned(known: Provider | None, **changes: Any) -> list[Code]:
    return [one.code for one in advice(relay(**changes), known)]


@pytest.mark.parametrize(
    ("user_name", "sender"),
    [
        ("ann@example.com", "notify@example.com"),
        ("ann@mail.example.com", "notify@example.com"),
        ("ann@example.com", "notify@news.example.com"),
        ("Ann@EXAMPLE.com", "notify@example.com"),
        ("ann@bücher.example", "notify@xn--bcher-kva.example"),
        ("ann", "notify@example.com"),
        ("OFFICE\\ann", "notify@example.com"),
        ("ann@", "notify@example.com"),
        ("ann@not a domain", "notify@example.com"),
        (None, "notify@example.com"),
    ],
)
def test_a_sender_of_the_logins_domain_is_no_matter(user_name: str | None, sender: str) -> None:
    assert warned(None, user_name=user_name, sender_address=sender) == []


@pytest.mark.parametrize(
    ("user_name", "sender"),
    [
        ("ann@example.org", "notify@example.com"),
        ("ann@example.com", "notify@notexample.com"),
        ("ann@one.example.com", "notify@two.example.com"),
    ],
)
def test_a_sender_outside_the_logins_domain_is_warned_of(user_name: str, sender: str) -> None:
    [found] = advice(relay(user_name=user_name, sender_address=sender), None)
    assert (found.step, found.code) == (Step.SENDER, Code.SENDER_OUTSIDE_LOGIN)


@pytest.mark.parametrize("kind", [Kind.SENDING, Kind.RELAY, Kind.TESTING])
def test_where_logins_are_no_mailboxes_senders_are_of_any_domain(kind: Kind) -> None:
    known = next(one for one in Providers.load().all if one.kind is kind)
    found = warned(known, port=known.ports[0], user_name="a@example.org")
    assert Code.SENDER_OUTSIDE_LOGIN not in found


def test_a_mailbox_providers_login_is_its_sender() -> None:
    known = provider()
    found = warned(known, port=known.ports[0], user_name="a@example.org")
    assert found == [Code.SENDER_OUTSIDE_LOGIN]


@pytest.mark.parametrize(
    ("changes", "right_port"),
    [
        ({"port": 24}, False),
        ({"enable_ssl": False}, True),
        ({"enable_auth": False, "user_name": None}, True),
    ],
)
def test_a_known_providers_other_settings_are_recommended(
    changes: dict[str, Any], right_port: bool
) -> None:
    known = provider()
    port = known.ports[-1]
    [found] = advice(relay(**({"port": port} | changes)), known)
    assert (found.step, found.code) == (Step.CONNECT, Code.PROVIDER_RECOMMENDS_OTHER)
    expected = port if right_port else known.ports[0]
    assert found.recommended == Recommended(provider=known.name, port=expected)


def test_every_providers_own_settings_are_warned_of_nowhere() -> None:
    for known in Providers.load().all:
        login = known.login is not Login.NONE
        for port in known.ports:
            settings = relay(
                port=port, enable_auth=login, user_name="notify@example.com" if login else None
            )
            assert advice(settings, known) == (), known.id


def test_a_relay_that_may_know_the_machine_by_its_address_needs_no_login() -> None:
    known = provider(Kind.RELAY, Login.APP_PASSWORD)
    assert warned(known, port=known.ports[0], enable_auth=False, user_name=None) == []


def test_nothing_is_recommended_for_a_relay_that_nobody_knows() -> None:
    assert warned(None, port=24, enable_ssl=False) == []
