"""What is removed once it has been kept long enough: contents, whole messages, idempotency keys.

Ids begin with the time of their making, so that whatever is old enough stands together at the
beginning; it is looked at page by page, and each removal looks again whether the message has
ended, since a person may just have asked for another try.
"""

from collections.abc import Sequence

import msgspec

from smarthost.database.engine import Database, Row, Transaction

_ENDED_BODIES = """
SELECT b.message_id, count(*), count(r.ended_at), coalesce(max(r.ended_at), 0),
       count(CASE WHEN r.state = 'sent' THEN 1 END)
FROM message_bodies b
JOIN recipients r ON r.portal_id = b.portal_id AND r.message_id = b.message_id
WHERE b.portal_id = $1 AND b.message_id > $2 AND b.message_id < $3
GROUP BY b.message_id ORDER BY b.message_id LIMIT $4"""
# The last test stays for whoever looks at its result.
_ENDED_MESSAGES = """
SELECT message_id, count(*), count(ended_at), coalesce(max(ended_at), 0),
       count(CASE WHEN state = 'sent' THEN 1 END)
FROM recipients
WHERE portal_id = $1 AND message_id > $2 AND message_id < $3
  AND message_id NOT IN (SELECT message_id FROM last_tests WHERE portal_id = $1)
GROUP BY message_id ORDER BY message_id LIMIT $4"""
_DROP_BODY = """
DELETE FROM message_bodies WHERE portal_id = $1 AND message_id = $2 AND NOT EXISTS (
    SELECT 1 FROM recipients r
    WHERE r.portal_id = $1 AND r.message_id = $2 AND r.ended_at IS NULL
)"""
_DROP_BODY_OF_SENT = """
DELETE FROM message_bodies WHERE portal_id = $1 AND message_id = $2 AND NOT EXISTS (
    SELECT 1 FROM recipients r
    WHERE r.portal_id = $1 AND r.message_id = $2 AND r.state <> 'sent'
)"""
_REMOVE_MESSAGE = """
DELETE FROM messages WHERE portal_id = $1 AND id = $2 AND NOT EXISTS (
    SELECT 1 FROM recipients r
    WHERE r.portal_id = $1 AND r.message_id = $2 AND r.ended_at IS NULL
)"""
_OLD_KEYS = """
SELECT owner, key FROM idempotency_keys WHERE portal_id = $1 AND accepted_at <= $2 LIMIT $3"""
_REMOVE_KEY = """
DELETE FROM idempotency_keys WHERE portal_id = $1 AND owner = $2 AND key = $3"""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How far the recipients of one message are."""

    message_id: str
    recipients: int
    ended: bool
    """All of them are."""
    ended_at: int
    """When the last of those that have ended did; microseconds since 1970, UTC."""
    sent: bool
    """All of them were."""


async def drop_bodies_of_sent(tx: Transaction, portal_id: str, message_ids: Sequence[str]) -> None:
    """Drop the content of those of the messages in `tx` whose recipients all have it."""
    rows = [(portal_id, message_id) for message_id in message_ids]
    await tx.fetch_each(_DROP_BODY_OF_SENT, rows)


class RemovalStore:
    """Finds what may be old enough, and removes it.

    Pages are by id: those after `after`, and before `until`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def bodies(self, portal_id: str, after: str, until: str, at_most: int) -> Sequence[Kept]:
        """Return messages whose content is there."""
        rows = await self._database.fetch(_ENDED_BODIES, portal_id, after, until, at_most)
        return [read_kept(row) for row in rows]

    async def messages(
        self, portal_id: str, after: str, until: str, at_most: int
    ) -> Sequence[Kept]:
        """Return messages, but for the portal's last test."""
        rows = await self._database.fetch(_ENDED_MESSAGES, portal_id, after, until, at_most)
        return [read_kept(row) for row in rows]

    async def drop_bodies(self, portal_id: str, message_ids: Sequence[str]) -> None:
        """Drop the contents of those of the messages that have ended."""

        async def work(tx: Transaction) -> None:
            await tx.lock(portal_id)
            for message_id in message_ids:
                await tx.execute(_DROP_BODY, portal_id, message_id)

        await self._database.transact(work)

    async def remove_messages(self, portal_id: str, message_ids: Sequence[str]) -> None:
        """Remove those of the messages that have ended, with all that belongs to them."""

        async def work(tx: Transaction) -> None:
            await tx.lock(portal_id)
            for message_id in message_ids:
                await tx.execute(_REMOVE_MESSAGE, portal_id, message_id)

        await self._database.transact(work)

    async def remove_keys(self, portal_id: str, until: int, at_most: int) -> bool:
        """Remove idempotency keys of the time up to `until`; False if there were none."""
        found = await self._database.fetch(_OLD_KEYS, portal_id, until, at_most)
        if not found:
            return False

        async def work(tx: Transaction) -> None:
            for owner, key in found:
                await tx.execute(_REMOVE_KEY, portal_id, owner, key)

        await self._database.transact(work)
        return True


def read_kept(row: Row) -> Kept:
    """Make it from the columns that `_ENDED_BODIES` has, in their order."""
    message_id, recipients, ended, ended_at, sent = row
    return Kept(
        message_id=message_id,
        recipients=recipients,
        ended=ended == recipients,
        ended_at=ended_at,
        sent=sent == recipients,
    )
