from typing import Any

import pytest

from smarthost.delivery.outcome import Code
from smarthost.explanations.page_words import page_words
from smarthost.mail_queue.mail_log.model import Standing
from smarthost.mail_queue.model import State
from smarthost.web.pages.mail_rows import Row, row_of

# They never keep a message from being sent.
WARNINGS = {
    Code.NOT_ENCRYPTED,
    Code.PASSWORD_IN_CLEAR,
    Code.CERTIFICATE_NOT_VERIFIED,
    Code.CERTIFICATE_ENDS_SOON,
    Code.SENDER_OUTSIDE_LOGIN,
    Code.PROVIDER_RECOMMENDS_OTHER,
}


def recipient(name: str, state: str, event: str | None = None, code: str | None = None) -> Any:
    return {
        "address": f"{name}@example.net",
        "state": state,
        "last_event": event or state,
        "code": code,
    }


def row(last_event: str, *recipients: Any, **fields: Any) -> Row:
    email = {
        "id": "1", "created_at": "2026-11-22T17:57:53Z", "from": "shop@example.com",
        "to": ["Ann <ann@example.net>"], "cc": [], "bcc": [], "subject": "Hi",
    }  # fmt: skip
    return row_of({**email, "last_event": last_event, "recipients": recipients, **fields})


def test_a_message_of_one_recipient() -> None:
    assert row("sent", recipient("ann", "sent")) == Row(
        id="1", at="2026-11-22T17:57:53Z", from_="shop@example.com", to="Ann <ann@example.net>",
        others=0, subject="Hi", state="sent", so_many=1, code=None,
    )  # fmt: skip


def test_a_message_stands_as_the_worst_of_its_recipients() -> None:
    found = row(
        "failed",
        recipient("ann", "sent"),
        recipient("bob", "failed", code="recipient_refused"),
        recipient("cyd", "expired", "failed", code="timed_out"),
        recipient("dan", "queued", "delivery_delayed", code="rate_limited"),
    )
    assert (found.state, found.so_many, found.others) == ("failed", 2, 3)
    assert found.code == "recipient_refused"


@pytest.mark.parametrize(
    ("last_event", "state", "so_many"),
    [("delivery_delayed", "held", 1), ("failed", "failed", 1)],
)
def test_what_somebody_has_to_release_is_held_unless_it_is_worse(
    last_event: str, state: str, so_many: int
) -> None:
    held = recipient("ann", "held", "delivery_delayed", code="interrupted")
    other = recipient("bob", "failed", code="recipient_refused")
    found = row(last_event, *([held, other] if state == "failed" else [held]))
    assert (found.state, found.so_many) == (state, so_many)


def test_why_a_canceled_one_was_delayed_is_not_told() -> None:
    found = row("canceled", recipient("ann", "cancelled", "canceled", code="timed_out"))
    assert (found.state, found.code) == ("canceled", None)


def test_mail_that_names_nobody_shows_where_it_went() -> None:
    assert row("sent", recipient("eve", "sent"), to=[]).to == "eve@example.net"


def test_every_state_and_every_failure_has_a_word() -> None:
    words = page_words("outcomes")
    assert set(words["states"]) == {*State, *Standing}
    assert set(words["codes"]) == set(Code) - WARNINGS
