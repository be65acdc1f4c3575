"""What is counted of a portal's mail, and what can be told from it.

How long mail takes is counted by fixed steps and not kept one by one: so an hour is a dozen
numbers however much was sent in it, and hours can be added up. The price is that a median is known
to the step alone. All functions are pure.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable
from functools import reduce
from itertools import accumulate
from operator import add

import msgspec

from smarthost.clock import MICROSECONDS
from smarthost.mail_queue.model import Ended, State

STEPS_SECONDS = (1, 5, 30, 120, 600, 3_600, 21_600, 86_400)
"""The steps that delays are counted by; what took longer is counted behind the last one."""

LONGER_SECONDS = 604_800
"""Stands for a delay beyond the last step: a week, when nearly all mail has expired."""

HOUR = 3_600 * MICROSECONDS
"""What is counted together; 24 of them are a day of UTC."""

_NEVER_SENT = (0,) * (len(STEPS_SECONDS) + 1)
_FAILED = frozenset({State.FAILED, State.EXPIRED})
_DEFERRED = frozenset({State.QUEUED, State.HELD})


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What became of mail in some time; the unit is one recipient of one message."""

    sent_by_step: tuple[int, ...] = _NEVER_SENT
    """What a relay took, by how long that took: one number for each step, and one for longer."""
    deferred: int = 0
    """Attempts that ended without an outcome: the recipient waits for another, or for a person."""
    failed: int = 0
    """Recipients that failed or expired. One that is tried again after that may do so again."""

    @property
    def sent(self) -> int:
        """How many recipients a relay took."""
        return sum(self.sent_by_step)

    def delay_seconds(self, percent: int) -> int | None:
        """Return within which step `percent` of 100 were sent; None where nothing was.

        It is the least of `STEPS_SECONDS` for which that is so, or `LONGER_SECONDS`.
        """
        if not self.sent:
            return None
        so_far = accumulate(self.sent_by_step)
        step = next(at for at, sent in enumerate(so_far) if sent * 100 >= self.sent * percent)
        return (*STEPS_SECONDS, LONGER_SECONDS)[step]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A tally and its time."""

    at: int
    """When that time began, microseconds since 1970, UTC."""
    tally: Tally


def tally_of(ended: Collection[Ended], delay: int) -> Tally:
    """Return what one change of a message's recipients adds.

    `delay` is how many microseconds lie between the moment from which its sender wanted it sent
    and now; it matters for what was sent, and less than 0, as by a clock that was set, is 0.
    """
    by_step = list(_NEVER_SENT)
    by_step[_step_of(delay)] = sum(one.state is State.SENT for one in ended)
    return Tally(
        sent_by_step=tuple(by_step),
        deferred=sum(one.state in _DEFERRED for one in ended),
        failed=sum(one.state in _FAILED for one in ended),
    )


def sum_of(tallies: Iterable[Tally]) -> Tally:
    """Return what several changes, one at least, add together."""
    return reduce(_plus, tallies)


def _plus(one: Tally, other: Tally) -> Tally:
    return Tally(
        sent_by_step=tuple(map(add, one.sent_by_step, other.sent_by_step)),
        deferred=one.deferred + other.deferred,
        failed=one.failed + other.failed,
    )


def _step_of(delay: int) -> int:
    return bisect_left(STEPS_SECONDS, delay / MICROSECONDS)
