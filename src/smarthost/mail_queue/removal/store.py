"""Removes what has been kept long enough: contents, whole messages, idempotency keys.

Each removal looks again whether the message has ended, since a person may just have asked for
another try.
"""

from collections.abc import Sequence

from smarthost.database.engine import Database, Transaction

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


async def drop_bodies_of_sent(tx: Transaction, portal_id: str, message_ids: Sequence[str]) -> None:
    """Drop the content of those of the messages in `tx` whose recipients all have it."""
    rows = [(portal_id, message_id) for message_id in message_ids]
    await tx.fetch_each(_DROP_BODY_OF_SENT, rows)


class RemovalStore:
    """Removes what is old enough."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
