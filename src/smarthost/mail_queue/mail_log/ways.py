"""Ways through a portal's mail, compared and put together without a store.

Each gives ids in order, a slice at a time, and misses none that is meant. The same question can be
asked of several indexes; which is best depends on the portal's mail: the one that reaches farthest
for the same work.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from smarthost.clock import MICROSECONDS
from smarthost.ids import before_ids_of
from smarthost.mail_queue.mail_log.model import Wanted

# An id is lower-case hexadecimal digits and hyphens: all ids are between these two.
_FIRST, _LAST = "", "~"

# An id is made before its message is accepted: while it is read and composed, and while it waits
# for the disk. Then clocks are set, too.
_ID_APART = 60 * MICROSECONDS


class Span(NamedTuple):
    """The ids that are still to be looked at: between two, in one direction."""

    low: str
    high: str
    """Neither is one of them."""
    newest_first: bool

    def behind(self, message_id: str) -> "Span":
        """Return what follows `message_id`."""
        if self.newest_first:
            return self._replace(high=message_id)
        return self._replace(low=message_id)

    def has(self, message_id: str) -> bool:
        """Tell whether an id is in it."""
        return self.low < message_id < self.high


class Slice(NamedTuple):
    """Ids of messages that may be meant, in the direction of a span."""

    ids: Sequence[str]
    until: str | None
    """Behind this id nothing was looked at; None: these are all to the span's end."""


def span_of(wanted: Wanted, after: str | None, before: str | None) -> Span:
    """Return where messages can be that are meant: `after` and `before` are older and newer."""
    low, high = before or _FIRST, after or _LAST
    if wanted.accepted_from is not None:
        low = max(low, before_ids_of(wanted.accepted_from - _ID_APART))
    if wanted.accepted_before is not None:
        high = min(high, before_ids_of(wanted.accepted_before + _ID_APART))
    return Span(low, high, newest_first=before is None or after is not None)


def sliced(ids: Sequence[str], size: int) -> Slice:
    """Return what an index gave that was asked for `size` ids; some may be there repeatedly."""
    until = ids[-1] if len(ids) >= size else None
    return Slice(list(dict.fromkeys(ids)), until)


def in_order(ids: Sequence[str], span: Span) -> Slice:
    """Return those of all there are that are in `span`."""
    return Slice(sorted({one for one in ids if span.has(one)}, reverse=span.newest_first), None)


def together(slices: Sequence[Slice], span: Span) -> Slice:
    """Return what is on any of several ways, as far as all of them were looked at."""
    ends = [one.until for one in slices if one.until is not None]
    until = (max if span.newest_first else min)(ends, default=None)
    seen = span if until is None else _up_to(span, until)
    ids = {one for slice_ in slices for one in slice_.ids if seen.has(one) or one == until}
    return Slice(sorted(ids, reverse=span.newest_first), until)


def farthest(slices: Sequence[Slice], span: Span) -> Slice:
    """Return the slice that reaches farthest; of those to the end, the one with the fewest ids."""
    complete = [one for one in slices if one.until is None]
    if complete:
        return min(complete, key=lambda one: len(one.ids))
    return (min if span.newest_first else max)(slices, key=lambda one: one.until or "")


def batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Part ids into lists of at most `size`."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _up_to(span: Span, until: str) -> Span:
    if span.newest_first:
        return span._replace(low=until)
    return span._replace(high=until)
