"""Workers as processes of their own: killed, stopped in their sleep, and side by side."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smarthost.clock import SystemClock
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Step
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.lock import DeliveryLock
from smarthost.mail_queue.model import Kind, State
from smarthost.mail_queue.store import QueueStore
from tests.engines import ENGINES, migrated_database
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import attempted, submit_mail, submit_test
from tests.mail_queue.process import LOCK, SOURCE
from tests.mail_queue.scripted import until
from tests.processes import start_python

Process = subprocess.Popen[str]
STATES = "SELECT state FROM recipients ORDER BY state"
ATTEMPTS = "SELECT attempt, result, step, code, in_doubt FROM attempts ORDER BY attempt"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(engine, tmp_path) as opened:
        yield opened


@pytest.fixture
def clock() -> HeldClock:
    """The time of the processes at first, and then as the test wants it."""
    return HeldClock(SystemClock().now())


@contextmanager
def worker(
    engine: str, folder: Path, hang: Step | None = None, later: float = 0.0
) -> Iterator[Process]:
    """A worker whose attempts hang at the step `hang`; killed at the end."""
    process = start_python(SOURCE, engine, folder, hang.value if hang else "", later)
    try:
        assert says(process) == "ready"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def says(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def line_of(process: Process) -> str:
    return await asyncio.wait_for(asyncio.to_thread(says, process), 30)


async def test_a_test_whose_worker_is_killed_is_over_and_the_next_one_works(
    engine: str,
    messages: MessageStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
    tmp_path: Path,
) -> None:
    first = await submit_test(intake, portal)
    with worker(engine, tmp_path, Step.DATA) as process:
        assert await line_of(process) == f"{portal} data"
        process.kill()
    last = await messages.last_test(portal)
    assert last is not None
    assert (last.message_id, last.state, last.step) == (first, State.SENDING, Step.DATA)
    assert await submit_test(intake, portal) == first, "it counts as running for 40 seconds"
    clock.advance(41)
    second = await submit_test(intake, portal)
    assert second != first
    with worker(engine, tmp_path, later=60) as process:
        assert await line_of(process) == f"{portal} sent"

        async def both_ended() -> bool:
            return await database.fetch(STATES) == [("failed",), ("sent",)]

        await until(both_ended)
    rows = await database.fetch(
        "SELECT message_id, code, in_doubt FROM attempts ORDER BY in_doubt"
    )
    assert rows == [(second, None, 0), (first, "interrupted", 1)], "the first was not sent again"


async def test_what_a_killed_worker_had_begun_is_told_by_the_next(
    engine: str,
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
    tmp_path: Path,
) -> None:
    await submit_mail(intake, portal)
    with worker(engine, tmp_path, Step.DATA) as process:
        assert await line_of(process) == f"{portal} data"
    clock.advance(60)
    (again,) = await store.claim(portal, Kind.MAIL, ())
    await store.record(again, attempted(again))
    assert await database.fetch(ATTEMPTS) == [
        (1, "deferred", "data", Code.INTERRUPTED.value, 1),
        (2, "accepted", "data", None, 0),
    ]


async def test_when_a_worker_dies_another_process_takes_over(
    engine: str, intake: Intake, database: Database, clock: HeldClock, tmp_path: Path
) -> None:
    first = await make_portal(database, clock, "taken-by-the-first")
    second = await make_portal(database, clock, "taken-by-the-second")
    with worker(engine, tmp_path, Step.CONNECT) as one, worker(engine, tmp_path) as two:
        await submit_test(intake, first)
        # Whichever has the lock says so; the other says nothing for as long as it lives.
        heard = {asyncio.create_task(line_of(process)): process for process in (one, two)}
        (spoke,), (silent,) = await asyncio.wait(heard, return_when=asyncio.FIRST_COMPLETED)
        assert spoke.result().startswith(first)
        heard[spoke].kill()
        await submit_test(intake, second)
        assert (await silent).startswith(second)
        assert not DeliveryLock(tmp_path / LOCK).acquire()


async def test_a_worker_that_slept_beyond_its_lease_changes_nothing(
    engine: str,
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
    tmp_path: Path,
) -> None:
    await submit_mail(intake, portal)
    with worker(engine, tmp_path, Step.RECIPIENT) as process:
        assert await line_of(process) == f"{portal} recipient"
        assert process.stdin is not None

        async def written() -> bool:
            return await database.fetch("SELECT step FROM recipients") == [("recipient",)]

        await until(written)
        process.send_signal(signal.SIGSTOP)
        clock.advance(60)
        (current,) = await store.claim(portal, Kind.MAIL, ())
        process.send_signal(signal.SIGCONT)
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert await line_of(process) == f"{portal} lost"
    assert (await store.record(current, attempted(current))).kept
