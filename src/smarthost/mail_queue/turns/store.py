"""The rows of turns: since when a portal has something due, and when a relay last took some of it.

Whoever moves a recipient's due time, or a hold's, or suspends a portal, refreshes the portal's
turn in the same transaction; the worker finds portals by their turns alone, and a suspended one
not at all. A turn tells nothing of any mail. Where several nodes deliver, a portal's mail is left
to one of them at a time: what that one counts of a relay is right, and nobody waits for another.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database, Transaction
from smarthost.mail_queue.model import Kind

_OPEN = """
INSERT INTO queue_turns (portal_id, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING"""
# The least of an index is found at once only where nothing is joined to it and nothing filters it.
_REFRESH = """
UPDATE queue_turns
SET last_sent_at = coalesce($3, last_sent_at), node = coalesce($4, node),
    node_until = coalesce($5, node_until), due_at = CASE
    WHEN EXISTS (SELECT 1 FROM portals WHERE id = $1 AND suspended_at IS NOT NULL) THEN NULL
    ELSE (
        SELECT CASE WHEN h.probe_at > f.due_at THEN h.probe_at ELSE f.due_at END
        FROM (
            SELECT min(due_at) AS due_at FROM recipients
            WHERE portal_id = $1 AND kind = $2 AND due_at IS NOT NULL
        ) f
        LEFT JOIN relay_holds h ON h.portal_id = $1 AND $2 = 'mail'
    )
END
WHERE portal_id = $1 AND kind = $2"""
_DUE = """
SELECT portal_id, due_at FROM queue_turns
WHERE kind = $1 AND due_at <= $2 AND (due_at, portal_id) > ($3, $4)
ORDER BY due_at, portal_id LIMIT $5"""
_DUE_FOR_NODE = """
SELECT portal_id, due_at FROM queue_turns
WHERE kind = $1 AND due_at <= $2 AND (due_at, portal_id) > ($3, $4)
      AND CASE WHEN node = $6 THEN 0 ELSE node_until END <= $2
ORDER BY due_at, portal_id LIMIT $5"""
_KEEP_ON = """
UPDATE queue_turns SET node_until = $3 WHERE portal_id = $1 AND kind = 'mail' AND node = $2"""
_LET_GO = """
UPDATE queue_turns SET node = NULL, node_until = 0
WHERE portal_id = $1 AND kind = 'mail' AND node = $2"""
_KEPT = """
SELECT portal_id FROM queue_turns WHERE node = $1 AND portal_id > $2
ORDER BY portal_id LIMIT $3"""
_ALL = """
SELECT portal_id FROM queue_turns WHERE portal_id > $1 AND kind = $2
ORDER BY portal_id LIMIT $3"""

_PAGE = 1_000
_TOGETHER = 500
"""How many portals a transaction lets go at the most."""

KEPT_SECONDS = 15
"""How long a portal is left to a node that has claimed of its mail, and not again since."""


class Turn(NamedTuple):
    """A portal that has something due, and since when (microseconds since 1970, UTC)."""

    due_at: int
    portal_id: str


BEFORE_ALL = Turn(-(2**63), "")
"""Comes before any turn there is."""

NEVER = 2**63 - 1
"""No turn is due later."""


async def open_turn(tx: Transaction, portal_id: str, kind: Kind) -> None:
    """Bring the portal's turn for messages of `kind` up to date, and make it if need be."""
    if not await refresh(tx, portal_id, kind):
        await tx.execute(_OPEN, portal_id, kind.value)
        await refresh(tx, portal_id, kind)


class Keeping(NamedTuple):
    """That a portal's mail is left to a node for the time to come."""

    node: str
    now: int


async def refresh(
    tx: Transaction,
    portal_id: str,
    kind: Kind,
    *,
    sent_at: int | None = None,
    kept: Keeping | None = None,
) -> bool:
    """Bring the turn up to date with the portal and its recipients, and for mail with its hold.

    `sent_at` is when a relay has just taken one of them. `kept` leaves the portal to a node, None:
    to whom it is left. False if there is no turn yet.
    """
    node, until = None, None
    if kept is not None:
        node, until = kept.node, kept.now + KEPT_SECONDS * MICROSECONDS
    return await tx.execute(_REFRESH, portal_id, kind.value, sent_at, node, until) > 0


async def refresh_all(tx: Transaction, portal_id: str) -> None:
    """Bring all turns of a portal up to date, since it was suspended or resumed."""
    for kind in Kind:
        await refresh(tx, portal_id, kind)


async def due_turns(
    database: Database,
    kind: Kind,
    until: int,
    *,
    after: Turn = BEFORE_ALL,
    at_most: int,
    node: str | None = None,
) -> list[Turn]:
    """Return turns that are due by `until`, the one that waits longest first.

    `after` is the last turn of the page before. For a `node` those are left out whose mail is left
    to another one.
    """
    page = (kind.value, until, after.due_at, after.portal_id, at_most)
    if node is None:
        rows = await database.fetch(_DUE, *page)
    else:
        rows = await database.fetch(_DUE_FOR_NODE, *page, node)
    return [Turn(due_at, portal_id) for portal_id, due_at in rows]


async def keep_on(tx: Transaction, portal_id: str, node: str, now: int) -> None:
    """Leave the portal's mail to `node` for longer, unless that has lost it meanwhile."""
    await tx.execute(_KEEP_ON, portal_id, node, now + KEPT_SECONDS * MICROSECONDS)


async def let_go(tx: Transaction, *, portals: Sequence[str], node: str) -> None:
    """Leave the mail of portals to `node` no more, where it still is.

    That is one statement for each, which waits for nobody's lock of the portal: what it depends on
    stands in the row that it changes.
    """
    await tx.fetch_each(_LET_GO, [(portal_id, node) for portal_id in portals])


async def kept_by(database: Database, node: str) -> AsyncIterator[list[str]]:
    """Give the portals whose mail is left to `node`, or was last, in their order, by the page."""
    last = ""
    while rows := await database.fetch(_KEPT, node, last, _TOGETHER):
        yield [row[0] for row in rows]
        last = rows[-1][0]


async def pages_of_portals(database: Database, kind: Kind) -> AsyncIterator[list[str]]:
    """Give every portal that ever had a message of `kind`, in their order, many at a time.

    None is left out, whatever happens to turns meanwhile.
    """
    last = ""
    while rows := await database.fetch(_ALL, last, kind.value, _PAGE):
        yield [row[0] for row in rows]
        last = rows[-1][0]
        await asyncio.sleep(0)  # reads do not wait, so others would have to
