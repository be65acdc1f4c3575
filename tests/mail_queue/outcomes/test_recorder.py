"""Outcomes of one portal that wait for each other are one unit of work, and each is its own."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.ids import Ids
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Claim, Ended, Kind
from smarthost.mail_queue.outcomes.model import Recorded, Verdict
from smarthost.mail_queue.schedule import LEASE_SECONDS
from smarthost.mail_queue.store import QueueStore
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import attempted, submit_mail

STATES = "SELECT state, step FROM recipients ORDER BY message_id"
SENT = "SELECT count(*) FROM attempts WHERE result = 'accepted'"
WRITTEN = "SELECT count(*) FROM attempts"
COUNTED = "SELECT sum(sent_in_1), sum(deferred), sum(failed) FROM mail_counts"
HOLDS = "SELECT count(*) FROM relay_holds"
AWAY: dict[str, Any] = {
    "result": Result.DEFERRED,
    "step": Step.CONNECT,
    "code": Code.CONNECTION_REFUSED,
}


async def claims_of(store: QueueStore, intake: Intake, portal: str, count: int) -> list[Claim]:
    for number in range(count):
        await submit_mail(intake, portal, f"reader{number}@example.org")
    return await store.claim(portal, Kind.MAIL, (), at_most=count)


async def units(database: Database) -> int:
    """Return how many have written attempts; 0 on SQLite, which does not tell."""
    if database.dialect == "sqlite":
        return 0
    ((number,),) = await database.fetch("SELECT count(DISTINCT CAST(xmin AS TEXT)) FROM attempts")
    return int(number)


async def test_outcomes_that_wait_are_written_together(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    claims = await claims_of(store, intake, portal, 9)
    every = [store.record(claim, attempted(claim)) for claim in claims]
    assert await asyncio.gather(*every) == [Recorded(kept=True)] * 9
    assert await database.fetch(STATES) == [("sent", "data")] * 9
    assert await database.fetch(WRITTEN) == [(9,)]
    assert [tuple(map(int, row)) for row in await database.fetch(COUNTED)] == [(9, 0, 0)]
    assert await units(database) in (0, 1)
    assert await store.due_turns(Kind.MAIL, at_most=9) == []


async def test_a_claim_that_is_lost_among_others_writes_nothing(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    claims = await claims_of(store, intake, portal, 4)
    clock.advance(LEASE_SECONDS)
    (again,) = await store.claim(portal, Kind.MAIL, ())
    lost = next(at for at, claim in enumerate(claims) if claim.message_id == again.message_id)
    every = [store.record(claim, attempted(claim)) for claim in claims]
    kept = [one.kept for one in await asyncio.gather(*every)]
    assert kept == [at != lost for at in range(4)]
    assert (await store.record(again, attempted(again))).kept
    assert await database.fetch(SENT) == [(4,)]


async def test_a_hold_of_one_is_lifted_by_the_proof_of_another_behind_it(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    first, failed, worked = await claims_of(store, intake, portal, 3)
    recorded = await asyncio.gather(
        store.record(first, attempted(first, **AWAY), Verdict(holds=True)),
        store.record(failed, attempted(failed, **AWAY), Verdict(holds=True)),
        store.record(worked, attempted(worked)),
    )
    assert [one.lifted for one in recorded] == [False, False, True]
    assert await database.fetch(HOLDS) == [(0,)]
    (turn,) = await store.due_turns(Kind.MAIL, at_most=9)
    assert turn.portal_id == portal, "those that failed need not wait for the relay any more"


async def test_a_proof_before_a_failure_leaves_the_hold(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    first, worked, failed = await claims_of(store, intake, portal, 3)
    recorded = await asyncio.gather(
        store.record(first, attempted(first)),
        store.record(worked, attempted(worked)),
        store.record(failed, attempted(failed, **AWAY), Verdict(holds=True)),
    )
    assert not any(one.lifted for one in recorded)
    assert await database.fetch(HOLDS) == [(1,)]


async def test_what_cannot_be_written_stops_no_other_outcome(
    database: Database, intake: Intake, clock: HeldClock, portal: str
) -> None:
    spoiled: list[str] = []

    async def spoil(
        _tx: Transaction, _portal: str, message_id: str, _ended: Sequence[Ended]
    ) -> None:
        if message_id in spoiled:
            raise ValueError("a fault of ours")

    store = QueueStore(database, clock, Ids(clock), in_each_record=spoil)
    claims = await claims_of(store, intake, portal, 5)
    spoiled.append(claims[2].message_id)
    every = (store.record(claim, attempted(claim)) for claim in claims)
    results = await asyncio.gather(*every, return_exceptions=True)
    assert [isinstance(result, ValueError) for result in results] == [
        claim is claims[2] for claim in claims
    ]
    assert await database.fetch(WRITTEN) == [(4,)]
    assert [tuple(map(int, row)) for row in await database.fetch(COUNTED)] == [(4, 0, 0)]


@pytest.mark.parametrize("count", [1, 4])
async def test_the_next_messages_are_begun_with_outcomes_that_are_written_together(
    store: QueueStore, intake: Intake, database: Database, portal: str, count: int
) -> None:
    claims = await claims_of(store, intake, portal, count * 2)
    pairs = list(zip(claims[:count], claims[count:], strict=True))
    await asyncio.gather(
        *(store.record(claim, attempted(claim), then=then) for claim, then in pairs)
    )
    assert (
        await database.fetch(STATES)
        == [("sent", "data")] * count + [("sending", "resolve")] * count
    )
