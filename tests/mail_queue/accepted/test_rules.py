from collections.abc import Callable

import pytest

from smarthost.mail_queue.accepted.model import NotPossibleError
from smarthost.mail_queue.accepted.rules import (
    Situation,
    may_cancel,
    may_drop_body,
    may_release,
    may_reschedule,
    may_retry,
)
from smarthost.mail_queue.model import Kind, State

NOW = 1_000_000
QUEUED, SENDING, SENT = State.QUEUED, State.SENDING, State.SENT
FAILED, EXPIRED, CANCELLED, HELD = State.FAILED, State.EXPIRED, State.CANCELLED, State.HELD
Rule = Callable[[Situation], None]


def situation(
    *states: State,
    tried: bool = True,
    kind: Kind = Kind.MAIL,
    expires_at: int | None = None,
    has_body: bool = True,
) -> Situation:
    return Situation(
        kind=kind,
        expires_at=expires_at,
        has_body=has_body,
        recipients=tuple((state, tried) for state in states),
    )


def reschedule(of: Situation) -> None:
    may_reschedule(of, NOW + 10)


def retry(of: Situation) -> None:
    may_retry(of, NOW)


def release(of: Situation) -> None:
    may_release(of, NOW)


@pytest.mark.parametrize(
    ("rule", "of"),
    [
        (reschedule, situation(QUEUED, tried=False)),
        (reschedule, situation(QUEUED, tried=False, expires_at=NOW + 11)),
        (may_cancel, situation(QUEUED, tried=False)),
        (may_cancel, situation(QUEUED)),
        (may_cancel, situation(HELD)),
        (may_cancel, situation(SENT, SENDING, QUEUED)),
        (retry, situation(FAILED)),
        (retry, situation(EXPIRED, SENT)),
        (retry, situation(QUEUED)),
        (retry, situation(FAILED, expires_at=NOW + 1)),
        (release, situation(HELD)),
        (release, situation(HELD, SENT)),
        (may_drop_body, situation(SENT, FAILED, EXPIRED, CANCELLED)),
        (may_drop_body, situation(FAILED, has_body=False)),
        (may_drop_body, situation(FAILED, kind=Kind.TEST)),
    ],
)
def test_it_may_be_done(rule: Rule, of: Situation) -> None:
    rule(of)


@pytest.mark.parametrize(
    ("rule", "of", "words"),
    [
        (reschedule, situation(QUEUED), "tried already"),
        (reschedule, situation(HELD, QUEUED, tried=False), "tried already"),
        (reschedule, situation(SENDING), "being sent right now"),
        (reschedule, situation(SENT), "sent already"),
        (reschedule, situation(QUEUED, tried=False, expires_at=NOW + 10), "expires before"),
        (may_cancel, situation(SENDING), "being sent right now"),
        (may_cancel, situation(SENT), "sent already"),
        (may_cancel, situation(FAILED), "failed already"),
        (may_cancel, situation(EXPIRED), "expired already"),
        (may_cancel, situation(CANCELLED), "cancelled already"),
        (may_cancel, situation(SENT, FAILED), "to nobody any more"),
        (retry, situation(SENT), "sent already"),
        (retry, situation(CANCELLED), "cancelled already"),
        (retry, situation(SENT, CANCELLED), "to nobody any more"),
        (retry, situation(SENDING), "being sent right now"),
        (retry, situation(HELD), "Release it"),
        (retry, situation(QUEUED, tried=False), "not tried yet"),
        (retry, situation(FAILED, has_body=False), "content of this message was dropped"),
        (retry, situation(FAILED, expires_at=NOW), "is over"),
        (release, situation(QUEUED), "not held"),
        (release, situation(HELD, has_body=False), "content of this message was dropped"),
        (release, situation(HELD, expires_at=NOW - 1), "is over"),
        (may_drop_body, situation(SENT, QUEUED), "still to be sent"),
        (may_drop_body, situation(SENDING), "still to be sent"),
        (may_drop_body, situation(HELD), "still to be sent"),
    ],
)
def test_why_it_may_not_be_done_is_said(rule: Rule, of: Situation, words: str) -> None:
    with pytest.raises(NotPossibleError, match=words):
        rule(of)


@pytest.mark.parametrize("rule", [reschedule, may_cancel, retry, release])
def test_a_test_message_is_left_alone(rule: Rule) -> None:
    for state in State:
        with pytest.raises(NotPossibleError, match="test message"):
            rule(situation(state, kind=Kind.TEST))
