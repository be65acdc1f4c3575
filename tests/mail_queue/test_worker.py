import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from smarthost.database.engine import Database
from smarthost.delivery.outcome import Outcome, Report, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.lock import DeliveryLock
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.pace import AT_ONCE
from smarthost.mail_queue.worker import BESIDE_AT_ONCE, LOCK_SECONDS, POLL_SECONDS
from tests.engines import executing
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import BY, submission, submit_mail, submit_test
from tests.mail_queue.scripted import Held, Scripted, accept_all, until
from tests.mail_queue.working import Bench, make_bench

STATES = "SELECT state FROM recipients ORDER BY state"
TESTS_WAITING = "SELECT 1 FROM recipients WHERE kind = 'test' AND state = 'queued'"


@pytest.fixture
def bench(database: Database, clock: HeldClock, tmp_path: Path) -> Bench:
    return make_bench(database, clock, tmp_path)


async def test_what_is_accepted_here_is_carried_at_once(bench: Bench, portal: str) -> None:
    async with bench.working():
        await bench.idle()
        await submit_test(bench.intake, portal)
        await until(bench.are("sent", 1))


async def test_what_was_there_before_the_worker_is_carried(bench: Bench, portal: str) -> None:
    await submit_mail(bench.quiet, portal)
    await submit_mail(bench.quiet, portal)
    async with bench.working():
        await until(bench.are("sent", 2))


async def test_what_another_process_accepts_is_carried_half_a_second_later(
    bench: Bench, portal: str
) -> None:
    async with bench.working():
        await bench.idle()
        await submit_test(bench.quiet, portal)
        bench.clock.advance(POLL_SECONDS)
        await until(bench.are("sent", 1))


