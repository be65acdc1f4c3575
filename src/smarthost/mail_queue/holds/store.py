"""The rows of holds: at most one a portal, gone as soon as its relay takes mail or is another.

A hold is put and lifted in the transaction of what it follows from, an attempt's outcome or a new
revision of the settings, together with the portal's turn: from whichever process, what was saved
is what is tried next. The default relay is everybody's: one portal tries it for all.
"""

from collections.abc import AsyncIterator

from smarthost.clock import Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.delivery.outcome import Code, Step
from smarthost.mail_queue.holds.model import Hold, probe_wait, shared
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.turns.store import refresh

_HOLD = """
SELECT portal_id, revision, default_relay, relay_host, relay_port, since, step, code, permanent,
       reply, tls, failures, tried_at, probe_at, told_at
FROM relay_holds WHERE portal_id = $1"""
_NEWER_SETTINGS = """
SELECT revision FROM smtp_settings_revisions WHERE portal_id = $1 AND revision > $2 LIMIT 1"""
_PUT = """
INSERT INTO relay_holds (portal_id, revision, default_relay, relay_host, relay_port, since, step,
                         code, permanent, reply, tls, failures, tried_at, probe_at, told_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (portal_id) DO UPDATE
SET revision = excluded.revision, default_relay = excluded.default_relay,
    relay_host = excluded.relay_host, relay_port = excluded.relay_port, since = excluded.since,
    step = excluded.step, code = excluded.code, permanent = excluded.permanent,
    reply = excluded.reply, tls = excluded.tls, failures = excluded.failures,
    tried_at = excluded.tried_at, probe_at = excluded.probe_at, told_at = excluded.told_at"""
_LIFT = "DELETE FROM relay_holds WHERE portal_id = $1"
_LIFT_PROVEN = "DELETE FROM relay_holds WHERE portal_id = $1 AND revision <= $2"
_LIFT_DEFAULT = "DELETE FROM relay_holds WHERE portal_id = $1 AND default_relay = 1"
_PROBE = "UPDATE relay_holds SET tried_at = $2, probe_at = $3 WHERE portal_id = $1"
_PROBE_BY = "UPDATE relay_holds SET probe_at = $2 WHERE portal_id = $1 AND probe_at > $2"
_SHIFT = """
UPDATE relay_holds SET probe_at = probe_at - $2, tried_at = tried_at - $2 WHERE portal_id = $1"""
_MARK_TOLD = "UPDATE relay_holds SET told_at = $2 WHERE portal_id = $1 AND told_at IS NULL"
_PORTALS = "SELECT portal_id FROM relay_holds WHERE portal_id > $1 ORDER BY portal_id LIMIT $2"
_OF_DEFAULT = """
SELECT portal_id FROM relay_holds WHERE default_relay = 1 ORDER BY tried_at DESC LIMIT $1"""
_OTHER_OF_DEFAULT = """
SELECT portal_id FROM relay_holds WHERE default_relay = 1 AND portal_id <> $1
ORDER BY tried_at DESC LIMIT 1"""

_DEFAULT_RELAY = "default relay"
_TOGETHER = 500
"""How many portals a transaction changes at the most."""


async def current(tx: Transaction | Database, portal_id: str) -> Hold | None:
    """Return the portal's hold, None if there is none."""
    rows = await tx.fetch(_HOLD, portal_id)
    return read_hold(rows[0]) if rows else None


async def put(tx: Transaction, hold: Hold) -> bool:
    """Put a portal on hold; False, and nothing done, if other settings are in force by now."""
    if await tx.fetch(_NEWER_SETTINGS, hold.portal_id, hold.revision):
        return False
    await tx.execute(_PUT, *_row(hold))
    await refresh(tx, hold.portal_id, Kind.MAIL)
    return True


async def lift(tx: Transaction, portal_id: str) -> None:
    """End the portal's hold, if there is one, since its settings are others now."""
    if await tx.execute(_LIFT, portal_id):
        await refresh(tx, portal_id, Kind.MAIL)


async def lift_proven(tx: Transaction, portal_id: str, revision: int) -> bool:
    """End the portal's hold, since mail went through with these settings; True if it had one."""
    lifted = await tx.execute(_LIFT_PROVEN, portal_id, revision) > 0
    if lifted:
        await refresh(tx, portal_id, Kind.MAIL)
    return lifted


