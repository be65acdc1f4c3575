"""Messages accepted a second, each on the disk before it is answered, over HTTP and by SMTP.

Nobody's relay answers, so that next to nothing is delivered meanwhile. HTTP once with one message
in a request, which is one commit, and once with a hundred. Every message that was answered has to
be in the store at the end, or there are no figures. On the way: memory, and connections.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.engines import Engine
from benchmarks.installation import make_portals, settings_for, write_targets
from benchmarks.nodes_cases import OCTETS, Case, Place, cases_of, median_ratio, turns
from benchmarks.process_tree import cpu_seconds, proportional_memory
from benchmarks.relay_generator import SECONDS, Order, Submitted
from benchmarks.serving import closed_port, free_port, load, service, tell

_BATCH = 100
_CONNECTIONS = 32
_SESSIONS = 20
_IDLE_SECONDS = 2.0


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How fast it was one way. CPU is milliseconds for each message."""

    messages: int
    per_second: float
    cpu: float
    server: float
    log: float
    """Octets of the server's write-ahead log for each message."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """MiB of the service and of the server, what processes share counted once; connections."""

    node: float
    server: float
    connections: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one case did in one round."""

    single: Rate
    batches: Rate
    smtp: Rate
    idle: Held
    loaded: Held


def accepting(
    engines: Sequence[Engine], portals: int, messages: int, rounds: int, seconds: int
) -> None:
    """Measure and print; `messages` are submitted by SMTP, as many as there is time by HTTP."""
    places = [asyncio.run(make_accepting_place(engine, portals)) for engine in engines]
    found: dict[Case, list[Figures]] = {case: [] for case in cases_of(places)}
    for case in turns(list(found), rounds, "Accepting"):
        one = accepted(case, messages, seconds)
        tell(f"  {case.name}: {one.single.per_second:,.0f}/s single, {one.smtp.per_second:,.0f}/s")
        found[case].append(one)
    for place in places:
        answered = sum(
            rate.messages
            for case, figures in found.items()
            for one in figures
            for rate in (one.single, one.batches, one.smtp)
            if case.place is place
        )
        if (kept := place.engine.messages(place.installation)) < answered:
            sys.exit(
                f"{place.engine.name} keeps {kept} of {answered} messages that were accepted."
            )
    _report_rates(found)
    _report_memory(found)


async def make_accepting_place(engine: Engine, portals: int) -> Place:
    """Make an installation whose portals' relay is away."""
    installation = engine.installation("accepting")
    async with installation.open() as parts:
        names = [f"p{number}" for number in range(portals)]
        made = await make_portals(parts, names, settings_for("127.0.0.1", closed_port()))
    write_targets(installation, made)
    return Place(engine, installation, made)


def accepted(case: Case, messages: int, seconds: int) -> Figures:
    """Submit in each way, to a service that starts for it."""
    engine, installation, made = case.place.engine, case.place.installation, case.place.made
    engine.tidy(installation)
    port = free_port()
    listen = {"SMARTHOST_SUBMISSION_LISTEN": f"127.0.0.1:{port}"}
    targets = installation.folder / "targets"
    with service({**installation.environment(), **listen}, case.processes) as (url, process, _):

        def held() -> Held:
            return Held(
                node=proportional_memory(process.pid),
                server=engine.memory(),
                connections=engine.connections(installation),
            )

        def costs(work: Callable[[], tuple[int, float]]) -> Rate:
            before, server, log = cpu_seconds(process.pid), engine.cpu(), engine.log()
            count, per_second = work()
            return Rate(
                messages=count,
                per_second=per_second,
                cpu=(cpu_seconds(process.pid) - before) / count * 1000,
                server=(engine.cpu() - server) / count * 1000,
                log=(engine.log().octets - log.octets) / count,
            )

        time.sleep(_IDLE_SECONDS)
        idle = held()
        single = costs(lambda: _by_http(url, targets, 1, seconds))
        batches = costs(lambda: _by_http(url, targets, _BATCH, seconds))
        loaded = held()
        passwords = [one.token for one in made]
        smtp = costs(lambda: _by_smtp(port, passwords, messages))
    return Figures(single=single, batches=batches, smtp=smtp, idle=idle, loaded=loaded)


def _by_http(url: str, targets: Path, batch: int, seconds: int) -> tuple[int, float]:
    arguments = (str(targets), str(batch), str(OCTETS))
    found = load(url, _CONNECTIONS, seconds, "batches.lua", *arguments)
    if found.failed:
        sys.exit(f"{found.failed} requests failed: these figures mean nothing.")
    return found.requests * batch, found.per_second * batch


def _by_smtp(port: int, passwords: list[str], messages: int) -> tuple[int, float]:
    order = Order(
        port=port,
        user_name="benchmark",
        passwords=passwords,
        sessions=_SESSIONS,
        messages=messages,
        octets=OCTETS,
        first=0,
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.relay_generator"],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        timeout=2 * SECONDS,
        check=True,
    )
    submitted = msgspec.json.decode(done.stdout, type=Submitted)
    return messages, messages / (submitted.last_reply - submitted.first_mail)


def _report_rates(found: dict[Case, list[Figures]]) -> None:
    ways = {"one a request": "single", f"{_BATCH} a request": "batches", "by SMTP": "smtp"}
    print(
        "| accepted | | processes | a second | of SQLite in one | CPU ms each | "
        "server: CPU ms, KiB of log |"
    )
    print("|---|---|---:|---:|---:|---:|---:|")
    for words, name in ways.items():
        rates = {case: [getattr(one, name) for one in figures] for case, figures in found.items()}
        alone = [one.per_second for one in next(iter(rates.values()))]
        for case, several in rates.items():
            rate, cpu, server, log = (
                statistics.median(getattr(one, field) for one in several)
                for field in ("per_second", "cpu", "server", "log")
            )
            ratio = median_ratio((one.per_second for one in several), alone)
            of_server = f"{server:.2f}, {log / 1024:.1f}" if case.place.engine.is_shared else ""
            print(
                f"| {words} | {case.place.engine.name} | {case.processes} | {rate:,.0f} | "
                f"{ratio:.2f} | {cpu:.2f} | {of_server} |"
            )
    print(flush=True)


def _report_memory(found: dict[Case, list[Figures]]) -> None:
    print("| MiB: idle, under load | processes | service | server | connections |")
    print("|---|---:|---:|---:|---:|")
    for case, figures in found.items():
        node, server, connections = (
            ", ".join(
                f"{statistics.median(getattr(getattr(one, at), name) for one in figures):.0f}"
                for at in ("idle", "loaded")
            )
            for name in ("node", "server", "connections")
        )
        shared = case.place.engine.is_shared
        print(
            f"| {case.place.engine.name} | {case.processes} | {node} | "
            f"{server if shared else ''} | {connections if shared else ''} |"
        )
    print(flush=True)
