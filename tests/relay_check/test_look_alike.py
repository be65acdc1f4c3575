"""Behind a gate that is shut all ports look alike: nobody learns anything of what is there."""

import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from smarthost.config.values import parse_relay_networks
from smarthost.delivery.outcome import Code
from smarthost.portals.model import Portal
from smarthost.smtp_settings.model import SettingsInput
from smarthost.smtp_settings.rules import check
from smarthost.smtp_settings.store import SettingsStore
from tests.delivery.attempts import Told
from tests.relay_check.gates import Gate, Names, gate
from tests.relay_check.samples import likeness
from tests.smtp.destinations import LISTED
from tests.smtp.relays import Peer, relay

pytestmark = pytest.mark.one_engine

SAMPLES = 300
ROUNDS = 5
LEAST_LIKENESS = 0.05

# Each behaviour has an address of its own, of one length, and they all have one port.
REFUSES, DROPS, SILENT, NOT_SMTP, RELAY = (f"127.88.0.{number}" for number in range(1, 6))

Asks = Callable[[Gate, Portal, SettingsInput], Awaitable[object]]


async def _takes(peer: Peer) -> None:
    await peer.greet()
    while await peer.hear() != "QUIT":
        await peer.say("250 2.0.0 Ok")
    await peer.say("221 2.0.0 Bye")


async def _says_nothing(peer: Peer) -> None:
    await peer.is_left()


async def _speaks_http(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


@contextlib.contextmanager
def _full(port: int) -> Iterator[None]:
    """Listen without room for a connection: the kernel answers no further SYN."""
    with (
        socket.create_server((DROPS, port), backlog=0),
        contextlib.ExitStack() as filling,
    ):
        for _ in range(2):
            one = filling.enter_context(socket.socket())
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect((DROPS, port))
        yield


@contextlib.asynccontextmanager
async def everything() -> AsyncIterator[int]:
    """Run one machine of each behaviour; gives their port."""
    async with (
        relay(_takes, host=RELAY) as there,
        relay(_says_nothing, host=SILENT, port=there.port),
        relay(_speaks_http, host=NOT_SMTP, port=there.port),
    ):
        with _full(there.port):
            yield there.port


def _typed(host: str, port: int) -> SettingsInput:
    return SettingsInput(host=host, port=port, sender_address="notify@example.com")


async def _check(way: Gate, portal: Portal, typed: SettingsInput) -> object:
    checked = await way.checked(portal, typed)
    timeless = [msgspec.structs.replace(step, milliseconds=None) for step in checked.steps]
    return msgspec.structs.replace(checked, steps=tuple(timeless))


async def _send(way: Gate, portal: Portal, typed: SettingsInput) -> object:
    told = Told()
    outcome = await way.sent(portal, check(typed, None), fresh=True, told=told)
    return outcome, told.events


async def _measured(
    asks: Asks, way: Gate, portal: Portal, port: int, luck: random.Random
) -> dict[str, list[float]]:
    """Ask about each behaviour in turn, in an order that changes; gives the seconds of each."""
    hosts = [REFUSES, DROPS, SILENT, NOT_SMTP, RELAY]
    seconds: dict[str, list[float]] = {host: [] for host in hosts}
    for _ in range(SAMPLES):
        for host in luck.sample(hosts, len(hosts)):
            typed = _typed(host, port)
            began = time.perf_counter()
            await asks(way, portal, typed)
            seconds[host].append(time.perf_counter() - began)
    return seconds


def _least_likeness(seconds: dict[str, list[float]]) -> float:
    """Return the p-value of the worst of all comparisons, corrected for their number."""
    worst = min(
        likeness(own, [one for other in seconds if other != host for one in seconds[other]])
        for host, own in seconds.items()
    )
    return min(1.0, worst * len(seconds))


@pytest.mark.parametrize("asks", [_check, _send])
async def test_where_the_gate_is_shut_answer_and_time_tell_nothing_of_what_is_there(
    asks: Asks, settings: SettingsStore, portal: Portal, tmp_path: Path
) -> None:
    found = []
    networks, names = parse_relay_networks(LISTED), Names()
    async with everything() as port, gate(networks, names, settings, tmp_path) as way:
        expected = str(await asks(way, portal, _typed(RELAY, port)))
        assert Code.DESTINATION_FORBIDDEN in expected
        for host in (REFUSES, DROPS, SILENT, NOT_SMTP):
            answer = str(await asks(way, portal, _typed(host, port)))
            assert answer.replace(host, RELAY) == expected
        # A difference would show in each round; chance does not come five times in a row.
        for seed in range(ROUNDS):
            seconds = await _measured(asks, way, portal, port, random.Random(seed))
            found.append(_least_likeness(seconds))
            if found[-1] > LEAST_LIKENESS:
                break
    assert names.asked == []
    print("p-value by seed:", dict(enumerate(found)))  # noqa: T201 - shown where it fails
    assert found[-1] > LEAST_LIKENESS, found


async def test_where_the_gate_is_open_what_is_there_is_told(
    settings: SettingsStore, portal: Portal, tmp_path: Path
) -> None:
    codes = {}
    async with everything() as port, gate("any", Names(), settings, tmp_path) as way:
        for host in (REFUSES, NOT_SMTP, RELAY):
            checked = await way.checked(portal, _typed(host, port))
            codes[host] = checked.failure and checked.failure.code
        seconds = await _measured_open(way, portal, port)
    assert codes == {REFUSES: Code.CONNECTION_REFUSED, NOT_SMTP: Code.PROTOCOL_ERROR, RELAY: None}
    assert likeness(*seconds) < LEAST_LIKENESS, "the measure sees a difference where there is one"


async def _measured_open(way: Gate, portal: Portal, port: int) -> list[list[float]]:
    seconds: list[list[float]] = [[], []]
    for _ in range(SAMPLES // 6):
        for host, kept in zip((REFUSES, RELAY), seconds, strict=True):
            began = time.perf_counter()
            await way.checked(portal, _typed(host, port))
            kept.append(time.perf_counter() - began)
    return seconds
