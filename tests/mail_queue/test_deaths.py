"""A worker dies at each point of its work: nothing is lost, and little is sent twice."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from smarthost.clock import SystemClock
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Step
from smarthost.mail_queue.intake import Intake
from tests.engines import ENGINES, migrated_database
from tests.mail_queue import ledger
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import BY, envelope, submission
from tests.mail_queue.mortal import ACCEPTED, SOURCE, TAKEN
from tests.mail_queue.scripted import until
from tests.processes import start_python

# A death a process takes a second: on the other engine one moment for each point is enough.
SQLITE_ALONE = partial(pytest.param, marks=pytest.mark.one_engine)

EACH = 12
"""Messages of a portal: more than are claimed together."""

ALL_SENT = "SELECT count(*) FROM recipients WHERE state <> 'sent'"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(engine, tmp_path) as opened:
        yield opened


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(SystemClock().now())


@contextmanager
def worker(
    engine: str, folder: Path, point: str = "", number: int = 0
) -> Iterator["subprocess.Popen[str]"]:
    process = start_python(SOURCE, engine, folder, point, number)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def taken(folder: Path) -> Counter[str]:
    """How often the relays have taken each message."""
    return Counter((folder / TAKEN).read_text().splitlines())


@pytest.mark.parametrize("number", [SQLITE_ALONE(1), 8, SQLITE_ALONE(20)])
@pytest.mark.parametrize("point", [Step.RESOLVE, Step.RECIPIENT, Step.DATA, ACCEPTED])
async def test_nothing_is_lost_and_one_message_a_connection_is_sent_twice_at_most(
    engine: str,
    database: Database,
    intake: Intake,
    clock: HeldClock,
    tmp_path: Path,
    point: str,
    number: int,
) -> None:
    portals = [await make_portal(database, clock, f"p{index}") for index in range(3)]
    for portal in portals:
        many = [
            submission(intake, envelope=envelope(content=f"{index}".encode()))
            for index in range(EACH)
        ]
        await intake.submit(portal, many, by=BY, owner=None)
    with worker(engine, tmp_path, str(point), number) as process:
        assert await asyncio.to_thread(process.wait, 30) < 0
    await ledger.check(database)
    with worker(engine, tmp_path):

        async def all_are_sent() -> bool:
            return await database.fetch(ALL_SENT) == [(0,)]

        await until(all_are_sent)
    await ledger.check(database)
    counts = taken(tmp_path)
    assert set(counts) == {f"{portal} {index}" for portal in portals for index in range(EACH)}
    for portal in portals:
        twice = [line for line, count in counts.items() if count > 1 and line.startswith(portal)]
        assert len(twice) <= 1
        assert all(counts[line] == 2 for line in twice)
    doubted = await database.fetch("SELECT count(*) FROM recipients WHERE in_doubt = 1")
    assert doubted[0][0] >= sum(count > 1 for count in counts.values()), "what is doubtful says so"


async def test_many_deaths_in_a_row_lose_nothing(
    engine: str, database: Database, intake: Intake, clock: HeldClock, tmp_path: Path
) -> None:
    portal = await make_portal(database, clock, "p")
    many = [
        submission(intake, envelope=envelope(content=f"{index}".encode())) for index in range(EACH)
    ]
    await intake.submit(portal, many, by=BY, owner=None)
    for number in range(1, 6):
        with worker(engine, tmp_path, ACCEPTED, 2) as process:
            assert await asyncio.to_thread(process.wait, 30) < 0
        await ledger.check(database)
        assert sum(taken(tmp_path).values()) == 2 * number
    with worker(engine, tmp_path):

        async def all_are_sent() -> bool:
            return await database.fetch(ALL_SENT) == [(0,)]

        await until(all_are_sent)
    counts = taken(tmp_path)
    assert set(counts) == {f"{portal} {index}" for index in range(EACH)}
    assert sum(count - 1 for count in counts.values()) <= 5


async def test_a_message_that_kills_its_worker_is_held_and_the_others_are_sent(
    engine: str, database: Database, intake: Intake, clock: HeldClock, tmp_path: Path
) -> None:
    portal = await make_portal(database, clock, "p")
    many = [submission(intake, envelope=envelope(content=b"x")) for _ in range(3)]
    await intake.submit(portal, many, by=BY, owner=None)
    for _ in range(3):
        with worker(engine, tmp_path, Step.CONNECT.value, 1) as process:
            assert await asyncio.to_thread(process.wait, 30) < 0
    with worker(engine, tmp_path):

        async def all_but_one() -> bool:
            return await database.fetch(ALL_SENT) == [(1,)]

        await until(all_but_one)
    rows = await database.fetch("SELECT held_for, deaths FROM recipients WHERE state = 'held'")
    assert rows == [("worker_deaths", 3)]
    await ledger.check(database)
