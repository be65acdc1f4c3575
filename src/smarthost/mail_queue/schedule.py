"""When what is tried, and for how long: the queue's rules on time, and nothing else.

All functions are pure. Times are microseconds since 1970, UTC, as `Clock.now` gives them.
"""

from smarthost.clock import MICROSECONDS
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.model import Attempted, Kind, State

TEST_SECONDS = 40
"""A test that has not ended this long after its start is over, whatever became of its worker."""

LEASE_SECONDS = 40
"""How long a claim holds without being renewed."""

# A test's is the contract's. RFC 5321, section 4.5.3.2, gives a relay far longer for each of its
# replies; all of a session together has to end some day.
_DEADLINE_SECONDS = {Kind.TEST: 30.0, Kind.MAIL: 300.0}
# Each wait before the next try; the last is repeated (RFC 5321, section 4.5.4.1: start early,
# then half an hour and more).
_RETRY_SECONDS = (60, 300, 900, 1800, 3600)


def deadline_seconds(kind: Kind) -> float:
    """Return how long one attempt may take in all."""
    return _DEADLINE_SECONDS[kind]


def lease_end(now: int) -> int:
    """Return when a claim that is made or renewed now ends."""
    return now + LEASE_SECONDS * MICROSECONDS


def is_over(accepted_at: int, now: int) -> bool:
    """Tell whether the time of a test has run out.

    The distance counts, in either direction: with a clock that was set back by an hour a dead
    test would otherwise run for that hour.
    """
    return abs(now - accepted_at) >= TEST_SECONDS * MICROSECONDS


def after(kind: Kind, attempted: Attempted, now: int) -> tuple[State, int | None]:
    """Return a recipient's state after an attempt, and when it is due if it is queued again.

    A test is tried once. Mail does not wait where the attempt broke off for no fault of the relay.
    """
    if attempted.result is Result.ACCEPTED:
        return State.SENT, None
    if attempted.result is Result.REFUSED or kind is Kind.TEST:
        return State.FAILED, None
    if attempted.code is Code.INTERRUPTED:
        return State.QUEUED, now
    wait = _RETRY_SECONDS[min(attempted.attempt, len(_RETRY_SECONDS)) - 1]
    return State.QUEUED, now + wait * MICROSECONDS


def in_doubt(step: Step | None) -> bool:
    """Tell whether the relay may have a message whose attempt broke off after this step.

    That a message's octets are about to leave is recorded before they do.
    """
    return step is Step.DATA
