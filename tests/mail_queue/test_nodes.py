"""Two nodes on one PostgreSQL do what they do at the same time, and the ledger closes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.model import Idempotency, NotPossibleError
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.schedule import LEASE_SECONDS
from smarthost.mail_queue.store import QueueStore
from tests.engines import migrated_database, open_database
from tests.mail_queue import ledger
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import ANNA, BORIS, BY, attempted, submission, submit_mail
from tests.mail_queue.scripted import until

pytestmark = pytest.mark.needs("postgres")

ROUNDS = 40
LEAVES = """
UPDATE recipients SET step = 'data' WHERE portal_id = $1 AND message_id = $2 AND claim = $3"""
STANDING = "SELECT state, in_doubt FROM recipients ORDER BY message_id"
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"


class Node:
    """What one process has of the queue."""

    def __init__(self, database: Database, clock: HeldClock) -> None:
        ids = Ids(clock)
        self.database = database
        self.intake = Intake(database, ArrivalStore(database, clock), ids, lambda: None)
        self.store = QueueStore(database, clock, ids, luck=lambda: 0.5)
        self.people = MessageStore(database, AuditLog(clock, ids), clock)

    async def deliver(self, portal: str) -> None:
        """Take what is due and have it sent."""
        for claim in await self.store.claim(portal, Kind.MAIL, (), at_most=4):
            await self.store.record(claim, attempted(claim))

    async def cancel(self, portal: str, message_id: str) -> None:
        with contextlib.suppress(NotPossibleError):
            await self.people.cancel(portal, message_id, by=BY)


async def is_waiting(database: Database) -> bool:
    """Whether somebody waits for a row that another one has changed."""
    return bool(await database.fetch(WAITING))


@pytest.fixture
async def nodes(tmp_path: Path, clock: HeldClock) -> AsyncIterator[list[Node]]:
    async with migrated_database("postgresql", tmp_path) as one:
        two = open_database("postgresql", tmp_path)
        yield [Node(one, clock), Node(two, clock)]
        await two.close()


async def test_what_comes_and_goes_at_the_same_time_leaves_the_turn_right(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two = nodes
    portal = await make_portal(one.database, clock, "busy")
    for number in range(ROUNDS):
        ids = await asyncio.gather(
            submit_mail(nodes[number % 2].intake, portal, ANNA, BORIS),
            submit_mail(nodes[1 - number % 2].intake, portal),
            one.deliver(portal),
            two.deliver(portal),
        )
        await asyncio.gather(two.cancel(portal, ids[0]), one.deliver(portal), two.deliver(portal))
        await ledger.check(one.database)
    counted = "SELECT count(*) FROM recipients WHERE state IN ('queued', 'sent', 'cancelled')"
    assert await one.database.fetch(counted) == [(3 * ROUNDS,)]


async def test_whoever_comes_first_is_in_the_turn_however_many_come_at_once(
    nodes: list[Node], clock: HeldClock
) -> None:
    portal = await make_portal(nodes[0].database, clock, "scheduled")
    for number in range(ROUNDS // 2, 0, -1):
        moments = [clock.now() + (4 * number + place) * 1_000_000 for place in range(4)]
        await asyncio.gather(
            *(
                submit_mail(nodes[place % 2].intake, portal, scheduled_at=at)
                for place, at in enumerate(moments)
            )
        )
        await ledger.check(nodes[0].database)


async def test_one_key_on_two_nodes_is_one_message(nodes: list[Node], clock: HeldClock) -> None:
    portal = await make_portal(nodes[0].database, clock, "first")

    async def submit(number: int) -> bytes | None:
        node = nodes[number % 2]
        asked = Idempotency(key="k", digest=b"d", answer=b"%d" % number)
        one = submission(node.intake, ANNA)
        return await node.intake.submit(portal, [one], by=BY, owner="key:1", idempotency=asked)

    answers = await asyncio.gather(*(submit(number) for number in range(100)))
    assert answers.count(None) == 1
    assert set(answers) - {None} == {b"%d" % answers.index(None)}
    assert await nodes[0].database.fetch("SELECT count(*) FROM messages") == [(1,)]


async def test_of_two_nodes_one_takes_a_message(nodes: list[Node], clock: HeldClock) -> None:
    one, _ = nodes
    portal = await make_portal(one.database, clock, "first")
    for _ in range(ROUNDS):
        await submit_mail(one.intake, portal)
    taken = await asyncio.gather(
        *(node.store.claim(portal, Kind.MAIL, (), at_most=3) for node in nodes * ROUNDS)
    )
    messages = [claim.message_id for claims in taken for claim in claims]
    assert len(messages) == len(set(messages)) == ROUNDS


async def test_a_message_that_leaves_while_its_lease_is_ended_is_doubtful(
    nodes: list[Node], clock: HeldClock
) -> None:
    late, other = nodes
    portal = await make_portal(late.database, clock, "first")
    await submit_mail(late.intake, portal)
    clock.advance(1)  # ids and turns follow the time
    await submit_mail(late.intake, portal, at_most_once=True)
    claims = await late.store.claim(portal, Kind.MAIL, (), at_most=2)
    clock.advance(LEASE_SECONDS)
    written, commit = asyncio.Event(), asyncio.Event()

    async def leave(tx: Transaction) -> None:
        for claim in claims:
            assert await tx.execute(LEAVES, portal, claim.message_id, claim.id)
        written.set()
        await commit.wait()

    leaving = asyncio.create_task(late.database.transact(leave))
    await written.wait()
    taking = asyncio.create_task(other.store.claim(portal, Kind.MAIL, (), at_most=2))
    await until(partial(is_waiting, late.database))
    commit.set()
    await leaving
    (again,) = await taking
    assert again.message_id == claims[0].message_id
    assert await late.database.fetch(STANDING) == [("sending", 1), ("held", 1)]
