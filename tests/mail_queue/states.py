"""Puts recipients where a worker would have brought them, without one."""

from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Code, Step
from smarthost.mail_queue.model import Ended, HeldFor, Kind, State
from smarthost.mail_queue.statistics.store import count
from smarthost.mail_queue.turns import store as turns

_PUT = """
UPDATE recipients
SET state = $4, attempts_count = CAST($5 AS BIGINT),
    claimed_at = CASE WHEN CAST($5 AS BIGINT) > 0 THEN CAST($6 AS BIGINT) END,
    claim = CASE WHEN $4 = 'sending' THEN 'a claim' END,
    due_at = CASE WHEN $4 IN ('queued', 'sending') THEN CAST($7 AS BIGINT) END,
    held_for = CAST($8 AS TEXT), ended_at = $9,
    deaths = CASE WHEN CAST($8 AS TEXT) IS NULL THEN deaths ELSE 3 END
WHERE portal_id = $1 AND message_id = $2 AND address = coalesce($3, address)"""
_ATTEMPT = """
INSERT INTO attempts (portal_id, message_id, address, attempt, started_at, result, in_doubt, step,
                      code, permanent, warnings)
SELECT portal_id, message_id, address, CAST($4 AS BIGINT), CAST($5 AS BIGINT), $6, 0, $7, $8, 0, ''
FROM recipients WHERE portal_id = $1 AND message_id = $2 AND address = coalesce($3, address)"""
ENDED = frozenset({State.SENT, State.FAILED, State.EXPIRED, State.CANCELLED})


async def put(
    database: Database,
    whose: tuple[str, str],
    state: State,
    *,
    at: int,
    address: str | None = None,
    attempts: int = 1,
    code: Code | None = None,
    due_at: int | None = None,
    held_for: HeldFor = HeldFor.IN_DOUBT,
) -> None:
    """Bring recipients of a portal's message to `state`; with a `code` they were tried in vain."""

    async def work(tx: Transaction) -> None:
        key = (*whose, address)
        held = held_for.value if state is State.HELD else None
        ended = at if state in ENDED else None
        due = at if due_at is None else due_at
        assert await tx.execute(_PUT, *key, state.value, attempts, at, due, held, ended)
        if code is not None or state is State.SENT:
            result = "accepted" if code is None else "deferred"
            row = (attempts, at, result, Step.DATA.value, code and code.value)
            tried = await tx.execute(_ATTEMPT, *key, *row)
            ended_as = state if state in ENDED - {State.CANCELLED} else State.QUEUED
            one = Ended(address="", attempts=attempts, state=ended_as, code=code)
            await count(tx, whose[0], [one] * tried, now=at)
        for kind in Kind:
            await turns.refresh(tx, whose[0], kind)

    await database.transact(work)
