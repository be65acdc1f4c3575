"""Deliveries a second: a backlog of mail to a sink, from the first message there to the last.

The backlog is put into the queue while nothing runs, then the service is started. Every message
is looked for at the sink, octet by octet, and its outcome in the store: a run that lost or doubled
one gives no figures. What the service and the server do behind the last message counts as their
CPU, and not as time.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from benchmarks.engines import Engine
from benchmarks.installation import Installation, make_portals, settings_for, submission, submit
from benchmarks.nodes_cases import OCTETS, RELAYS, Case, Place, cases_of, median_ratio, turns
from benchmarks.process_tree import cpu_seconds
from benchmarks.relay import Load, RunningSink, compare
from benchmarks.relay_generator import message, recipient
from benchmarks.serving import service, tell

_SETTLE_SECONDS = 60.0
_TOGETHER = 50


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one case did in one round. CPU is milliseconds for each message."""

    per_second: float
    cpu: float
    server: float
    log: float
    """Octets of the server's write-ahead log for each message."""
    flushes: float
    """Of that log, for each message."""


class _Line(NamedTuple):
    case: Case
    portals: int


def delivering(
    engines: Sequence[Engine], sink: RunningSink, portals: int, messages: int, rounds: int
) -> None:
    """Measure and print: many portals, then what one portal gets."""
    places = [
        asyncio.run(make_place(engine, "delivering", sink.port, portals)) for engine in engines
    ]
    many = cases_of(places)
    lines = [_Line(case, portals) for case in many]
    # On SQLite there is one node for everybody's mail, however many processes there are.
    lines += [
        _Line(case, 1) for case in many if case.processes == 1 or case.place.engine.is_shared
    ]
    found: dict[_Line, list[Figures]] = {line: [] for line in lines}
    serial = 0
    for line in turns(lines, rounds, "Delivering"):
        of = "one portal" if line.portals == 1 else f"{line.portals} portals"
        count = messages if line.portals > 1 else messages // 5
        one = delivered(line.case, sink, line.portals, count, serial)
        tell(f"  {line.case.name}, {of}: {one.per_second:,.0f}/s, {one.cpu:.2f} ms")
        found[line].append(one)
        serial += count
    _report(found)


async def make_place(
    engine: Engine, name: str, port: int, portals: int, settings: Mapping[str, str] | None = None
) -> Place:
    """Make an installation whose portals' relays are the sink, spread over its addresses.

    `settings` are the service's, besides those that it has anyway.
    """
    installation = engine.installation(name)
    installation = msgspec.structs.replace(installation, settings=settings or {})
    made = []
    async with installation.open() as parts:
        for number, relay in enumerate(RELAYS):
            names = [f"p{one}" for one in range(number, portals, len(RELAYS))]
            made += await make_portals(parts, names, settings_for(relay, port))
    return Place(engine, installation, made)


def delivered(case: Case, sink: RunningSink, portals: int, messages: int, first: int) -> Figures:
    """Queue so many messages of the first portals, deliver them, and account for them."""
    engine, installation, made = case.place.engine, case.place.installation, case.place.made
    asyncio.run(_queue(installation, [one.portal.id for one in made[:portals]], messages, first))
    engine.tidy(installation)
    sink.expect(messages)
    server, log = engine.cpu(), engine.log()
    with service(installation.environment(), case.processes) as (_, process, _started):
        before = cpu_seconds(process.pid)
        sink.wait()
        _settle(engine, installation)
        cpu = cpu_seconds(process.pid) - before
    server, logged = engine.cpu() - server, engine.log()
    arrived = sink.report()
    compare(arrived, Load(messages=messages, octets=OCTETS, sessions=0), first)
    return Figures(
        per_second=messages / (arrived.last - arrived.first),
        cpu=cpu / messages * 1000,
        server=server / messages * 1000,
        log=(logged.octets - log.octets) / messages,
        flushes=(logged.flushes - log.flushes) / messages,
    )


async def _queue(
    installation: Installation, portal_ids: Sequence[str], messages: int, first: int
) -> None:
    async with installation.open() as parts:

        async def queue_of(number: int, portal_id: str) -> None:
            serials = range(first + number, first + messages, len(portal_ids))
            submissions = [
                submission(parts.ids.new(), recipient(serial), message(serial, OCTETS))
                for serial in serials
            ]
            for at in range(0, len(submissions), _TOGETHER):
                await submit(parts, portal_id, submissions[at : at + _TOGETHER])

        await asyncio.gather(*(queue_of(*one) for one in enumerate(portal_ids)))


def _settle(engine: Engine, installation: Installation) -> None:
    """Wait until the service has written down that everything is sent."""
    until = time.monotonic() + _SETTLE_SECONDS
    while waiting := engine.not_sent(installation):
        if time.monotonic() > until:
            sys.exit(f"{engine.name} says that {waiting} messages are not sent.")
        time.sleep(0.05)


def _report(found: dict[_Line, list[Figures]]) -> None:
    print(
        "| deliveries | processes | portals | a second | of SQLite in one | CPU ms each | "
        "server: CPU ms, KiB of log, flushes each |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    alone = [one.per_second for one in next(iter(found.values()))]
    for line, figures in found.items():
        rate, cpu, server, log, flushes = (
            statistics.median(getattr(one, name) for one in figures)
            for name in Figures.__struct_fields__
        )
        ratio = median_ratio((one.per_second for one in figures), alone)
        engine = line.case.place.engine
        of_server = f"{server:.2f}, {log / 1024:.1f}, {flushes:.2f}" if engine.is_shared else ""
        print(
            f"| {engine.name} | {line.case.processes} | {line.portals} | {rate:,.0f} | "
            f"{ratio:.2f} | {cpu:.2f} | {of_server} |"
        )
    print(flush=True)
