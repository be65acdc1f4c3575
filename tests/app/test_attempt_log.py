"""The log alone tells an operator why mail does not go out."""

from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from smarthost.app.attempt_log import log_attempt
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.mail_queue.model import Attempted, Claim, Kind
from smarthost.secret import Secret

CLAIM = Claim(
    id="claim",
    portal_id="portal",
    message_id="message",
    kind=Kind.MAIL,
    revision=None,
    accepted_at=0,
    ages_from=0,
    wanted_at=0,
    expires_at=None,
    at_most_once=False,
    started_at=0,
    recipients=(),
    probe=False,
)
RELAY = RelaySettings(
    portal_id="portal",
    revision=3,
    host="smtp.gmail.com",
    port=587,
    enable_ssl=True,
    enable_auth=True,
    user_name="office@example.com",
    password=Secret("never in a log"),
    helo_name="app.example.org",
)
FACTS: dict[str, Any] = {"attempt": 1, "started_at": 0, "microseconds": 10}


def refused(address: str, reply: str) -> Attempted:
    return Attempted(
        address=address,
        result=Result.REFUSED,
        step=Step.RECIPIENT,
        code=Code.RECIPIENT_REFUSED,
        permanent=True,
        reply=reply,
        **FACTS,
    )


def lines(relay: RelaySettings | None, *attempted: Attempted) -> list[Any]:
    with capture_logs() as logs:
        log_attempt(CLAIM, relay, attempted)
    return logs


def test_a_failure_is_one_line_with_all_that_is_known_of_it() -> None:
    failed = Attempted(
        address="someone@example.net",
        result=Result.DEFERRED,
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_REFUSED,
        permanent=True,
        reply="534 5.7.9 Application-specific password required.",
        **FACTS,
    )

    assert lines(RELAY, failed) == [
        {
            "event": "attempt failed",
            "log_level": "warning",
            "result": "deferred",
            "step": "authenticate",
            "code": "login_refused",
            "title": "Google wants an app password",
            "permanent": True,
            "reply": "534 5.7.9 Application-specific password required.",
            "recipients": 1,
            "portal_id": "portal",
            "message_id": "message",
            "relay_host": "smtp.gmail.com",
            "relay_port": 587,
        }
    ]


def test_recipients_with_the_same_reply_share_a_line_and_are_not_named() -> None:
    logged = lines(
        RELAY,
        refused("Jane@example.net", "550 5.1.1 <jane@example.net>: User unknown"),
        refused("joe@example.net", "550 5.1.1 <joe@example.net>: User unknown"),
        refused("ann@example.net", "550 5.7.1 Not for you"),
    )

    assert [(line["recipients"], line["reply"]) for line in logged] == [
        (2, "550 5.1.1 <[recipient]>: User unknown"),
        (1, "550 5.7.1 Not for you"),
    ]
    assert logged[0]["title"] == "The recipient's address does not exist"


@pytest.mark.parametrize(
    ("reply", "logged"),
    [
        ("550 5.1.1 <joe@example.net>: No such user", "550 5.1.1 <[address]>: No such user"),
        (
            "553 5.7.1 <from@example.com>: not owned by user office@example.com",
            "553 5.7.1 <[address]>: not owned by user [address]",
        ),
        ("550 5.1.1 No such user: joe@exam…", "550 5.1.1 No such user: [address]"),
        ("550 5.1.1 jane@example.net@relay", "550 5.1.1 [recipient]@relay"),
    ],
)
def test_nobody_else_who_is_in_a_reply_is_named_either(reply: str, logged: str) -> None:
    (line,) = lines(RELAY, refused("jane@example.net", reply))

    assert line["reply"] == logged


def test_what_was_accepted_is_told_for_those_who_debug_alone() -> None:
    accepted = Attempted(
        address="someone@example.net", result=Result.ACCEPTED, step=Step.DATA, **FACTS
    )

    (line,) = lines(RELAY, accepted, msgspec.structs.replace(accepted, address="b@example.net"))

    assert line["log_level"] == "debug"
    assert (line["event"], line["recipients"]) == ("message handed over", 2)


@pytest.mark.parametrize("code", [Code.NO_RELAY, Code.INTERRUPTED])
def test_an_attempt_that_found_no_relay_is_told_as_well(code: Code) -> None:
    failed = Attempted(
        address="someone@example.net",
        result=Result.DEFERRED,
        step=Step.RESOLVE,
        code=code,
        **FACTS,
    )

    (line,) = lines(None, failed)

    assert (line["code"], line["relay_host"]) == (code.value, None)
    assert line["title"]


def test_no_secret_is_in_the_log() -> None:
    logged = lines(RELAY, refused("someone@example.net", "550 No"))

    assert "never in a log" not in str(logged)
    assert "office@example.com" not in str(logged)
