"""Nodes that deliver from one PostgreSQL: each message once, whoever is cut off or stopped."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from smarthost.clock import MICROSECONDS
from smarthost.delivery.outcome import Outcome, Report, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.pace import AT_ONCE
from smarthost.mail_queue.schedule import LEASE_SECONDS
from tests.mail_queue import ledger
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import ANNA, submit_mail
from tests.mail_queue.nodes.several import Node, Taking, several
from tests.mail_queue.scripted import Held, until

pytestmark = pytest.mark.needs("postgres")

COUNT = "SELECT count(*) FROM recipients WHERE state = $1"
UNTIL = """
SELECT r.due_at, t.node_until FROM recipients r JOIN queue_turns t ON t.portal_id = r.portal_id"""
DOUBTFUL = "SELECT address FROM recipients WHERE in_doubt = 1"


@pytest.fixture
async def nodes(tmp_path: Path, clock: HeldClock) -> AsyncIterator[list[Node]]:
    async with several(tmp_path, clock, 3) as made:
        yield made


async def count(node: Node, state: str) -> int:
    return int((await node.database.fetch(COUNT, state))[0][0])


async def all_working(stack: AsyncExitStack, nodes: Sequence[Node]) -> None:
    for node in nodes:
        await stack.enter_async_context(node.working())


async def let_pass(
    clock: HeldClock, node: Node, sent: int, at_most_seconds: float, step: float = 0.25
) -> None:
    """Let time pass, fifty steps in a second, until so many recipients are sent."""
    for _ in range(round(at_most_seconds / step)):
        if await count(node, "sent") == sent:
            return
        clock.advance(step)
        await asyncio.sleep(0.02)
    raise AssertionError(f"{await count(node, 'sent')} of {sent} were sent")


async def test_each_message_is_sent_once_and_no_portals_mail_is_worked_by_two(
    nodes: list[Node], clock: HeldClock
) -> None:
    relay = Taking()
    portals = [await make_portal(nodes[0].database, clock, f"p{number}") for number in range(12)]
    for node in nodes:
        node.attempt.script = relay
    for number in range(240):
        await submit_mail(nodes[0].quiet, portals[number % 12], f"r{number}@example.org")
    async with AsyncExitStack() as stack:
        await all_working(stack, nodes)
        # Slowly: nobody is to be so late that he looks gone.
        await let_pass(clock, nodes[0], 240, 20, step=0.02)
    assert len(relay.taken) == 240
    assert set(relay.taken.values()) == {1}
    worked = [{asked.portal_id for asked, _ in node.attempt.asked} for node in nodes]
    assert sum(map(len, worked)) == len(portals)
    await ledger.check(nodes[0].database)
    kept = "SELECT count(*) FROM queue_turns WHERE node IS NOT NULL"
    assert await nodes[0].database.fetch(kept) == [(0,)], "who stops leaves its mail to others"


async def test_what_one_node_has_no_room_for_another_takes(
    nodes: list[Node], clock: HeldClock
) -> None:
    full, free, _ = nodes
    for number in range(AT_ONCE + 6):
        portal = await make_portal(full.database, clock, f"p{number}")
        await submit_mail(full.quiet, portal)
    held = full.attempt.script = Held(Step.RESOLVE)
    async with AsyncExitStack() as stack:
        await all_working(stack, [full])
        await until(lambda: are_asked(full, AT_ONCE))
        await all_working(stack, [free])
        await let_pass(clock, free, 6, 20, step=0.02)
        held.go.set()
        await let_pass(clock, free, AT_ONCE + 6, 20, step=0.02)
    assert len(free.attempt.asked) == 6


async def are_asked(node: Node, attempts: int) -> bool:
    return len(node.attempt.asked) == attempts


async def test_what_a_node_carries_for_long_stays_its_own(
    nodes: list[Node], clock: HeldClock
) -> None:
    one, two, _ = nodes
    portal = await make_portal(one.database, clock, "first")
    held = one.attempt.script = Held(Step.RESOLVE, Step.DATA)

    async def all_sleep() -> bool:
        # Of each node the worker, the renewal, and both halves of the membership; and the watch.
        return clock.sleepers() == 9

    async with AsyncExitStack() as stack:
        await all_working(stack, [one])
        await submit_mail(one.intake, portal)
        await held.reached.wait()
        await all_working(stack, [two])
        for _ in range(2 * LEASE_SECONDS):
            # However busy the machine is: nobody is to be so late that he looks gone.
            await until(all_sleep)
            clock.advance(1)
        await until(all_sleep)
        # Renewed in time, and not only when it had ended and was met.
        ((leased_until, kept_until),) = await one.database.fetch(UNTIL)
        assert leased_until > clock.now() + LEASE_SECONDS * MICROSECONDS // 2
        assert kept_until > clock.now()
        assert await count(one, "sending") == 1
        held.go.set()
        await let_pass(clock, one, 1, 5)
    assert two.attempt.asked == []
    assert await one.database.fetch(DOUBTFUL) == []


async def test_who_stands_still_beyond_the_lease_finds_that_others_have_decided(
    nodes: list[Node], clock: HeldClock
) -> None:
    """As under SIGSTOP: nothing is written or read meanwhile, and then it all goes on."""
    one, two, _ = nodes
    portal = await make_portal(one.database, clock, "first")
    leaving = Held(Step.RESOLVE, Step.DATA)
    waiting = Held(Step.RESOLVE, Step.RECIPIENT)

    async def script(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        chosen = leaving if envelope.recipients == (ANNA,) else waiting
        return await chosen(settings, envelope, report)

    one.attempt.script = script
    async with AsyncExitStack() as stack:
        await all_working(stack, [one])
        await submit_mail(one.intake, portal, ANNA)
        await leaving.reached.wait()
        await submit_mail(one.intake, portal, "boris@example.org")
        await waiting.reached.wait()
        one.database.full = True
        with capture_logs() as logs:
            await all_working(stack, [two])
            await let_pass(clock, two, 2, LEASE_SECONDS + 20, step=0.5)
            one.database.full = False
            leaving.go.set()
            waiting.go.set()
            await until(lambda: ended(one, 2))
            clock.advance(5)
            await asyncio.sleep(0.1)
    events = [entry["event"] for entry in logs]
    assert "outcome came after the lease" in events
    assert "lease ended during an attempt" in events
    assert await one.database.fetch(DOUBTFUL) == [(ANNA,)]
    assert await count(one, "sent") == 2
    await ledger.check(one.database)


async def ended(node: Node, attempts: int) -> bool:
    return node.attempt.ended == attempts


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_nodes_are_cut_off_nothing_is_lost_and_what_came_twice_is_marked(
    nodes: list[Node], clock: HeldClock, seed: int
) -> None:
    relay, chance = Taking(), random.Random(seed)
    portals = [await make_portal(nodes[0].database, clock, f"p{number}") for number in range(4)]
    for node in nodes:
        node.attempt.script = relay
    accepted = 0
    with capture_logs():
        async with AsyncExitStack() as stack:
            await all_working(stack, nodes)
            for _ in range(120):
                for node in nodes:
                    if chance.random() < 0.05:
                        node.database.full = not node.database.full
                node = chance.choice(nodes)
                if not node.database.full:
                    to = f"r{accepted}@example.org"
                    await submit_mail(node.intake, chance.choice(portals), to)
                    accepted += 1
                clock.advance(chance.choice([0.25, 0.5, 2.0]))
                await asyncio.sleep(0.004)
            for node in nodes:
                node.database.full = False
            await let_pass(clock, nodes[0], accepted, 4 * LEASE_SECONDS, step=0.5)
    assert len(relay.taken) == accepted
    twice = {address for address, times in relay.taken.items() if times > 1}
    doubtful = {row[0] for row in await nodes[0].database.fetch(DOUBTFUL)}
    assert twice <= doubtful
    await ledger.check(nodes[0].database)
