"""The end of a claim on one recipient: one conditional update, and a row for the attempt.

The update names the claim, so whoever has lost it changes nothing and adds no row. What was
claimed and never begun goes back without a trace, its count of attempts included.
"""

from collections.abc import Awaitable, Callable, Sequence

from smarthost.database.engine import Transaction
from smarthost.mail_queue.model import Attempted, Ended
from smarthost.mail_queue.rows import attempt_row
from smarthost.mail_queue.schedule import Standing

_END = """
UPDATE recipients
SET state = $5, due_at = $6, held_for = $7, ended_at = $8, deaths = $9, step = $10, claim = NULL,
    in_doubt = CASE WHEN $11 = 1 THEN 1 ELSE in_doubt END
WHERE portal_id = $1 AND message_id = $2 AND address = $3 AND claim = $4"""
_INSERT_ATTEMPT = """
INSERT INTO attempts (portal_id, message_id, address, attempt, started_at, microseconds, result,
                      step, code, permanent, in_doubt, reply, revision, relay_host, relay_port,
                      default_relay, relay_address, tls, warnings)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"""
_GIVE_BACK = """
UPDATE recipients
SET state = 'queued', due_at = $4, claim = NULL, step = NULL,
    attempts_count = attempts_count - 1,
    claimed_at = CASE WHEN attempts_count = 1 THEN NULL ELSE claimed_at END
WHERE portal_id = $1 AND message_id = $2 AND claim = $3"""

InEachRecord = Callable[[Transaction, str, str, Sequence[Ended]], Awaitable[None]]
"""Does something more in the transaction that changes where recipients of a mail stand.

It gets the portal, the message, and those recipients.
"""


async def nothing_more(
    _tx: Transaction, _portal_id: str, _message_id: str, _ended: Sequence[Ended]
) -> None:
    """Do nothing more."""


async def end(
    tx: Transaction,
    whose: tuple[str, str, str],
    attempted: Attempted,
    standing: Standing,
    *,
    now: int,
    deaths: int = 0,
) -> bool:
    """Write what an attempt came to; False, and nothing done, if the claim is lost.

    `whose` is the portal, the message, and the claim. An attempt that somebody has told the end
    of says that its worker lives: only for a dead one `deaths` is more than 0.
    """
    portal_id, message_id, claim = whose
    changed = await tx.execute(
        _END,
        portal_id,
        message_id,
        attempted.address,
        claim,
        standing.state.value,
        standing.due_at,
        standing.held_for and standing.held_for.value,
        now if standing.is_final else None,
        deaths,
        attempted.step.value,
        int(attempted.in_doubt),
    )
    if not changed:
        return False
    await tx.execute(_INSERT_ATTEMPT, portal_id, message_id, *attempt_row(attempted))
    return True


async def give_back(tx: Transaction, whose: tuple[str, str, str], due_at: int) -> None:
    """Let a message's recipients go untouched, due at `due_at`."""
    await tx.execute(_GIVE_BACK, *whose, due_at)
