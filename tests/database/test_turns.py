"""What a read sees, on a loop that reads at every turn: never less than what was told before.

Reads of one turn of the event loop share one state. Both loops are tried, since each has its own
order of callbacks and of what arrives from outside.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from smarthost.database.engine import Database
from tests.engines import ENGINES, executing, open_database

INSERT = "INSERT INTO notes (id) VALUES ($1)"
COUNT = "SELECT count(*) FROM notes"
ROUNDS = 100

COMMIT_AND_TELL = """
import asyncio, sys
from pathlib import Path
from tests.engines import executing, open_database

async def main():
    database = open_database(sys.argv[1], Path(sys.argv[2]))
    for line in sys.stdin:
        await database.transact(executing("INSERT INTO notes (id) VALUES ($1)", line))
        print(flush=True)
    await database.close()

asyncio.run(main())
"""

Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Run a coroutine on one of the loops."""

    def _run(main: "asyncio.Future[object]") -> object:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(main)  # type: ignore[arg-type]

    return _run


@asynccontextmanager
async def read_at_every_turn(engine: str, folder: Path) -> AsyncIterator[Database]:
    """An empty table of notes, in a store that is read all the time."""
    database = open_database(engine, folder)
    await database.transact(executing("CREATE TABLE notes (id TEXT)"))

    async def read() -> None:
        while True:
            await database.fetch(COUNT)
            await asyncio.sleep(0)

    readers = [asyncio.ensure_future(read()) for _ in range(3)]
    try:
        yield database
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await database.close()


def test_each_writer_reads_its_own_commits(
    run: Callable[..., object], engine: str, tmp_path: Path
) -> None:
    async def write(database: Database, name: str) -> None:
        for number in range(ROUNDS // 5):
            await database.transact(executing(INSERT, name))
            rows = await database.fetch(f"{COUNT} WHERE id = $1", name)
            assert rows == [(number + 1,)]

    async def main() -> None:
        async with read_at_every_turn(engine, tmp_path) as database:
            await asyncio.gather(*(write(database, f"writer {number}") for number in range(20)))

    run(main())


def test_what_another_process_has_told_is_there(
    run: Callable[..., object], engine: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with read_at_every_turn(engine, tmp_path) as database:
            other = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", COMMIT_AND_TELL, engine, str(tmp_path)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=Path(__file__).parents[2],
            )
            assert other.stdin is not None
            assert other.stdout is not None
            try:
                for number in range(1, ROUNDS + 1):
                    other.stdin.write(b"once more\n")
                    assert await asyncio.wait_for(other.stdout.readline(), 30) == b"\n"
                    assert await database.fetch(COUNT) == [(number,)]
            finally:
                other.stdin.close()
                await asyncio.wait_for(other.wait(), 30)
            assert other.returncode == 0

    run(main())


def test_two_reads_of_one_turn_see_one_state(
    run: Callable[..., object], engine: str, tmp_path: Path
) -> None:
    if engine != "sqlite":
        pytest.skip("each read of its own sees the newest commit")

    async def main() -> None:
        async with read_at_every_turn(engine, tmp_path) as database:
            other = open_database(engine, tmp_path)
            try:
                for number in range(ROUNDS):
                    writing = asyncio.ensure_future(other.transact(executing(INSERT, "x")))
                    while not writing.done():
                        first = await database.fetch(COUNT)
                        assert await database.fetch(COUNT) == first
                        await asyncio.sleep(0)
                    assert await database.fetch(COUNT) == [(number + 1,)]
            finally:
                await other.close()

    run(main())
