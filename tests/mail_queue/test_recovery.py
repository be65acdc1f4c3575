"""What a worker finds when it begins, and what it does when the clock is set."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.worker import POLL_SECONDS
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import submit_mail, submit_test
from tests.mail_queue.scripted import until
from tests.mail_queue.workers import delivering, worker_of
from tests.mail_queue.working import Bench, Outage, make_bench, relay_of


@pytest.fixture
def bench(database: Database, clock: HeldClock, tmp_path: Path) -> Bench:
    return make_bench(database, clock, tmp_path)


async def test_a_clock_set_back_keeps_no_mail_waiting(bench: Bench, portal: str) -> None:
    async with bench.working():
        await bench.idle()
        await submit_mail(bench.quiet, portal)
        bench.clock.jump(-10 * 365 * 86_400)
        with capture_logs() as logs:
            bench.clock.advance(POLL_SECONDS)
            await until(bench.are("sent", 1))
    assert "the machine's clock was set" in [entry["event"] for entry in logs]


async def test_a_clock_that_stands_still_keeps_no_mail_waiting(bench: Bench, portal: str) -> None:
    """Half a minute is what the clocks may differ before it is noticed."""
    bench.attempt.script = Outage(bench.clock, 30)
    await submit_mail(bench.quiet, portal)
    with capture_logs():
        async with bench.working():
            await until(bench.asked(1))
            for _ in range(400):
                await bench.idle()
                bench.clock.advance(1)
                bench.clock.jump(-1)
            await until(bench.are("sent", 1))


async def test_mail_that_a_dead_worker_held_is_carried_at_once(
    bench: Bench, database: Database, portal: str, neighbour: str
) -> None:
    dead = QueueStore(database, bench.clock, Ids(bench.clock))
    await submit_mail(bench.quiet, portal)
    await submit_mail(bench.quiet, neighbour, kind=Kind.NOTICE)
    assert await dead.claim(portal, Kind.MAIL, ())
    assert await dead.claim(neighbour, Kind.NOTICE, ())
    async with bench.working():
        await until(bench.are("sent", 2))
    codes = await database.fetch("SELECT code FROM attempts WHERE attempt = 1")
    assert codes == [("interrupted",)] * 2


async def test_a_test_that_a_dead_worker_held_has_failed_when_its_time_is_over(
    bench: Bench, database: Database, messages: MessageStore, portal: str
) -> None:
    dead = QueueStore(database, bench.clock, Ids(bench.clock))
    await submit_test(bench.quiet, portal)
    assert await dead.claim(portal, Kind.TEST, ())
    async with bench.working():
        await bench.idle()
        assert await bench.are("sending", 1)()
        bench.clock.advance(40)
        await until(bench.are("failed", 1))
    assert bench.attempt.asked == []
    last = await messages.last_test(portal)
    assert last is not None
    assert last.attempt is not None
    assert last.attempt.code is Code.INTERRUPTED


async def test_a_store_that_is_away_at_the_start_is_asked_again(
    bench: Bench, database: Database, portal: str
) -> None:
    dead = QueueStore(database, bench.clock, Ids(bench.clock))
    await submit_mail(bench.quiet, portal)
    assert await dead.claim(portal, Kind.MAIL, ())
    bench.database.full = True
    with capture_logs():
        async with bench.working():
            await bench.idle()
            bench.database.full = False
            bench.clock.advance(POLL_SECONDS)
            await until(bench.are("sent", 1))


async def test_what_waits_for_its_relay_is_probed_when_delivery_begins(
    bench: Bench, portal: str
) -> None:
    bench.attempt.script = Outage(bench.clock, 1)
    for _ in range(3):
        await submit_mail(bench.quiet, portal)
    async with bench.working():
        await until(bench.asked(1))
        await bench.quiet_down()
    assert await bench.parts.holds.current(portal) is not None
    bench.clock.advance(1)
    anew = delivering(bench.database, bench.clock, relay_of, bench.attempt)
    worker = worker_of(anew, bench.lock, bench.clock)
    running = asyncio.create_task(worker.run())
    await until(bench.are("sent", 2))
    assert await bench.parts.holds.current(portal) is None
    worker.stop()
    await asyncio.wait_for(running, 10)
