"""When what is tried, for how long, and where that leaves a recipient: the queue's rules on time.

All functions are pure: the time, and the luck that spreads the tries, are handed in. Times are
microseconds since 1970, UTC, as `Clock.now` gives them.
"""

import msgspec

from smarthost.clock import MICROSECONDS
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.holds.model import reached_message
from smarthost.mail_queue.model import Attempted, Claim, HeldFor, Kind, State

TEST_SECONDS = 40
"""A test that has not ended this long after its start is over, whatever became of its worker."""

LEASE_SECONDS = 40
"""How long a claim holds without being renewed."""

LONGEST_WAIT_SECONDS = 4 * 3600.0
"""Between two tries of one message, unless the first wait is longer."""

SOON_SECONDS = 30.0
"""The wait after a fault that is not the message's: other mail gets through meanwhile."""

FEWEST_TRIES = 8
"""Before mail expires by its age: an outage alone takes none, nor does a wrong clock."""

MOST_DEATHS = 3
"""So many workers may end in the middle of one message, one after the other."""

# A test's is the contract's. RFC 5321, section 4.5.3.2, gives a relay far longer for each of its
# replies; all of a session together has to end some day.
_DEADLINE_SECONDS = {Kind.TEST: 30.0, Kind.MAIL: 300.0, Kind.NOTICE: 300.0}


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how long deferred mail is tried again."""

    retry_seconds: float = 300.0
    """The first wait; each is twice as long as the one before (RFC 5321, section 4.5.4.1)."""
    expire_seconds: float = 432_000.0
    """How old mail may become that no relay takes."""


class Standing(msgspec.Struct, frozen=True):
    """Where a recipient stands after an attempt; due exactly while it is queued."""

    state: State
    due_at: int | None = None
    held_for: HeldFor | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to the recipient by itself, nor by being released."""
        return self.due_at is None and self.held_for is None


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known beside the attempt itself."""

    now: int
    age: int
    """Of the message, in microseconds; not what a jump of the clock makes of it."""
    luck: float
    """From 0 to 1, another one for each recipient."""
    on_hold: bool = False
    """The portal waits for its relay, and this message with it."""
    crowded: bool = False
    """The relay has no room for this connection, while it takes mail over others."""


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


def is_useless(expires_at: int | None, now: int) -> bool:
    """Tell whether the sender wants a message no more."""
    return expires_at is not None and expires_at <= now


def after(claim: Claim, attempted: Attempted, patience: Patience, here: Circumstances) -> Standing:
    """Return where a recipient stands after an attempt.

    A test is tried once. Mail does not wait where the attempt broke off for no fault of the
    relay, nor where the whole portal waits.
    """
    if attempted.result is Result.ACCEPTED:
        return Standing(State.SENT)
    if attempted.result is Result.REFUSED or _is_tried_once(claim.kind, attempted.code):
        return Standing(State.FAILED)
    if attempted.in_doubt and claim.at_most_once:
        return Standing(State.HELD, held_for=HeldFor.IN_DOUBT)
    if _is_expired(claim, attempted, patience, here):
        return Standing(State.EXPIRED)
    return Standing(State.QUEUED, _due_again(attempted, patience, here))


def after_death(
    kind: Kind, step: Step | None, deaths: int, now: int, *, at_most_once: bool
) -> Standing:
    """Return where a recipient stands whose worker ended in the middle of the attempt.

    `deaths` counts this one too.
    """
    if kind is Kind.TEST:
        return Standing(State.FAILED)
    if in_doubt(step) and at_most_once:
        return Standing(State.HELD, held_for=HeldFor.IN_DOUBT)
    if deaths >= MOST_DEATHS:
        return Standing(State.HELD, held_for=HeldFor.WORKER_DEATHS)
    return Standing(State.QUEUED, now)


def in_doubt(step: Step | None) -> bool:
    """Tell whether the relay may have a message whose attempt broke off after this step.

    That a message's octets are about to leave is recorded before they do.
    """
    return step is Step.DATA


def _is_tried_once(kind: Kind, code: Code | None) -> bool:
    # A notice goes through the default relay or not at all.
    return kind is Kind.TEST or (kind is Kind.NOTICE and code is Code.NO_RELAY)


def _is_expired(
    claim: Claim, attempted: Attempted, patience: Patience, here: Circumstances
) -> bool:
    if is_useless(claim.expires_at, here.now):
        return True
    if here.on_hold or attempted.code is Code.INTERRUPTED or attempted.attempt < FEWEST_TRIES:
        return False
    return here.age >= patience.expire_seconds * MICROSECONDS


def _due_again(attempted: Attempted, patience: Patience, here: Circumstances) -> int:
    if here.on_hold or attempted.code is Code.INTERRUPTED:
        return here.now
    # Not the message's fault; unless it happens to it, and not to others, again and again.
    is_soon = here.crowded and (attempted.attempt == 1 or not reached_message(attempted.step))
    seconds = SOON_SECONDS if is_soon else _wait_seconds(attempted.attempt, patience)
    # Mail that failed together is not tried together.
    return here.now + round(seconds * (0.75 + 0.5 * here.luck) * MICROSECONDS)


def _wait_seconds(attempt: int, patience: Patience) -> float:
    first = patience.retry_seconds
    doubled = first * 2.0 ** min(attempt - 1, 30)
    return min(doubled, max(first, LONGEST_WAIT_SECONDS))