async def may_probe(tx: Transaction, hold: Hold, now: int, luck: float) -> bool:
    """Tell whether a message may try the relay now; then the next probe is put off.

    So it is where another portal tries the same default relay at this time.
    """
    if hold.probe_at > now:
        return False
    if hold.default_relay:
        # Another portal may be about to try it too.
        await tx.lock(_DEFAULT_RELAY)
    other = await _tried_last(tx, hold.portal_id) if hold.default_relay else None
    if other is not None and other.tried_at > hold.tried_at and other.probe_at > now:
        joined = shared(other, hold.portal_id, hold.revision, hold, now, luck)
        await tx.execute(_PUT, *_row(joined))
        return False
    wait = probe_wait(hold.failures, luck, permanent=hold.permanent)
    await tx.execute(_PROBE, hold.portal_id, now, now + wait)
    return True


async def join_default(
    tx: Transaction, portal_id: str, revision: int, now: int, luck: float
) -> bool:
    """Put a portal on hold that another portal's try of the default relay speaks for.

    False, and nothing done, if nobody's does at this time.
    """
    other = await _tried_last(tx, portal_id)
    if other is None or other.probe_at <= now:
        return False
    return await put(tx, shared(other, portal_id, revision, None, now, luck))


async def is_default_tried(database: Database, portal_id: str, now: int) -> bool:
    """Tell whether `join_default` may find something: the same question, asked at no cost."""
    other = await _tried_last(database, portal_id)
    return other is not None and other.probe_at > now


async def shift(tx: Transaction, portal_id: str, microseconds: int) -> None:
    """Bring a hold's times nearer, since the clock was set back by that much."""
    await tx.execute(_SHIFT, portal_id, microseconds)


async def on_hold(database: Database) -> AsyncIterator[str]:
    """Give the portals on hold, whatever happens to their holds meanwhile."""
    last = ""
    while rows := await database.fetch(_PORTALS, last, _TOGETHER):
        for (portal_id,) in rows:
            yield portal_id
        last = rows[-1][0]


class HoldStore:
    """Reads holds, and changes those that follow from no attempt of the portal's own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def current(self, portal_id: str) -> Hold | None:
        """Return the portal's hold, None if its mail does not wait for its relay."""
        return await current(self._database, portal_id)

    async def mark_told(self, portal_id: str) -> None:
        """Write down that the administrators were written to now."""
        await self._database.execute(_MARK_TOLD, portal_id, self._clock.now())

    async def probe_all(self) -> None:
        """Let every hold be probed now: what was away may be back since the last worker ended."""
        last, now = "", self._clock.now()
        while portals := await self._database.fetch(_PORTALS, last, _TOGETHER):
            last = portals[-1][0]

            async def work(tx: Transaction, page: list[Row] = portals) -> None:
                for (portal_id,) in sorted(page):
                    await tx.lock(portal_id)
                    if await tx.execute(_PROBE_BY, portal_id, now):
                        await refresh(tx, portal_id, Kind.MAIL)

            await self._database.transact(work)

    async def lift_default(self) -> list[str]:
        """End every hold of the default relay, since that takes mail; return whose they were."""
        lifted: list[str] = []
        while portals := await self._database.fetch(_OF_DEFAULT, _TOGETHER):

            async def work(tx: Transaction, page: list[Row] = portals) -> None:
                for (portal_id,) in sorted(page):
                    await tx.lock(portal_id)
                    if await tx.execute(_LIFT_DEFAULT, portal_id):
                        await refresh(tx, portal_id, Kind.MAIL)

            await self._database.transact(work)
            lifted += [row[0] for row in portals]
        return lifted


async def _tried_last(tx: Transaction | Database, but_for: str) -> Hold | None:
    """Return another portal's hold of the default relay, the one that was tried last."""
    rows = await tx.fetch(_OTHER_OF_DEFAULT, but_for)
    return await current(tx, rows[0][0]) if rows else None


def _row(hold: Hold) -> tuple[str | int | None, ...]:
    return (
        hold.portal_id,
        hold.revision,
        int(hold.default_relay),
        hold.relay_host,
        hold.relay_port,
        hold.since,
        hold.step.value,
        hold.code.value,
        int(hold.permanent),
        hold.reply,
        hold.tls,
        hold.failures,
        hold.tried_at,
        hold.probe_at,
        hold.told_at,
    )


def read_hold(row: Row) -> Hold:
    """Make a hold from its columns in the order of `_HOLD`."""
    return Hold(
        portal_id=row[0],
        revision=row[1],
        default_relay=bool(row[2]),
        relay_host=row[3],
        relay_port=row[4],
        since=row[5],
        step=Step(row[6]),
        code=Code(row[7]),
        permanent=bool(row[8]),
        reply=row[9],
        tls=row[10],
        failures=row[11],
        tried_at=row[12],
        probe_at=row[13],
        told_at=row[14],
    )
