"""What the way to PostgreSQL costs: one node, and a server that is further and further away.

Each statement waits for the way there and back, so what counts is how many go one behind the
other. The way is made by a process (`distance`), which takes processor time of its own: all is
compared with the same process that holds nothing up. How long the way is gets measured, too.
"""

import asyncio
import statistics
import time
from contextlib import ExitStack

import asyncpg
import msgspec

from benchmarks.engines import Distant
from benchmarks.nodes_accepting import Figures as Accepted
from benchmarks.nodes_accepting import accepted, make_accepting_place
from benchmarks.nodes_cases import Case, median_ratio, turns
from benchmarks.nodes_delivering import delivered, make_place
from benchmarks.relay import RunningSink
from benchmarks.serving import tell, telling_port

_ONE_WAY_MILLISECONDS = (0.0, 0.25, 0.5, 2.5)
_PROBES = 200


class _Far(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A distance, and the installations whose server is so far away."""

    trip: float
    """Milliseconds there and back, as measured."""
    accepting: Case
    delivering: Case


class _Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Messages a second."""

    single: float
    batches: float
    smtp: float
    many: float
    one: float


def at_distances(
    engine: Distant, sink: RunningSink, portals: int, messages: int, rounds: int, seconds: int
) -> None:
    """Measure and print."""
    with ExitStack() as held:
        places = []
        for milliseconds in _ONE_WAY_MILLISECONDS:
            port = held.enter_context(
                telling_port("distance", str(engine.socket), str(milliseconds))
            )
            places.append(_place(engine.at(port), sink, portals))
        found: dict[_Far, list[_Figures]] = {place: [] for place in places}
        serial = 0
        for place in turns(places, rounds, "At a distance"):
            found[place].append(_measured(place, sink, portals, messages, seconds, serial))
            serial += messages + messages // 5
            tell(f"  {place.trip:.2f} ms: {found[place][-1].many:,.0f}/s delivered")
    _report(found)


def _place(engine: Distant, sink: RunningSink, portals: int) -> _Far:
    accepting = asyncio.run(make_accepting_place(engine, portals))
    assert accepting.installation.url is not None
    return _Far(
        trip=asyncio.run(_trip(accepting.installation.url)) * 1000,
        accepting=Case(accepting, 1),
        delivering=Case(asyncio.run(make_place(engine, "delivering", sink.port, portals)), 1),
    )


async def _trip(url: str) -> float:
    connection = await asyncpg.connect(url)
    try:
        statement = await connection.prepare("SELECT 1")
        seconds = []
        for _ in range(_PROBES):
            began = time.perf_counter()
            await statement.fetchval()
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)
    finally:
        await connection.close()


def _measured(
    place: _Far, sink: RunningSink, portals: int, messages: int, seconds: int, first: int
) -> _Figures:
    taken: Accepted = accepted(place.accepting, messages // 2, seconds)
    many = delivered(place.delivering, sink, portals, messages, first)
    one = delivered(place.delivering, sink, 1, messages // 5, first + messages)
    return _Figures(
        single=taken.single.per_second,
        batches=taken.batches.per_second,
        smtp=taken.smtp.per_second,
        many=many.per_second,
        one=one.per_second,
    )


def _report(found: dict[_Far, list[_Figures]]) -> None:
    print(
        "| to the server and back, ms | accepted, one a request | 100 a request | by SMTP | "
        "delivered | of one portal |"
    )
    print("|---:|---:|---:|---:|---:|---:|")
    near = next(iter(found.values()))
    for place, figures in found.items():
        cells = []
        for name in _Figures.__struct_fields__:
            rates = [getattr(one, name) for one in figures]
            ratio = median_ratio(rates, [getattr(one, name) for one in near])
            cells.append(f"{statistics.median(rates):,.0f} (x{ratio:.2f})")
        print(f"| {place.trip:.2f} | {' | '.join(cells)} |")
    print(flush=True)
