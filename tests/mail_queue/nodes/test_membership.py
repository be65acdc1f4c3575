"""Who is there, who is gone, and whose mail that makes whose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from smarthost.database.engine import StoreUnavailableError, Transaction
from smarthost.database.postgresql_connections import AT_ONCE
from smarthost.delivery.outcome import Step
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.nodes.membership import GONE_SECONDS, SAY_SECONDS, SETTLE_SECONDS
from smarthost.mail_queue.nodes.store import NodeStore
from smarthost.mail_queue.turns.store import KEPT_SECONDS
from tests.engines import executing
from tests.mail_queue import ledger
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import attempted, submit_mail
from tests.mail_queue.nodes.several import Node, several
from tests.mail_queue.scripted import until

pytestmark = pytest.mark.needs("postgres")

NAMES = "SELECT name FROM delivering_nodes ORDER BY name"


@pytest.fixture
async def nodes(tmp_path: Path, clock: HeldClock) -> AsyncIterator[list[Node]]:
    async with several(tmp_path, clock, 2) as made:
        yield made


@pytest.fixture
async def portal(nodes: list[Node], clock: HeldClock) -> str:
    return await make_portal(nodes[0].database, clock, "first")


async def pass_time(clock: HeldClock, seconds: float, *present: Node) -> None:
    """Let time pass, in which those say that they are there."""
    for _ in range(round(seconds / SAY_SECONDS)):
        clock.advance(SAY_SECONDS)
        for node in present:
            if not node.database.full:
                await node.member.look()


async def see_to_the_gone(node: Node, clock: HeldClock) -> None:
    """Have a node look twice for those who are gone."""

    async def has_looked() -> bool:
        return clock.sleepers() == 2  # it says that it is there beside that

    watching = asyncio.create_task(node.member.run())
    for _ in range(2):
        await until(has_looked)
        clock.advance(SAY_SECONDS)
    await until(has_looked)
    watching.cancel()


async def test_all_that_said_so_deliver_and_the_one_that_began_first_does_what_one_alone_does(
    nodes: list[Node],
) -> None:
    one, two = nodes
    assert not two.member.is_held
    assert await two.member.take()
    assert two.member.is_first()
    assert await one.member.take()
    await two.member.look()
    assert (one.member.is_first(), two.member.is_first()) == (True, False)
    assert one.member.count() == two.member.count() == 2
    await one.member.give_up()
    await two.member.look()
    assert not one.member.is_held
    assert (two.member.is_first(), two.member.count()) == (True, 1)
    assert await two.database.fetch(NAMES) == [("node 1",)]


async def test_a_node_that_is_silent_is_gone_and_its_mail_is_everybodys(
    nodes: list[Node], clock: HeldClock, portal: str
) -> None:
    one, two = nodes
    for _ in range(3):
        await submit_mail(one.quiet, portal)
    await one.member.take()
    await two.member.take()
    leaving, begun, _ = await one.store.claim(portal, Kind.MAIL, (), at_most=3)
    await one.store.record_step(leaving, Step.DATA)
    await pass_time(clock, GONE_SECONDS - 1, two)
    assert two.member.count() == 2
    assert await two.store.due_turns(Kind.MAIL, at_most=9) == []
    await pass_time(clock, 1, two)
    assert (two.member.is_first(), two.member.count()) == (True, 1)
    assert not one.member.is_held
    with capture_logs() as logs:
        await see_to_the_gone(two, clock)
    assert [(entry["event"], entry["recipients"]) for entry in logs] == [("a node is gone", 2)]
    assert await two.database.fetch(NAMES) == [("node 1",)]
    claims = await two.store.claim(portal, Kind.MAIL, (), at_most=9)
    assert {claim.message_id for claim in claims} == await others(two, leaving.message_id)
    assert not await one.store.record_step(begun, Step.DATA), "so it does not leave"
    assert (await one.store.record(leaving, attempted(leaving))).kept, "it was on its way"
    await ledger.check(two.database)


async def test_of_many_one_takes_the_mail_of_a_node_that_is_gone(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two = nodes
    await NodeStore(one.database, clock).say("node 9")
    for node in nodes:
        await node.member.take()
    await pass_time(clock, GONE_SECONDS, one, two)
    for node, told in ((two, 0), (one, 1)):
        with capture_logs() as logs:
            await see_to_the_gone(node, clock)
        assert len(logs) == told, "so that they do not wait for each other at every portal"
        await pass_time(clock, SAY_SECONDS, one, two)
    assert await one.database.fetch(NAMES) == [("node 0",), ("node 1",)]


async def others(node: Node, message_id: str) -> set[str]:
    rows = await node.database.fetch("SELECT id FROM messages WHERE id <> $1", message_id)
    return {row[0] for row in rows}


async def test_a_node_that_comes_back_is_there_again_and_lets_others_write_first(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two = nodes
    await one.member.take()
    await two.member.take()
    one.database.full = True
    await pass_time(clock, GONE_SECONDS, two)
    assert not one.member.is_held
    with pytest.raises(StoreUnavailableError):
        await one.member.take()
    one.database.full = False
    with capture_logs() as logs:
        assert not await one.member.take()
    assert [entry["event"] for entry in logs] == ["was cut off from the other nodes"]
    await pass_time(clock, SETTLE_SECONDS - 1, one, two)
    assert not await one.member.take()
    await pass_time(clock, 1, one, two)
    assert await one.member.take()
    assert two.member.count() == 2


@asynccontextmanager
async def held_up(by: Node) -> AsyncIterator[None]:
    """Have whatever a node says of itself wait until the end."""
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def hold_up(tx: Transaction) -> None:
        await tx.fetch(f"{NAMES} FOR UPDATE")
        locked.set()
        await go_on.wait()

    holding_up = asyncio.create_task(by.database.transact(hold_up))
    await locked.wait()
    try:
        yield
    finally:
        go_on.set()
        await holding_up


async def test_a_node_that_was_heard_late_lets_others_write_first(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two = nodes
    await one.member.take()
    await two.member.take()
    with capture_logs() as logs:
        async with held_up(two):
            clock.advance(GONE_SECONDS - 1)
            looking = asyncio.create_task(one.member.look())
            await asyncio.sleep(0)  # it has asked, in time
            clock.advance(1)
        await looking
    assert [entry["event"] for entry in logs] == ["was cut off from the other nodes"]
    assert not one.member.is_held
    await pass_time(clock, SETTLE_SECONDS, one)
    assert one.member.is_held


async def test_what_two_looks_side_by_side_have_seen_is_one_cut(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two = nodes
    await one.member.take()
    with capture_logs() as logs:
        async with held_up(two):
            looking = asyncio.create_task(one.member.look())
            await asyncio.sleep(0)  # it has asked
            clock.advance(2 * GONE_SECONDS)
            taking = asyncio.create_task(one.member.take())
            await asyncio.sleep(0)
            clock.advance(1)
        await asyncio.gather(looking, taking)
    assert [entry["event"] for entry in logs] == ["was cut off from the other nodes"]
    await pass_time(clock, SETTLE_SECONDS, one)
    assert one.member.is_held


async def test_a_portal_that_somebody_keeps_locked_makes_nobody_look_gone(
    nodes: list[Node], portal: str
) -> None:
    one, two = nodes
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def hang(tx: Transaction) -> None:
        await tx.lock(portal)
        locked.set()
        await go_on.wait()

    hanging = asyncio.create_task(one.database.transact(hang))
    await locked.wait()
    waiting = [asyncio.create_task(submit_mail(two.quiet, portal)) for _ in range(2 * AT_ONCE)]
    async with asyncio.timeout(4):
        await asyncio.sleep(0.05)  # so that all of its units wait
        assert await two.member.take()
    go_on.set()
    await asyncio.gather(hanging, *waiting)


async def test_a_server_that_was_away_for_all_makes_nobody_look_gone(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two = nodes
    await one.member.take()
    await two.member.take()
    clock.advance(3600)
    await two.member.take()
    assert two.member.count() == 2
    await one.member.take()
    await pass_time(clock, GONE_SECONDS, one, two)
    assert one.member.count() == two.member.count() == 2


async def test_a_clock_that_is_set_makes_nobody_look_gone(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two = nodes
    await one.member.take()
    await two.member.take()
    for seconds in (3600, -7200):
        clock.jump(seconds)
        await one.member.look()
        await two.member.look()
        assert two.member.count() == 2
        assert two.member.is_held


async def test_what_nobody_has_foreseen_does_not_end_that_it_says_it_is_there(
    nodes: list[Node], clock: HeldClock
) -> None:
    one = nodes[0]
    await one.member.take()

    async def is_told() -> bool:
        return any(line["log_level"] == "error" for line in logs)

    async def has_said_so() -> bool:
        rows = await one.database.fetch("SELECT seen_at FROM delivering_nodes")
        return rows == [(clock.now(),)]

    async def sleeps() -> bool:
        return clock.sleepers() == 2

    saying = asyncio.create_task(one.member.run())
    with capture_logs() as logs:
        await until(sleeps)
        await one.database.transact(executing("ALTER TABLE delivering_nodes RENAME TO gone"))
        clock.advance(SAY_SECONDS)
        await until(is_told)
        await until(sleeps)
        await one.database.transact(executing("ALTER TABLE gone RENAME TO delivering_nodes"))
        clock.advance(SAY_SECONDS)
        await until(has_said_so)
    saying.cancel()


async def test_a_portals_mail_is_left_to_one_node_for_as_long_as_it_works_it(
    nodes: list[Node], clock: HeldClock, portal: str
) -> None:
    one, two = nodes
    for _ in range(4):
        await submit_mail(one.quiet, portal)

    async def turns() -> tuple[int, int]:
        found = [await node.store.due_turns(Kind.MAIL, at_most=9) for node in nodes]
        return len(found[0]), len(found[1])

    assert await turns() == (1, 1)
    (claim,) = await one.store.claim(portal, Kind.MAIL, ())
    assert await turns() == (1, 0)
    assert await two.store.claim(portal, Kind.MAIL, ()) == []
    clock.advance(KEPT_SECONDS - 1)
    await one.store.renew(portal, Kind.MAIL, {claim.id})
    clock.advance(KEPT_SECONDS - 1)
    assert await two.store.claim(portal, Kind.MAIL, ()) == []
    clock.advance(1)
    assert await turns() == (1, 1)
    assert len(await two.store.claim(portal, Kind.MAIL, ())) == 1
    await one.store.renew(portal, Kind.MAIL, {claim.id})
    assert await turns() == (0, 1), "what was lost is not kept on"
    await two.leases.leave("node 1")
    assert await turns() == (1, 1)
    await ledger.check(one.database)


async def test_a_lease_that_is_renewed_is_not_ended_by_others(
    nodes: list[Node], clock: HeldClock, portal: str
) -> None:
    one, two = nodes
    await submit_mail(one.quiet, portal)
    (claim,) = await one.store.claim(portal, Kind.MAIL, ())
    await one.store.record_step(claim, Step.DATA)
    for _ in range(3):
        clock.advance(30)
        await one.store.renew(portal, Kind.MAIL, {claim.id})
    assert await two.store.claim(portal, Kind.MAIL, ()) == []
    clock.advance(41)
    (again,) = await two.store.claim(portal, Kind.MAIL, ())
    assert not (await one.store.record(claim, attempted(claim))).kept
    assert (await two.store.record(again, attempted(again))).kept
    marked = "SELECT in_doubt, attempts_count FROM recipients"
    assert await two.database.fetch(marked) == [(1, 2)]
    await ledger.check(one.database)


async def test_who_only_helps_out_joins_nobody_that_delivers(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two = nodes
    two.member.helps_out = True
    await one.member.take()
    assert not await two.member.take()
    assert await two.database.fetch(NAMES) == [("node 0",)]
    clock.advance(GONE_SECONDS)
    assert await two.member.take()
    await one.member.look()
    assert await two.member.take(), "it stays where it is"
