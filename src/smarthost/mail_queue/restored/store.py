"""The queue of a back-up: what waited when it was taken may have been sent since, so nothing goes.

Mail is held until a person has decided about it. Tests and the installation's own notices end:
they spoke of that day. A relay's hold goes too, and with it that its administrators may still
have to be told of it; if the relay still takes nothing, the first message that is let go shows it.
"""

from smarthost.database.engine import Transaction
from smarthost.mail_queue.holds import store as holds
from smarthost.mail_queue.leases import store as leases
from smarthost.mail_queue.model import HeldFor, Kind, State
from smarthost.mail_queue.outcomes import store as outcomes
from smarthost.mail_queue.outcomes.store import Ending
from smarthost.mail_queue.schedule import Standing
from smarthost.mail_queue.statistics.store import count
from smarthost.mail_queue.turns.store import BEFORE_ALL, NEVER, refresh

_STANDING = {
    Kind.TEST: Standing(State.FAILED),
    Kind.MAIL: Standing(State.HELD, held_for=HeldFor.RESTORED),
    Kind.NOTICE: Standing(State.CANCELLED),
}
_SETTLE_QUEUED = """
UPDATE recipients SET state = $3, due_at = NULL, held_for = $4, ended_at = $5
WHERE portal_id = $1 AND kind = $2 AND state = 'queued' AND due_at > $6 AND due_at <= $7"""
_LAST_OF_PAGE = """
SELECT due_at FROM recipients WHERE portal_id = $1 AND kind = $2 AND due_at > $3
ORDER BY due_at LIMIT 1 OFFSET 9999"""


async def hold_back(tx: Transaction, portal_id: str, now: int) -> int:
    """Let nothing of a portal's queue go by itself; return how many recipients are held for it."""
    await tx.lock(portal_id)
    held = 0
    for kind, standing in _STANDING.items():
        settled = await _settle(tx, portal_id, kind, now)
        held += settled if standing.state is State.HELD else 0
        await refresh(tx, portal_id, kind)
    await holds.lift(tx, portal_id)
    return held


async def _settle(tx: Transaction, portal_id: str, kind: Kind, now: int) -> int:
    standing = _STANDING[kind]
    settled = 0
    while found := await leases.some(tx, portal_id, kind):
        for lease in found:
            whose = (portal_id, lease.message_id, lease.claim)
            if lease.step is None:  # never begun: it was queued
                await outcomes.give_back(tx, whose, now)
                continue
            attempted = leases.interrupted(lease)
            ending = Ending(lease.message_id, lease.claim, attempted, standing, lease.deaths)
            await outcomes.end(tx, portal_id, [ending], now)
            settled += 1
            if kind is Kind.MAIL:
                await count(tx, portal_id, [leases.ended_as(lease, standing)], now=now)
    held_for = standing.held_for and standing.held_for.value
    ended_at = now if standing.is_final else None
    row = (portal_id, kind.value, standing.state.value, held_for, ended_at)
    # A million at once would take longer than a server lets a statement take.
    begin = BEFORE_ALL.due_at
    while begin < NEVER:
        last = await tx.fetch(_LAST_OF_PAGE, portal_id, kind.value, begin)
        end = last[0][0] if last else NEVER
        settled += await tx.execute(_SETTLE_QUEUED, *row, begin, end)
        begin = end
    return settled
