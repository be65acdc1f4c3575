"""Turns at the end point of tokens: one process at a time for a portal, and none for ever."""

import asyncio
import fcntl
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smarthost.app.token_turns import MOST_SECONDS, TokenTurns
from smarthost.clock import SystemClock
from smarthost.delivery.bearer_token import NoToken, NoTokenError
from tests.clocks import FakeClock
from tests.processes import start_python

_TAKE = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.lockf(file, fcntl.LOCK_EX, 1, int(sys.argv[2]))
print("taken", flush=True)
sys.stdin.readline()
"""


@contextmanager
def taken_elsewhere(path: Path, portal_id: str) -> Iterator[None]:
    """Have another process hold the portal's turn."""
    with start_python(_TAKE, path, zlib.crc32(portal_id.encode())) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield
        process.kill()


async def test_a_turn_is_waited_for_until_the_other_process_ends(tmp_path: Path) -> None:
    path, got = tmp_path / "turns", asyncio.Event()
    turns = TokenTurns(path, SystemClock())

    async def take() -> None:
        async with turns.turn("portal-1"):
            got.set()

    with taken_elsewhere(path, "portal-1"):
        async with turns.turn("portal-2"):
            waiting = asyncio.create_task(take())
            await asyncio.sleep(0)
        assert not got.is_set()
    async with asyncio.timeout(10):
        await waiting


async def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    path, clock = tmp_path / "turns", FakeClock()
    turns = TokenTurns(path, clock)

    async def take() -> None:
        async with turns.turn("portal-1"):
            pass

    with taken_elsewhere(path, "portal-1"):
        waiting = asyncio.create_task(take())
        await asyncio.sleep(0)
        clock.advance(MOST_SECONDS + 1)
        with pytest.raises(NoTokenError) as none:
            await asyncio.wait_for(waiting, 10)
    assert none.value.why is NoToken.UNAVAILABLE


async def test_two_of_one_process_take_a_portals_turn_one_after_the_other(tmp_path: Path) -> None:
    turns, inside, most = TokenTurns(tmp_path / "turns", SystemClock()), 0, 0

    async def take() -> None:
        nonlocal inside, most
        async with turns.turn("portal-1"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.timeout(10):
        await asyncio.gather(take(), take(), take())
    assert most == 1


async def test_the_file_is_closed_when_nobody_has_a_turn_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "turns"
    turns = TokenTurns(path, SystemClock())
    source = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | 4, 1, 7)"

    async with turns.turn("portal-1"):
        async with turns.turn("portal-2"):
            pass
        place = zlib.crc32(b"portal-1")
        with start_python(source.replace("7", str(place)), path) as process:
            assert process.wait(10) != 0, "it is still locked"
    with path.open("r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    turns = TokenTurns(tmp_path / "missing" / "turns", SystemClock())
    with pytest.raises(NoTokenError, match="turns cannot be locked: No such file"):
        async with turns.turn("portal-1"):
            pass
