"""What a look at all portals costs with 20,000 of them beside 20, on both engines.

Run from the repository's root as `python -m benchmarks.portals`. The looks are those of `queue`
and `doctor`, the sweep of old mail, the counts for `/metrics`, and what an idle node asks each
second. Of the portals one has mail, or all have. Few and many take turns within each round; the
figures are medians of rounds, the ratios those within a round. Needs PostgreSQL's programs.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop

from benchmarks.engines import Engine, engines, need_postgresql
from benchmarks.installation import (
    LINE,
    SENDER,
    Installation,
    make_portal,
    submission,
    submit,
)
from benchmarks.many_portals import more_alike, more_portals
from benchmarks.nodes_cases import median_ratio, turns
from benchmarks.serving import closed_port, tell
from smarthost.app.doctor import check_restored_mail
from smarthost.app.parts import Parts
from smarthost.cli.queue_value import queue_value
from smarthost.clock import MICROSECONDS
from smarthost.mail_queue.census.store import CensusStore
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.retention import Keep, Retention
from smarthost.relay_health.store import NoticeStore
from smarthost.smtp_settings.overview.store import in_force

_DAY = 24 * 60 * 60
_KEEP = Keep(sent=0, failed=7 * _DAY)
_MOST = 100


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--portals", type=int, nargs=2, default=(20, 20_000))
    given = arguments.parse_args()
    need_postgresql()
    with (
        tempfile.TemporaryDirectory(prefix="smarthost-benchmark-") as folder,
        engines(Path(folder)) as both,
    ):
        uvloop.run(_measure(both, given.portals, given.rounds))


class _Place(NamedTuple):
    """An installation with so many portals."""

    engine: Engine
    portals: int
    all_have_mail: bool

    @property
    def whose(self) -> str:
        """Which of the portals have mail."""
        return "all" if self.all_have_mail else "one"


async def _measure(both: Sequence[Engine], sizes: Sequence[int], rounds: int) -> None:
    print("| look | engine | with mail | ms, of few portals | ms, of many | many : few |")
    print("|---|---|---|---:|---:|---:|")
    for engine in both:
        for all_have_mail in (False, True):
            places = [_Place(engine, size, all_have_mail) for size in sizes]
            await _compare(places, rounds)


async def _compare(places: Sequence[_Place], rounds: int) -> None:
    async with AsyncExitStack() as stack:
        opened: dict[_Place, Parts] = {}
        for place in places:
            tell(f"{place.engine.name}: making {place.portals:,} portals …")
            installation = place.engine.installation(f"portals{place.portals}{place.whose}")
            await _fill(installation, place)
            # On a loop of its own, which cannot be begun on this one's thread.
            await asyncio.to_thread(place.engine.tidy, installation)
            opened[place] = await stack.enter_async_context(installation.open())
        for name, look in _LOOKS.items():
            took: dict[_Place, list[float]] = {place: [] for place in places}
            for place in turns(places, rounds + 1, f"{places[0].engine.name}, {name}"):
                began = time.perf_counter()
                await look(opened[place])
                took[place].append((time.perf_counter() - began) * 1_000)
            # The first round reads pages that no later one has to.
            few, many = (figures[1:] for figures in took.values())
            print(
                f"| {name} | {places[0].engine.name} | {places[0].whose} | "
                f"{statistics.median(few):.1f} | {statistics.median(many):.1f} | "
                f"{median_ratio(many, few):.1f} |",
                flush=True,
            )


async def _fill(installation: Installation, place: _Place) -> None:
    async with installation.open() as parts:
        made = await make_portal(parts, "one", "127.0.0.1", closed_port())
        # Due tomorrow, so that nobody delivers it.
        tomorrow = parts.clock.now() + _DAY * MICROSECONDS
        message = submission(parts.ids.new(), "reader@example.org", b"From: %s\r\n\r\n%s" % (
            SENDER.encode(), LINE))  # fmt: skip
        message = msgspec.structs.replace(message, scheduled_at=tomorrow)
        await submit(parts, made.portal.id, [message])
        await more_portals(parts.database, made.portal.id, place.portals - 1)
        if place.all_have_mail:
            await more_alike(parts.database, made.portal.id)


async def _queue(parts: Parts) -> None:
    await queue_value(parts)


async def _doctor(parts: Parts) -> None:
    await check_restored_mail(parts.database)
    async for _ in in_force(parts.database):
        pass


async def _sweep(parts: Parts) -> None:
    await Retention(parts.database, _KEEP, parts.clock, lambda: True).sweep()


async def _census(parts: Parts) -> None:
    await CensusStore(parts.database, parts.clock).take()


async def _idle(parts: Parts) -> None:
    for kind in Kind:
        await parts.delivery.queue.due_turns(kind, at_most=_MOST)
    notices, now = NoticeStore(parts.database, parts.clock), parts.clock.now()
    await notices.to_tell(since=now, told_by=now, after="", at_most=_MOST)


_LOOKS: Mapping[str, Callable[[Parts], Awaitable[None]]] = {
    "queue": _queue,
    "doctor": _doctor,
    "sweep": _sweep,
    "metrics": _census,
    "idle": _idle,
}


if __name__ == "__main__":
    main()
