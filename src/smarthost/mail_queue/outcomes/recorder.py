"""Writes down what attempts came to, with all that follows: the hold, the counts, who is told.

On SQLite each outcome is a unit of work, which shares a commit with what waits. On PostgreSQL
units of one portal wait for each other, so that outcomes of several connections that end while
one is written are a unit together: one lock, one turn, one flush for all.
"""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Result
from smarthost.mail_queue import schedule
from smarthost.mail_queue.holds import store as holds
from smarthost.mail_queue.holds.model import after_failure, fails_for_all, lifts
from smarthost.mail_queue.jumps import Jumps
from smarthost.mail_queue.model import Ended, Kind
from smarthost.mail_queue.outcomes import store as outcomes
from smarthost.mail_queue.outcomes.model import Recorded, Report
from smarthost.mail_queue.outcomes.store import Ending, InEachRecord, Key
from smarthost.mail_queue.outcomes.together import Together
from smarthost.mail_queue.removal.store import drop_bodies_of_sent
from smarthost.mail_queue.schedule import Circumstances, Patience
from smarthost.mail_queue.statistics.model import sum_of, tally_of
from smarthost.mail_queue.statistics.store import add
from smarthost.mail_queue.turns.store import refresh


class _Told(NamedTuple):
    """A report, and where it leaves the recipients."""

    report: Report
    endings: Sequence[Ending]
    delay: int
    """Microseconds since its sender wanted it sent."""

    def ended(self, kept: Collection[Key]) -> list[Ended]:
        """Return where those recipients stand whose claims were still held."""
        return [
            Ended(
                address=one.attempted.address,
                attempts=one.attempted.attempt,
                state=one.standing.state,
                code=one.attempted.code,
                relayed_untold=one.attempted.relayed_untold,
            )
            for one in self.endings
            if one.key in kept
        ]


class Recorder:
    """Writes reports, those of one portal and kind together where they wait."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        patience: Patience,
        luck: Callable[[], float],
        jumps: Jumps,
        keeps_sent: bool,
        in_each_record: InEachRecord,
    ) -> None:
        """All is as `QueueStore` has it."""
        self._database = database
        self._clock = clock
        self._patience = patience
        self._luck = luck
        self._jumps = jumps
        self._keeps_sent = keeps_sent
        self._in_each_record = in_each_record
        self._together: Together[tuple[str, Kind], Report, Recorded] = Together(self._write)

    async def record(self, report: Report) -> Recorded:
        """Write a report down; return once it is durable."""
        if self._database.in_order:  # there what waits shares a commit anyway
            return (await self._write([report]))[0]
        claim = report.claim
        return await self._together.write((claim.portal_id, claim.kind), report)

    async def _write(self, reports: Sequence[Report]) -> list[Recorded]:
        now, luck = self._clock.now(), self._luck()
        told = [self._told(report, now) for report in reports]

        async def work(tx: Transaction) -> list[Recorded]:
            return await self._write_in(tx, told, now, luck)

        return await self._database.transact(work)

    def _told(self, report: Report, now: int) -> _Told:
        claim = report.claim
        age = self._jumps.age(claim.ages_from)
        endings = []
        for one in report.attempted:
            here = Circumstances(
                now=now,
                age=age,
                luck=self._luck(),
                on_hold=report.verdict.holds,
                crowded=report.verdict.crowded,
            )
            standing = schedule.after(claim, one, self._patience, here)
            endings.append(Ending(claim.message_id, claim.id, one, standing))
        return _Told(report, endings, self._jumps.age(claim.wanted_at))

    async def _write_in(
        self, tx: Transaction, told: Sequence[_Told], now: int, luck: float
    ) -> list[Recorded]:
        portal_id, kind = told[0].report.claim.portal_id, told[0].report.claim.kind
        await tx.lock(portal_id)
        endings = [ending for one in told for ending in one.endings]
        kept, on_hold = await outcomes.end(tx, portal_id, endings, now)
        begun = [one.report.then for one in told if one.report.then is not None]
        if begun:
            await outcomes.begin(tx, portal_id, [(one.message_id, one.id) for one in begun])
        recorded = []
        for one in told:
            lifted = False
            if any(ending.key in kept for ending in one.endings):
                if one.report.verdict.holds:
                    await _hold(tx, one.report, now, luck)
                    on_hold = True
                lifted = on_hold and await _lift(tx, one.report)
            all_kept = all(ending.key in kept for ending in one.endings)
            recorded.append(Recorded(kept=all_kept, lifted=lifted))
        if kind is Kind.MAIL:
            await self._tell(tx, portal_id, told, kept, now)
        sent = [one.report.claim.message_id for one in told if _is_sent(one.report)]
        if sent and not self._keeps_sent:
            await drop_bodies_of_sent(tx, portal_id, sent)
        await refresh(tx, portal_id, kind, sent_at=now if sent else None)
        return recorded

    async def _tell(
        self,
        tx: Transaction,
        portal_id: str,
        told: Sequence[_Told],
        kept: Collection[Key],
        now: int,
    ) -> None:
        """Count what became of mail, and let those know who are to be told."""
        ended = [(one, found) for one in told if (found := one.ended(kept))]
        if not ended:
            return
        await add(tx, portal_id, sum_of(tally_of(found, one.delay) for one, found in ended), now)
        for one, found in ended:
            await self._in_each_record(tx, portal_id, one.report.claim.message_id, found)


def _is_sent(report: Report) -> bool:
    return any(one.result is Result.ACCEPTED for one in report.attempted)


async def _hold(tx: Transaction, report: Report, now: int, luck: float) -> None:
    failed = next(one for one in report.attempted if fails_for_all(one))
    before = await holds.current(tx, report.claim.portal_id)
    await holds.put(tx, after_failure(report.claim, failed, before, now, luck))


async def _lift(tx: Transaction, report: Report) -> bool:
    """End the hold where an attempt proves that it has no reason any more."""
    proof = next((one for one in report.attempted if lifts(one)), None)
    if proof is None or report.claim.kind is Kind.NOTICE:  # which goes another way than the mail
        return False
    return await holds.lift_proven(tx, report.claim.portal_id, proof.revision or 0)
