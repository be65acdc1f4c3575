"""What a service manager is told: that the service serves, that its loop turns, that it stops."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from smarthost.app.service_manager import ServiceManager, manager_of
from tests.clocks import FakeClock

URL = "http://127.0.0.1:8025"
READY = f"READY=1\nSTATUS=Serving at {URL}"
STOPPING = "STOPPING=1\nSTATUS=Stopping"
PATIENCE = 10.0


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.setblocking(False)
        yield manager


async def told(manager: socket.socket) -> str:
    heard = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(manager, 4096), PATIENCE)
    return heard.decode()


async def test_it_is_told_of_the_start_and_of_the_stop(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    stopped = asyncio.Event()
    with listening(path) as manager:
        async with ServiceManager(address=path).following(URL, stopped, FakeClock()):
            assert await told(manager) == READY
            stopped.set()
            assert await told(manager) == STOPPING


async def test_a_name_in_the_abstract_space_is_reached(tmp_path: Path) -> None:
    name = str(tmp_path)  # unique; nothing is made there
    with listening(f"\0{name}") as manager:
        async with ServiceManager(address=f"@{name}").following(URL, asyncio.Event(), FakeClock()):
            assert await told(manager) == READY


async def test_a_watchdog_has_a_sign_of_life_in_half_its_time(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    clock = FakeClock()
    with listening(path) as manager:
        watched = ServiceManager(address=path, watchdog_seconds=60.0)
        async with watched.following(URL, asyncio.Event(), clock):
            heard = [await told(manager) for _ in range(4)]
    assert heard == [READY, *["WATCHDOG=1"] * 3]
    # Sent at 0, 30 and 60 seconds; whoever sleeps takes this clock along, perhaps further.
    assert clock.monotonic() % 30 == 0
    assert clock.monotonic() >= 60


async def test_without_a_watchdog_no_sign_of_life_is_sent(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    stopped = asyncio.Event()
    with listening(path) as manager:
        async with ServiceManager(address=path).following(URL, stopped, FakeClock()):
            for _ in range(100):
                await asyncio.sleep(0)
            stopped.set()
            assert [await told(manager), await told(manager)] == [READY, STOPPING]


@pytest.mark.parametrize("address", [None, "/nowhere/at/all"])
async def test_the_service_runs_on_without_a_manager_that_listens(address: str | None) -> None:
    done = False
    async with ServiceManager(address=address).following(URL, asyncio.Event(), FakeClock()):
        done = True
    assert done


@pytest.mark.parametrize(
    ("environ", "manager"),
    [
        ({}, ServiceManager()),
        ({"NOTIFY_SOCKET": ""}, ServiceManager()),
        ({"NOTIFY_SOCKET": "/run/n"}, ServiceManager(address="/run/n")),
        (
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "7"},
            ServiceManager(address="@n", watchdog_seconds=1.5),
        ),
        (
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000"},
            ServiceManager(address="@n", watchdog_seconds=3.0),
        ),
        (
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"},
            ServiceManager(address="@n"),
        ),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "0"}, ServiceManager(address="@n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "soon"}, ServiceManager(address="@n")),
    ],
)
def test_the_manager_is_the_one_that_the_environment_names(
    environ: dict[str, str], manager: ServiceManager
) -> None:
    assert manager_of(environ, 7) == manager
