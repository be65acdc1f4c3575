"""Settings read and durably saved a second, on both engines and in several processes.

The load is that of `settings`: each request is for the next one of many portals. On PostgreSQL all
that is audited shares one lock for the time of a commit, and a save is audited.
"""

import asyncio
import statistics
import sys
from collections.abc import Sequence

from benchmarks.engines import Engine
from benchmarks.nodes_cases import Case, Place, cases_of, median_ratio, turns
from benchmarks.serving import load, service
from benchmarks.settings import CONNECTIONS, populate

_PORTALS = 1_000
_KINDS = ("read", "save")


def saving(engines: Sequence[Engine], rounds: int, seconds: int) -> None:
    """Measure and print."""
    places = []
    for engine in engines:
        installation = engine.installation("settings")
        asyncio.run(populate(installation, _PORTALS))
        engine.tidy(installation)
        places.append(Place(engine, installation, ()))
    found: dict[Case, dict[str, list[float]]] = {
        case: {kind: [] for kind in _KINDS} for case in cases_of(places)
    }
    for case in turns(list(found), rounds, "Settings"):
        for kind, rate in _measured(case, seconds).items():
            found[case][kind].append(rate)
    _report(found)


def _measured(case: Case, seconds: int) -> dict[str, float]:
    installation = case.place.installation
    targets = str(installation.folder / "targets")
    rates = {}
    with service(installation.environment(), case.processes) as (url, *_):
        for kind in _KINDS:
            figures = load(url, CONNECTIONS, seconds, "load.lua", targets, kind)
            if figures.failed:
                sys.exit(f"{figures.failed} requests failed: these figures mean nothing.")
            rates[kind] = figures.per_second
    return rates


def _report(found: dict[Case, dict[str, list[float]]]) -> None:
    print("| settings | processes | reads | of SQLite in one | saves | of SQLite in one |")
    print("|---|---:|---:|---:|---:|---:|")
    alone = next(iter(found.values()))
    for case, rates in found.items():
        cells = [
            f"{statistics.median(rates[kind]):,.0f} | {median_ratio(rates[kind], alone[kind]):.2f}"
            for kind in _KINDS
        ]
        print(f"| {case.place.engine.name} | {case.processes} | {' | '.join(cells)} |")
    print(flush=True)
