"""A page of a portal's mail, at a cost that depends on the page and not on how much mail there is.

No index serves every filter, so messages are looked at one after the other, along the best index
there is, and never more than a bounded number for one page. A page that is not full for that says
how far it came; whoever wants to know more goes on from there.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from smarthost.database.engine import Database
from smarthost.mail_queue.accepted.model import Message
from smarthost.mail_queue.mail_log.model import Page, Wanted
from smarthost.mail_queue.mail_log.store import TOGETHER, MailLogStore
from smarthost.mail_queue.mail_log.ways import (
    Slice,
    Span,
    batches,
    farthest,
    in_order,
    span_of,
    together,
)
from smarthost.mail_queue.model import State

LOOKED_AT = 1_500


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done for one page at most."""

    looked_at: int = LOOKED_AT
    """Messages, where the page itself has no more."""
    at_once: int = 250
    """After so many messages others have their turn."""
    due: int = 1_000
    """Recipients that wait: if there are no more, they are a way of their own."""
    recipients: int = 5_000
    """Recipients of the messages that are looked at: a page ends soon after so many."""


_ENDED = (State.FAILED, State.EXPIRED, State.CANCELLED)
_UNENDED = frozenset({State.QUEUED, State.SENDING})
_EVERYTHING = Wanted()
_BOUNDS = Bounds()


class _Looking(NamedTuple):
    """What is looked for, in which portal, and what is known of it."""

    portal_id: str
    wanted: Wanted
    now: int
    on_hold: bool
    due: Sequence[str] | None
    """All messages that wait; None: there are many, or they are not what is looked for."""


class _Found:
    """The messages of a page, and how much was looked at for them."""

    def __init__(self, at_most: int, most_recipients: int) -> None:
        self._at_most = at_most
        self._most_recipients = most_recipients
        self.messages: list[Message] = []
        self.recipients = 0

    @property
    def is_enough(self) -> bool:
        """One message more than the page shows that there are more; or it was much work."""
        return len(self.messages) > self._at_most or self.recipients >= self._most_recipients

    def page(self, until: str | None, span: Span) -> Page:
        """Return the page; `until` is the id that was looked at last, None at the end of all."""
        shown = self.messages[: self._at_most]
        if len(self.messages) > self._at_most:
            until = shown[-1].id
        return Page(messages=shown if span.newest_first else shown[::-1], next=until)


class MailLog:
    """Finds a portal's mail."""

    def __init__(self, database: Database, bounds: Bounds = _BOUNDS) -> None:
        self._store = MailLogStore(database)
        self._bounds = bounds

    async def page(
        self,
        portal_id: str,
        wanted: Wanted = _EVERYTHING,
        *,
        at_most: int,
        after: str | None = None,
        before: str | None = None,
        now: int,
        on_hold: bool,
    ) -> Page:
        """Return `at_most` messages, or as many as are among those that are looked at.

        `after` is the id that the page before ended with: older ones follow. With `before` alone
        it is the page that ends just before that id. Neither need be there any more. `now`, in
        microseconds since 1970, and `on_hold`, that the portal's mail waits as a whole, are those
        that the messages' events are told with.
        Raises `StoreUnavailableError`.
        """
        due = await self._due(portal_id, wanted)
        looking = _Looking(portal_id, wanted, now, on_hold, due)
        span, bounds = span_of(wanted, after, before), self._bounds
        found = _Found(at_most, bounds.recipients)
        looked, size = 0, at_most + 1
        while True:
            part = await self._slice(looking, span, size)
            for ids in batches(part.ids, TOGETHER):
                await self._look(looking, ids, found)
                if found.is_enough:
                    return found.page(ids[-1], span)
            looked += max(size, len(part.ids))  # several indexes give more than was asked of each
            if part.until is None or looked >= bounds.looked_at:
                return found.page(part.until, span)
            span, size = span.behind(part.until), min(bounds.at_once, bounds.looked_at - looked)
            await asyncio.sleep(0)

    async def _due(self, portal_id: str, wanted: Wanted) -> Sequence[str] | None:
        if wanted.recipient is None and not (wanted.is_unsent and wanted.possible & _UNENDED):
            return None
        most = self._bounds.due
        due = await self._store.due(portal_id, wanted.kind, most + 1)
        return due if len(due) <= most else None

    async def _slice(self, looking: _Looking, span: Span, size: int) -> Slice:
        """Return the next ids, by the way that is best for what is looked for."""
        portal_id, wanted, store = looking.portal_id, looking.wanted, self._store
        if wanted.owner is None:
            ways = [await store.all(portal_id, span, size)]
        else:
            ways = [await store.of_owner(portal_id, span, size, wanted.owner)]
        if wanted.recipient is not None and looking.due is not None:
            ways.append(await self._to(looking, span, size, wanted.recipient))
        if wanted.is_unsent and (looking.due is not None or not wanted.possible & _UNENDED):
            ways.append(await self._of_states(looking, span, size))
        return farthest(ways, span)

    async def _to(self, looking: _Looking, span: Span, size: int, address: str) -> Slice:
        parts = [
            await self._store.ended_to(looking.portal_id, span, size, address),
            await self._store.held(looking.portal_id, span, size),
            in_order(looking.due or (), span),
        ]
        return together(parts, span)

    async def _of_states(self, looking: _Looking, span: Span, size: int) -> Slice:
        portal_id, states = looking.portal_id, looking.wanted.possible
        parts = [
            await self._store.ended(portal_id, span, size, state)
            for state in _ENDED
            if state in states
        ]
        if State.HELD in states:
            parts.append(await self._store.held(portal_id, span, size))
        if looking.due is not None:
            parts.append(in_order(looking.due, span))
        return together(parts, span)

    async def _look(self, looking: _Looking, ids: Sequence[str], found: _Found) -> None:
        """Add those messages to what was found that are meant."""
        portal_id, wanted = looking.portal_id, looking.wanted
        if wanted.words.words or wanted.owner is not None:
            ids = await self._with_words(portal_id, wanted, ids)
        if wanted.states or wanted.standings:
            ids = await self._with_states(portal_id, wanted, ids, found)
        if not ids:
            return
        for message in await self._store.messages(portal_id, ids):
            found.recipients += len(message.recipients)
            if wanted.fits(message, now=looking.now, on_hold=looking.on_hold):
                found.messages.append(message)

    async def _with_words(
        self, portal_id: str, wanted: Wanted, ids: Sequence[str]
    ) -> Sequence[str]:
        """Return those that have the owner and may have the words that are looked for."""
        kept = {
            one.id
            for one in await self._store.outlines(portal_id, ids)
            if wanted.owner in (None, one.owner) and wanted.words.may_be_in(one.details)
        }
        return [one for one in ids if one in kept]

    async def _with_states(
        self, portal_id: str, wanted: Wanted, ids: Sequence[str], found: _Found
    ) -> Sequence[str]:
        """Return those with a recipient in a state that is looked for."""
        if not ids:
            return ids
        states = await self._store.states(portal_id, ids)
        found.recipients += sum(sum(counts.values()) for counts in states.values())
        return [one for one in ids if not wanted.possible.isdisjoint(states.get(one, ()))]
