"""The rows of recipients of whom a sender is still to be told.

They are written in the transaction of the outcome that they tell of, and go in the one that
brings the notice into the queue: so each is told once, wherever a process ends. A row only names a
recipient; what is to be told stands with that one and its attempts.
"""

from collections.abc import Collection, Sequence

import msgspec

from smarthost.database.engine import Database, Transaction
from smarthost.failure_notices.rules import is_wanted, may_be_told
from smarthost.mail.dsn import Dsn
from smarthost.mail_queue.model import Ended
from smarthost.mail_queue.rows import read_dsn

# RFC 3464, section 2: the null reverse-path is a notice's own, and nobody is told of a notice.
_ASKED = """
SELECT dsn FROM messages
WHERE portal_id = $1 AND id = $2 AND dsn IS NOT NULL AND sender <> ''"""
_INSERT = """
INSERT INTO failure_notices (portal_id, message_id, address) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING"""
_NEXT_PORTAL = """
SELECT portal_id FROM failure_notices WHERE portal_id > $1 ORDER BY portal_id LIMIT 1"""
_NEXT_MESSAGE = """
SELECT message_id FROM failure_notices WHERE portal_id = $1 AND message_id > $2
ORDER BY message_id LIMIT 1"""
_ADDRESSES = """
SELECT address FROM failure_notices WHERE portal_id = $1 AND message_id = $2 ORDER BY address"""
_ORIGINAL = """
SELECT m.dsn, substr(b.content, 1, $3), CASE WHEN m.size <= $3 THEN 1 ELSE 0 END
FROM messages m
LEFT JOIN message_bodies b ON b.portal_id = m.portal_id AND b.message_id = m.id
WHERE m.portal_id = $1 AND m.id = $2 AND m.dsn IS NOT NULL"""
_REMOVE = """
DELETE FROM failure_notices WHERE portal_id = $1 AND message_id = $2 AND address = $3"""


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of a message that a notice is about."""

    dsn: Dsn
    beginning: bytes | None
    """None once the content was dropped."""
    is_whole: bool
    """`beginning` is all of it."""


class FailureNoticeStore:
    """Reads and changes these rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self, tx: Transaction, portal_id: str, message_id: str, ended: Sequence[Ended]
    ) -> None:
        """Write down in `tx` of whom the message's sender is to be told; most often of nobody."""
        found = [one for one in ended if may_be_told(one)]
        if not found:
            return
        for (column,) in await tx.fetch(_ASKED, portal_id, message_id):
            dsn = read_dsn(column)
            for one in found:
                if is_wanted(one.address, one.state, dsn):
                    await tx.execute(_INSERT, portal_id, message_id, one.address)

    async def next_portal(self, after: str) -> str | None:
        """Return the next portal by id with somebody to be told; None: there is none."""
        rows = await self._database.fetch(_NEXT_PORTAL, after)
        return rows[0][0] if rows else None

    async def next_message(self, portal_id: str, after: str) -> str | None:
        """Return the portal's next message by id whose sender is to be told."""
        rows = await self._database.fetch(_NEXT_MESSAGE, portal_id, after)
        return rows[0][0] if rows else None

    async def addresses(self, portal_id: str, message_id: str) -> list[str]:
        """Return the recipients of a message of whom its sender is to be told."""
        return [row[0] for row in await self._database.fetch(_ADDRESSES, portal_id, message_id)]

    async def original(self, portal_id: str, message_id: str, at_most: int) -> Original:
        """Return what is there of a message that came by SMTP, at most so many octets of it."""
        rows = await self._database.fetch(_ORIGINAL, portal_id, message_id, at_most)
        dsn, beginning, is_whole = rows[0]
        return Original(dsn=read_dsn(dsn), beginning=beginning, is_whole=bool(is_whole))

    async def remove(
        self, tx: Transaction, portal_id: str, message_id: str, addresses: Collection[str]
    ) -> bool:
        """Remove rows in `tx`; False if one of them was gone already."""
        removed = [await tx.execute(_REMOVE, portal_id, message_id, one) for one in addresses]
        return all(removed)

    async def forget(self, portal_id: str, message_id: str, addresses: Collection[str]) -> None:
        """Remove rows of which there is nothing to tell any more."""

        async def work(tx: Transaction) -> None:
            await self.remove(tx, portal_id, message_id, addresses)

        await self._database.transact(work)
