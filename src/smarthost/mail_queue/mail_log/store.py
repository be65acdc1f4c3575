"""The rows of a portal's mail, read along each index that a filter can use, and as messages.

Each way along an index comes in two directions, since a page can be asked for from either end.
What is read of given messages is read of several by one statement, padded to as many as it takes.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import NamedTuple

from smarthost.database.engine import Database, Row
from smarthost.mail_queue.accepted.model import Message
from smarthost.mail_queue.accepted.rows import read_message
from smarthost.mail_queue.mail_log.ways import Slice, Span, sliced
from smarthost.mail_queue.model import Kind, State

TOGETHER = 25
"""How many messages are read by one statement, at most."""

_IDS = ", ".join(f"${number}" for number in range(2, 2 + TOGETHER))

_NEWEST = """
SELECT id FROM messages WHERE portal_id = $1 AND id > $2 AND id < $3
ORDER BY id DESC LIMIT $4"""
_OLDEST = """
SELECT id FROM messages WHERE portal_id = $1 AND id > $2 AND id < $3
ORDER BY id LIMIT $4"""
_NEWEST_OF_OWNER = """
SELECT id FROM messages WHERE portal_id = $1 AND id > $2 AND id < $3 AND owner = $5
ORDER BY id DESC LIMIT $4"""
_OLDEST_OF_OWNER = """
SELECT id FROM messages WHERE portal_id = $1 AND id > $2 AND id < $3 AND owner = $5
ORDER BY id LIMIT $4"""
_NEWEST_ENDED_TO = """
SELECT message_id FROM recipients
WHERE portal_id = $1 AND message_id > $2 AND message_id < $3 AND address = $5
  AND ended_at IS NOT NULL
ORDER BY message_id DESC LIMIT $4"""
_OLDEST_ENDED_TO = """
SELECT message_id FROM recipients
WHERE portal_id = $1 AND message_id > $2 AND message_id < $3 AND address = $5
  AND ended_at IS NOT NULL
ORDER BY message_id LIMIT $4"""
# The list is that of the index, which is used for nothing else.
_NEWEST_ENDED = """
SELECT message_id FROM recipients
WHERE portal_id = $1 AND message_id > $2 AND message_id < $3 AND state = $5
  AND state IN ('failed', 'expired', 'cancelled')
ORDER BY message_id DESC LIMIT $4"""
_OLDEST_ENDED = """
SELECT message_id FROM recipients
WHERE portal_id = $1 AND message_id > $2 AND message_id < $3 AND state = $5
  AND state IN ('failed', 'expired', 'cancelled')
ORDER BY message_id LIMIT $4"""
_NEWEST_HELD = """
SELECT message_id FROM recipients
WHERE portal_id = $1 AND message_id > $2 AND message_id < $3 AND state = 'held'
ORDER BY message_id DESC LIMIT $4"""
_OLDEST_HELD = """
SELECT message_id FROM recipients
WHERE portal_id = $1 AND message_id > $2 AND message_id < $3 AND state = 'held'
ORDER BY message_id LIMIT $4"""
_DUE = """
SELECT message_id FROM recipients WHERE portal_id = $1 AND kind = $2 AND due_at IS NOT NULL
ORDER BY due_at LIMIT $3"""
_OUTLINES = f"""
SELECT id, owner, details FROM messages WHERE portal_id = $1 AND id IN ({_IDS})"""
_STATES = f"""
SELECT message_id, state, count(*) FROM recipients
WHERE portal_id = $1 AND message_id IN ({_IDS}) GROUP BY message_id, state"""
_MESSAGES = f"""
SELECT m.id, m.kind, m.accepted_at, m.accepted_by, m.owner, m.sender, m.size, m.details,
       m.at_most_once, m.expires_at, CASE WHEN b.message_id IS NULL THEN 0 ELSE 1 END
FROM messages m
LEFT JOIN message_bodies b ON b.portal_id = m.portal_id AND b.message_id = m.id
WHERE m.portal_id = $1 AND m.id IN ({_IDS})"""
_RECIPIENTS = f"""
SELECT r.message_id, r.address, r.state, r.attempts_count, r.due_at, r.scheduled_at, r.held_for,
       r.in_doubt, r.ended_at, (
           SELECT a.code FROM attempts a
           WHERE a.portal_id = $1 AND a.message_id = r.message_id AND a.address = r.address
           ORDER BY a.attempt DESC LIMIT 1
       )
