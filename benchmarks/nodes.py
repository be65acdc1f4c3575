"""What several processes and the two engines make of the same work: figures for planning.

Run from the repository's root as `python -m benchmarks.nodes`. Parts: durable commits a second,
that all else rests on; messages accepted; messages delivered, for many portals and for one; what
both come to where the server is further away; settings read and saved; claims with few and with a
million queued; and octets on the disk for a message that is kept. Each table compares within the
run, all cases taking turns; absolute figures are this machine's. Prints tables of medians. Needs
wrk and PostgreSQL's programs.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.claiming import claim_costs
from benchmarks.engines import Engine, engines, need_postgresql
from benchmarks.installation import Installation, make_portal, queue_many
from benchmarks.nodes_accepting import accepting
from benchmarks.nodes_cases import OCTETS, RELAYS, Case, median_ratio, turns
from benchmarks.nodes_delivering import delivered, delivering, make_place
from benchmarks.nodes_distance import at_distances
from benchmarks.nodes_settings import saving
from benchmarks.relay import RunningSink, running_sink
from benchmarks.serving import closed_port, need_wrk, tell

_PARTS = ("commits", "accept", "deliver", "distance", "settings", "claim", "disk")
_KEPT_SECONDS = 30 * 24 * 60 * 60


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=int, default=3, help="of each run of load")
    arguments.add_argument("--portals", type=int, default=50)
    arguments.add_argument("--messages", type=int, default=5_000, help="of each run")
    arguments.add_argument("--rows", type=int, nargs=2, default=(1_000, 1_000_000))
    arguments.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS)
    given = arguments.parse_args()
    need_wrk()
    need_postgresql()
    with (
        tempfile.TemporaryDirectory(prefix="smarthost-benchmark-") as folder,
        engines(Path(folder)) as both,
        running_sink(*RELAYS) as sink,
    ):
        if "commits" in given.only:
            _commits(both, given.rounds, given.seconds)
        if "accept" in given.only:
            accepting(both, given.portals, given.messages // 2, given.rounds, given.seconds)
        if "deliver" in given.only:
            delivering(both, sink, given.portals, given.messages, given.rounds)
        if "distance" in given.only:
            at_distances(both[1], sink, given.portals, given.messages, given.rounds, given.seconds)
        if "settings" in given.only:
            saving(both, given.rounds, given.seconds)
        if "claim" in given.only:
            _claiming(both, given.rows, given.rounds)
        if "disk" in given.only:
            _keeping(both, sink, given.portals, given.messages)


def _commits(both: Sequence[Engine], rounds: int, seconds: int) -> None:
    """Rows inserted a second, each in a transaction of its own: what the disk and engine allow."""
    cases = [(engine, at_once) for engine in both for at_once in engine.at_once]
    found: dict[tuple[Engine, int], list[float]] = {case: [] for case in cases}
    for engine, at_once in turns(cases, rounds, "Committing"):
        found[engine, at_once].append(engine.commits(at_once, seconds))
    print("| bare commits | connections | a second | of SQLite |\n|---|---:|---:|---:|")
    alone = next(iter(found.values()))
    for (engine, at_once), rates in found.items():
        rate, ratio = statistics.median(rates), median_ratio(rates, alone)
        print(f"| {engine.name} | {at_once} | {rate:,.0f} | {ratio:.2f} |")
    print(flush=True)


def _claiming(both: Sequence[Engine], sizes: Sequence[int], rounds: int) -> None:
    places: dict[str, Installation] = {}
    for engine in both:
        for size in sizes:
            tell(f"{engine.name}: queueing {size:,} messages …")
            installation = engine.installation(f"claiming{size}")
            asyncio.run(_fill(installation, size))
            engine.tidy(installation)
            places[f"{engine.name} | {size:,}"] = installation
    costs = uvloop.run(claim_costs(places, rounds))
    print("| claims | queued | microseconds for claiming and recording one | of few queued |")
    print("|---|---:|---:|---:|")
    names = list(costs)
    for at, name in enumerate(names):
        few = costs[names[at - at % len(sizes)]]
        cost, ratio = statistics.median(costs[name]), median_ratio(costs[name], few)
        print(f"| {name} | {cost:.0f} | {ratio:.2f} |")
    print(flush=True)


async def _fill(installation: Installation, size: int) -> None:
    async with installation.open() as parts:
        made = await make_portal(parts, "only", "127.0.0.1", closed_port())
        await queue_many(parts, made.portal.id, size)


def _keeping(both: Sequence[Engine], sink: RunningSink, portals: int, messages: int) -> None:
    """Octets of tables and indexes for each message that was delivered and is kept whole."""
    print(f"| octets on the disk, a message of {OCTETS:,} | its record | its content |")
    print("|---|---:|---:|")
    keep = {"SMARTHOST_KEEP_SENT_SECONDS": str(_KEPT_SECONDS)}
    for engine in both:
        place = asyncio.run(make_place(engine, "keeping", sink.port, portals, keep))
        before = engine.disk(place.installation)
        delivered(Case(place, 1), sink, portals, messages, 0)
        engine.tidy(place.installation)
        after = engine.disk(place.installation)
        records = (after.records - before.records) / messages
        contents = (after.contents - before.contents) / messages
        print(f"| {engine.name} | {records:,.0f} | {contents:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