async def test_tests_go_first(bench: Bench, portal: str, neighbour: str) -> None:
    waiting: set[int] = set()

    async def look_then_accept(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        waiting.add(len(await bench.database.fetch(TESTS_WAITING)))
        return await accept_all(settings, envelope, report)

    bench.attempt.script = look_then_accept
    for _ in range(3):
        await submit_mail(bench.quiet, portal)
    await submit_test(bench.quiet, neighbour)
    async with bench.working():
        await until(bench.are("sent", 4))
    assert waiting == {0}, "claimed before any of the mail that came earlier"


async def test_a_silent_relay_keeps_no_neighbour_waiting(
    bench: Bench, portal: str, neighbour: str
) -> None:
    held = Held(Step.CONNECT)
    bench.attempt.script = held
    async with bench.working():
        await submit_test(bench.intake, portal)
        await held.reached.wait()
        bench.attempt.script = Scripted().script
        await submit_test(bench.intake, neighbour)
        await until(bench.are("sent", 1))
        assert bench.attempt.ended == 1
        held.go.set()
        await until(bench.are("sent", 2))


@pytest.mark.one_engine
async def test_a_flood_of_mail_leaves_room_for_a_test(
    bench: Bench, database: Database, neighbour: str
) -> None:
    held = Held(Step.CONNECT)
    bench.attempt.script = held
    for number in range(10):
        portal = await make_portal(database, bench.clock, f"p{number}")
        many = [submission(bench.quiet) for _ in range(200)]
        await bench.quiet.submit(portal, many, by=BY, owner=None)
    async with bench.working():
        await until(bench.asked(AT_ONCE))
        await bench.idle()
        assert len(bench.attempt.asked) == AT_ONCE
        bench.attempt.script = Scripted().script
        await submit_test(bench.intake, neighbour)
        await until(bench.are("sent", 1))
        held.go.set()
        await until(bench.are("sent", 2_001))


async def test_a_flood_of_tests_leaves_room_for_mail(
    bench: Bench, database: Database, neighbour: str
) -> None:
    bench.attempt.script = held = Held(Step.CONNECT)
    most = BESIDE_AT_ONCE[Kind.TEST]
    for number in range(most + 3):
        await submit_test(bench.quiet, await make_portal(database, bench.clock, f"p{number}"))
    async with bench.working():
        await until(bench.asked(most))
        bench.attempt.script = Scripted().script
        await submit_mail(bench.intake, neighbour)
        await until(bench.are("sent", 1))
        held.go.set()
        await until(bench.are("sent", most + 4))


async def test_no_message_is_carried_twice(bench: Bench, database: Database) -> None:
    portals = [await make_portal(database, bench.clock, f"p{number}") for number in range(20)]
    async with bench.working():
        for _ in range(5):
            await asyncio.gather(*(submit_mail(bench.intake, portal) for portal in portals))
        await until(bench.are("sent", 100))
    assert len(bench.attempt.asked) == 100


async def test_a_clock_that_jumps_takes_nothing_out_of_the_workers_hands(
    bench: Bench, portal: str
) -> None:
    held = Held(Step.CONNECT)
    bench.attempt.script = held
    async with bench.working():
        await submit_mail(bench.intake, portal)
        await held.reached.wait()
        bench.clock.jump(3600)
        bench.worker.wake()
        await submit_mail(bench.intake, portal)
        await until(bench.are("sending", 2))
        held.go.set()
        await until(bench.are("sent", 2))
    assert len(bench.attempt.asked) == 2


async def test_a_stop_lets_what_runs_come_to_its_end(
    bench: Bench, database: Database, portal: str
) -> None:
    held = Held(Step.CONNECT)
    bench.attempt.script = held
    async with bench.working():
        await submit_mail(bench.intake, portal)
        await held.reached.wait()
        bench.worker.stop()
        await submit_mail(bench.quiet, portal)
        held.go.set()
    assert await database.fetch(STATES) == [("queued",), ("sent",)]


async def test_a_stop_breaks_off_what_takes_too_long(
    bench: Bench, database: Database, portal: str, neighbour: str
) -> None:
    bench.attempt.script = Held(Step.CONNECT)
    async with bench.working():
        await submit_mail(bench.intake, portal)
        await submit_test(bench.intake, neighbour)
        await until(bench.asked(2))
    assert bench.attempt.ended == len(bench.attempt.asked)
    assert await database.fetch(STATES) == [("failed",), ("queued",)]
    codes = await database.fetch("SELECT code, in_doubt FROM attempts")
    assert codes == [("interrupted", 0)] * 2


async def test_a_worker_waits_for_the_lock_and_gives_it_back(
    bench: Bench, portal: str, tmp_path: Path
) -> None:
    other = DeliveryLock(tmp_path / "delivery.lock")
    assert other.acquire()
    await submit_test(bench.quiet, portal)
    async with bench.working():
        await bench.idle()
        assert bench.attempt.asked == []
        other.release()
        bench.clock.advance(LOCK_SECONDS)
        await until(bench.are("sent", 1))
        assert not other.acquire()
    assert other.acquire()
    other.release()


async def test_a_worker_without_the_lock_stops_at_once(bench: Bench, tmp_path: Path) -> None:
    other = DeliveryLock(tmp_path / "delivery.lock")
    assert other.acquire()
    async with bench.working():
        await bench.idle()
    assert not bench.lock.acquire()
    other.release()


async def test_a_worker_that_loses_the_lock_takes_nothing_new(
    bench: Bench, portal: str, tmp_path: Path
) -> None:
    async with bench.working():
        await bench.idle()
        bench.lock.release()
        await submit_test(bench.quiet, portal)
        other = DeliveryLock(tmp_path / "delivery.lock")
        assert other.acquire()
        bench.clock.advance(POLL_SECONDS)
        await bench.idle()
        assert bench.attempt.asked == []
        other.release()
        bench.clock.advance(LOCK_SECONDS)
        await until(bench.are("sent", 1))


async def test_a_worker_goes_on_when_the_store_is_back(bench: Bench, portal: str) -> None:
    await submit_test(bench.quiet, portal)
    bench.database.full = True
    with capture_logs() as logs:
        async with bench.working():
            for _ in range(2):
                await bench.idle()
                assert await bench.are("queued", 1)()
                bench.clock.advance(POLL_SECONDS)
            await bench.idle()
            bench.database.full = False
            bench.clock.advance(POLL_SECONDS)
            await until(bench.are("sent", 1))
    assert [entry["event"] for entry in logs].count("queue not read") == 3


async def test_an_outcome_that_cannot_be_stored_by_our_own_fault_is_told_in_the_log(
    bench: Bench, database: Database, portal: str
) -> None:
    await database.transact(executing("DROP TABLE attempts"))
    with capture_logs() as logs:
        async with bench.working():
            message_id = await submit_test(bench.intake, portal)
            await until(bench.are("sending", 1))
    lost = [entry for entry in logs if entry["event"] == "outcome lost"]
    assert [entry["message_id"] for entry in lost] == [message_id]


async def test_a_worker_that_is_cancelled_leaves_nothing_behind(
    bench: Bench, database: Database, portal: str
) -> None:
    held = Held(Step.CONNECT)
    bench.attempt.script = held
    running = asyncio.create_task(bench.worker.run())
    await submit_mail(bench.intake, portal)
    await held.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await database.fetch(STATES) == [("queued",)]
    assert bench.lock.acquire()
    bench.lock.release()
