"""Which messages something can be done to, and in plain words why it cannot be done to others.

All functions are pure: they return if it may be done, and raise `NotPossibleError` if not.
"""

import msgspec

from smarthost.mail_queue.accepted.model import NotPossibleError
from smarthost.mail_queue.model import Kind, State

_RETRIED = frozenset({State.FAILED, State.EXPIRED})
_WAITING = frozenset({State.QUEUED, State.HELD})
_UNENDED = frozenset({State.QUEUED, State.SENDING, State.HELD})


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """How a message stands at the moment of a change."""

    kind: Kind
    expires_at: int | None
    has_body: bool
    recipients: tuple[tuple[State, bool], ...]
    """The state of each, and whether it was tried before."""

    @property
    def states(self) -> frozenset[State]:
        """The states of its recipients."""
        return frozenset(state for state, _ in self.recipients)


def may_reschedule(situation: Situation, at: int) -> None:
    """Return if a message can be sent at `at` instead: not one recipient was tried yet."""
    _no_test(situation)
    _not_over(situation)
    if State.SENDING in situation.states:
        raise NotPossibleError(
            "This message is being sent right now, so it can no longer be scheduled."
        )
    if situation.states != {State.QUEUED} or any(tried for _, tried in situation.recipients):
        raise NotPossibleError(
            "This message was tried already, so it can no longer be scheduled. Cancel it, or let "
            "it be tried now."
        )
    if situation.expires_at is not None and at >= situation.expires_at:
        raise NotPossibleError("This message expires before that moment. Choose an earlier one.")


def may_cancel(situation: Situation) -> None:
    """Return if there is a recipient that still waits."""
    _no_test(situation)
    _not_over(situation)
    if not situation.states & _WAITING:
        raise NotPossibleError(
            "This message is being sent right now, so it can no longer be cancelled."
        )


def may_retry(situation: Situation, now: int) -> None:
    """Return if there is a recipient that failed, has expired, or waits for another try."""
    _no_test(situation)
    waits = any(tried and state is State.QUEUED for state, tried in situation.recipients)
    if not waits and not situation.states & _RETRIED:
        raise NotPossibleError(_why_no_retry(situation.states))
    _sendable(situation, now)


def may_release(situation: Situation, now: int) -> None:
    """Return if there is a recipient that is held."""
    _no_test(situation)
    if State.HELD not in situation.states:
        raise NotPossibleError("This message is not held, so there is nothing to release.")
    _sendable(situation, now)


def may_drop_body(situation: Situation) -> None:
    """Return if nobody needs the content any more."""
    if situation.states & _UNENDED:
        raise NotPossibleError(
            "This message is still to be sent, so its content is needed. Cancel it first."
        )


def _no_test(situation: Situation) -> None:
    if situation.kind is Kind.TEST:
        raise NotPossibleError(
            "This is a test message: it is tried once, at once. Start another test instead."
        )


def _not_over(situation: Situation) -> None:
    if not situation.states & _UNENDED:
        raise NotPossibleError(_OVER.get(situation.states, _ALL_OVER))


_ALL_OVER = "All recipients of this message have ended: it is sent to nobody any more."
_OVER = {
    frozenset({State.SENT}): "This message was sent already.",
    frozenset({State.FAILED}): "This message has failed already.",
    frozenset({State.EXPIRED}): "This message has expired already.",
    frozenset({State.CANCELLED}): "This message was cancelled already.",
}


def _why_no_retry(states: frozenset[State]) -> str:
    if State.HELD in states:
        return "This message is held. Release it instead."
    if State.SENDING in states:
        return "This message is being sent right now."
    if State.QUEUED in states:
        return "This message was not tried yet. Schedule it for now instead."
    return _OVER.get(states, _ALL_OVER)


def _sendable(situation: Situation, now: int) -> None:
    if not situation.has_body:
        raise NotPossibleError(
            "The content of this message was dropped, so it cannot be sent again. Hand it in anew."
        )
    if situation.expires_at is not None and situation.expires_at <= now:
        raise NotPossibleError(
            "The time that this message was of use for is over. Hand it in anew."
        )
