"""The server's time, counted on by the machine's monotonic clock."""

from pathlib import Path

import pytest

from smarthost.clock import MICROSECONDS, SystemClock
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.server_clock import MEASURE_SECONDS, ServerClock
from smarthost.secret import Secret
from tests.clocks import START
from tests.engines import make_database
from tests.mail_queue.clocks import HeldClock

HOUR = 3600 * MICROSECONDS


def test_before_anybody_was_asked_it_is_the_machines() -> None:
    machine = HeldClock()
    clock = ServerClock(machine)
    assert clock.is_old
    assert clock.now() == START


def test_what_the_server_says_counts_and_a_machine_that_is_set_changes_nothing() -> None:
    machine = HeldClock()
    clock = ServerClock(machine)
    clock.measured(START + HOUR, clock.monotonic())
    machine.jump(-7200)
    assert clock.now() == START + HOUR
    machine.advance(2.5)
    assert clock.now() == START + HOUR + 2_500_000
    assert clock.monotonic() == machine.monotonic()


def test_the_way_there_and_back_is_halved() -> None:
    machine = HeldClock()
    clock = ServerClock(machine)
    asked_at = clock.monotonic()
    machine.advance(0.2)
    clock.measured(START + HOUR, asked_at)
    assert clock.now() == START + HOUR + 100_000


@pytest.mark.parametrize(
    ("way", "said", "moves"), [(0.2, 90_000, 0), (0.2, -90_000, 0), (0.0, 5_000, 5_000)]
)
def test_only_what_cannot_come_from_the_way_moves_the_clock(
    way: float, said: int, moves: int
) -> None:
    machine = HeldClock()
    clock = ServerClock(machine)
    clock.measured(START, clock.monotonic())
    machine.advance(MEASURE_SECONDS)
    assert clock.is_old
    asked_at, before = clock.monotonic(), clock.now()
    machine.advance(way)
    clock.measured(before + round(way / 2 * MICROSECONDS) + said, asked_at)
    assert clock.now() - before - round(way * MICROSECONDS) == moves
    assert not clock.is_old


@pytest.mark.needs("postgres")
async def test_machines_an_hour_apart_agree_once_they_are_connected(tmp_path: Path) -> None:
    url, real = Secret(make_database(tmp_path)), SystemClock()
    machines = [HeldClock(real.now() + HOUR), HeldClock(real.now() - HOUR)]
    nodes = [PostgresqlDatabase(url, clock=machine) for machine in machines]
    for node in nodes:
        await node.fetch("SELECT 1")
        assert abs(node.clock.now() - real.now()) < 10 * MICROSECONDS
        await node.close()


@pytest.mark.needs("postgres")
async def test_the_server_is_asked_again_after_a_while(tmp_path: Path) -> None:
    machine = HeldClock()
    node = PostgresqlDatabase(Secret(make_database(tmp_path)), clock=machine)
    await node.fetch("SELECT 1")
    first = node.clock.now()
    machine.advance(MEASURE_SECONDS + 3600)  # which have not passed for the server
    assert node.clock.now() - first > HOUR
    await node.fetch("SELECT 1")
    assert node.clock.now() - first < 60 * MICROSECONDS
    await node.close()
