from itertools import combinations_with_replacement
from typing import Any

import pytest

from smarthost.mail_queue.accepted import rules
from smarthost.mail_queue.accepted.model import NotPossibleError
from smarthost.mail_queue.accepted.rules import Situation
from smarthost.mail_queue.model import Kind, State
from smarthost.web.pages.message_values import (
    counted_states,
    is_ended,
    possible,
    standings,
    together,
)

_NOW = 0
STANDING = [(state, tried) for state in State for tried in (False, True)]


def recipient(state: str, tried: bool = True, event: str | None = None) -> dict[str, Any]:
    return {"state": state, "last_event": event or state, "attempts": int(tried)}


def is_allowed(rule: Any, *given: object) -> bool:
    try:
        rule(*given)
    except NotPossibleError:
        return False
    return True


@pytest.mark.parametrize("has_body", [True, False])
def test_what_is_offered_is_what_can_be_done(has_body: bool) -> None:
    for those in combinations_with_replacement(STANDING, 3):
        situation = Situation(kind=Kind.MAIL, expires_at=None, has_body=has_body, recipients=those)
        recipients = [recipient(state, tried) for state, tried in those]
        offered = possible({"recipients": recipients, "has_body": has_body})
        assert offered.retry == is_allowed(rules.may_retry, situation, _NOW)
        assert offered.release == is_allowed(rules.may_release, situation, _NOW)
        assert offered.cancel == is_allowed(rules.may_cancel, situation)
        assert offered.forget == (has_body and is_allowed(rules.may_drop_body, situation))
        assert is_ended({"recipients": recipients}) == is_allowed(rules.may_drop_body, situation)


def test_those_come_first_that_need_somebody() -> None:
    email = {
        "recipients": [
            recipient("sent"),
            recipient("queued", event="queued"),
            recipient("queued", event="delivery_delayed"),
            recipient("sent"),
            recipient("held", event="delivery_delayed"),
            recipient("failed"),
        ]
    }
    found = standings(email)
    assert [(one.state, one.kind) for one in found] == [
        ("failed", "failed"), ("held", "warning"), ("delivery_delayed", "warning"),
        ("queued", "muted"), ("sent", "ok"), ("sent", "ok"),
    ]  # fmt: skip
    assert counted_states(found)[-1] == ("sent", "ok", 2)


def attempt(name: str, number: int = 1, milliseconds: float = 1.0, **rest: object) -> Any:
    return {
        "recipient": f"{name}@example.net",
        "attempt": number,
        "at": f"2026-11-22T17:57:0{number}Z",
        "milliseconds": milliseconds,
        "outcome": "accepted",
        **rest,
    }


def test_what_went_alike_is_told_once_and_the_newest_first() -> None:
    first = [attempt(name, milliseconds=at) for at, name in enumerate("dcbae")]
    refused = attempt("f", outcome="refused", reply="550 No")
    found = together([*first[:3], refused, *first[3:], attempt("a", 2)])
    assert [(one.recipients, one.others) for one in found] == [
        (["a@example.net"], 0),
        (["a@example.net", "b@example.net", "c@example.net"], 2),
        (["f@example.net"], 0),
    ]
    assert found[2].attempt["reply"] == "550 No"