FROM recipients r WHERE r.portal_id = $1 AND r.message_id IN ({_IDS})
ORDER BY r.message_id, r.address"""


class Outline(NamedTuple):
    """What is seen of a message before it is read."""

    id: str
    owner: str | None
    details: str
    """JSON."""


class MailLogStore:
    """Reads a portal's mail.

    What takes a `span` gives at most `size` ids of it, in its order and direction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, portal_id: str, span: Span, size: int) -> Slice:
        """Return the portal's messages."""
        values = (portal_id, span.low, span.high, size)
        if span.newest_first:
            return _slice(await self._database.fetch(_NEWEST, *values), size)
        return _slice(await self._database.fetch(_OLDEST, *values), size)

    async def of_owner(self, portal_id: str, span: Span, size: int, owner: str) -> Slice:
        """Return what came with one credential."""
        values = (portal_id, span.low, span.high, size, owner)
        if span.newest_first:
            return _slice(await self._database.fetch(_NEWEST_OF_OWNER, *values), size)
        return _slice(await self._database.fetch(_OLDEST_OF_OWNER, *values), size)

    async def ended_to(self, portal_id: str, span: Span, size: int, address: str) -> Slice:
        """Return what has ended for one address."""
        values = (portal_id, span.low, span.high, size, address)
        if span.newest_first:
            return _slice(await self._database.fetch(_NEWEST_ENDED_TO, *values), size)
        return _slice(await self._database.fetch(_OLDEST_ENDED_TO, *values), size)

    async def ended(self, portal_id: str, span: Span, size: int, state: State) -> Slice:
        """Return what has a recipient in `state`: failed, expired or cancelled."""
        values = (portal_id, span.low, span.high, size, state.value)
        if span.newest_first:
            return _slice(await self._database.fetch(_NEWEST_ENDED, *values), size)
        return _slice(await self._database.fetch(_OLDEST_ENDED, *values), size)

    async def held(self, portal_id: str, span: Span, size: int) -> Slice:
        """Return what has a recipient that is held."""
        values = (portal_id, span.low, span.high, size)
        if span.newest_first:
            return _slice(await self._database.fetch(_NEWEST_HELD, *values), size)
        return _slice(await self._database.fetch(_OLDEST_HELD, *values), size)

    async def due(self, portal_id: str, kind: Kind, size: int) -> Sequence[str]:
        """Return messages with a recipient that waits or is being sent, in no order of ids."""
        return [row[0] for row in await self._database.fetch(_DUE, portal_id, kind.value, size)]

    async def outlines(self, portal_id: str, ids: Sequence[str]) -> Sequence[Outline]:
        """Return what can be seen of messages, in any order."""
        rows = await self._database.fetch(_OUTLINES, portal_id, *_padded(ids))
        return [Outline(*row) for row in rows]

    async def states(
        self, portal_id: str, ids: Sequence[str]
    ) -> Mapping[str, Mapping[State, int]]:
        """Return how many recipients of each message are in which state."""
        states: dict[str, dict[State, int]] = {}
        for message_id, state, count in await self._database.fetch(
            _STATES, portal_id, *_padded(ids)
        ):
            states.setdefault(message_id, {})[State(state)] = count
        return states

    async def messages(self, portal_id: str, ids: Sequence[str]) -> Sequence[Message]:
        """Return the messages in the order of `ids`; what is gone by now is left out."""
        rows = await self._database.fetch(_MESSAGES, portal_id, *_padded(ids))
        recipients: dict[str, list[Row]] = {row[0]: [] for row in rows}
        for row in await self._database.fetch(_RECIPIENTS, portal_id, *_padded(ids)):
            if row[0] in recipients:
                recipients[row[0]].append(row[1:])
        found = {row[0]: read_message(portal_id, row, recipients[row[0]]) for row in rows}
        return [found[one] for one in ids if one in found]


def _slice(rows: Sequence[Row], size: int) -> Slice:
    return sliced([row[0] for row in rows], size)


def _padded(ids: Sequence[str]) -> Iterator[str]:
    """Repeat one of the ids until there are as many as the statements take."""
    return islice(chain(ids, repeat(ids[0])), TOGETHER)
