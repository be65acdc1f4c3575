"""The end of claims on recipients: for each one conditional update, and a row for the attempt.

The update names the claim, so whoever has lost it changes nothing and adds no row. What was
claimed and never begun goes back without a trace, its count of attempts included.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

from smarthost.database.engine import Database, Transaction, Value
from smarthost.delivery.outcome import Step
from smarthost.mail_queue.model import Attempted, Ended
from smarthost.mail_queue.rows import attempt_row
from smarthost.mail_queue.schedule import Standing

_END = """
UPDATE recipients
SET state = $5, due_at = $6, held_for = $7, ended_at = $8, deaths = $9, step = $10, claim = NULL,
    in_doubt = CASE WHEN $11 = 1 THEN 1 ELSE in_doubt END
WHERE portal_id = $1 AND message_id = $2 AND address = $3 AND claim = $4
RETURNING message_id, address, CAST($4 AS TEXT),
          (SELECT 1 FROM relay_holds h WHERE h.portal_id = $1)"""
_RECORD_STEP = """
UPDATE recipients SET step = $4 WHERE portal_id = $1 AND message_id = $2 AND claim = $3"""
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

Key = tuple[str, str, str]
"""A message, a recipient, and the claim."""

InEachRecord = Callable[[Transaction, str, str, Sequence[Ended]], Awaitable[None]]
"""Does something more in the transaction that changes where recipients of a mail stand.

It gets the portal, the message, and those recipients.
"""


async def nothing_more(
    _tx: Transaction, _portal_id: str, _message_id: str, _ended: Sequence[Ended]
) -> None:
    """Do nothing more."""


class Ending(NamedTuple):
    """How a claim on one recipient is to end."""

    message_id: str
    claim: str
    attempted: Attempted
    standing: Standing
    deaths: int = 0
    """An attempt that somebody has told the end of says that its worker lives: then it is 0."""

    @property
    def key(self) -> Key:
        """What it is told from others by."""
        return self.message_id, self.attempted.address, self.claim


class Endings(NamedTuple):
    """What came of it."""

    kept: Collection[Key]
    """The keys of those whose claims were still held; of the others nothing is written."""
    on_hold: bool
    """The portal is, unless nothing was kept."""


async def end(tx: Transaction, portal_id: str, endings: Sequence[Ending], now: int) -> Endings:
    """Write what attempts came to, of different recipients of one portal, which is locked."""
    rows = await tx.fetch_each(_END, [_end_row(portal_id, one, now) for one in endings])
    kept = {row[:3] for row in rows}
    if kept:
        attempts = [
            (portal_id, one.message_id, *attempt_row(one.attempted))
            for one in endings
            if one.key in kept
        ]
        await tx.fetch_each(_INSERT_ATTEMPT, attempts)
    return Endings(kept, on_hold=any(row[3] for row in rows))


async def begin(tx: Transaction, portal_id: str, messages: Sequence[tuple[str, str]]) -> None:
    """Write that messages were begun, each with the claim that it is held by."""
    step = Step.RESOLVE.value
    await tx.fetch_each(_RECORD_STEP, [(portal_id, *message, step) for message in messages])


async def record_step(
    database: Database, portal_id: str, message_id: str, claim: str, step: Step
) -> bool:
    """Write down the step that an attempt has reached; False if the claim is lost."""
    return await database.execute(_RECORD_STEP, portal_id, message_id, claim, step.value) > 0


async def give_back(tx: Transaction, whose: tuple[str, str, str], due_at: int) -> None:
    """Let a message's recipients go untouched, due at `due_at`."""
    await tx.execute(_GIVE_BACK, *whose, due_at)


def _end_row(portal_id: str, ending: Ending, now: int) -> tuple[Value, ...]:
    attempted, standing = ending.attempted, ending.standing
    return (
        portal_id,
        *ending.key,
        standing.state.value,
        standing.due_at,
        standing.held_for and standing.held_for.value,
        now if standing.is_final else None,
        ending.deaths,
        attempted.step.value,
        int(attempted.in_doubt),
    )
