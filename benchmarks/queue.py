"""How fast mail is accepted and claimed, in how much memory, and who waits for whom.

Run from the repository's root as `python -m benchmarks.queue`. Four questions, each a comparison
within the run: messages accepted durably a second beside bare inserts of the same octets; the
cost of a claim with many rows queued beside few; the time from accept to relay with another
portal's backlog behind a dead relay beside none; and the service's memory throughout.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

import httptools
import msgspec
import uvloop

from benchmarks.claiming import claim_costs
from benchmarks.installation import (
    Installation,
    Made,
    make_portal,
    queue_many,
    write_targets,
)
from benchmarks.serving import baseline, closed_port, load, need_wrk, resident, service, tell

_BATCH = 100
_WAIT_SECONDS = 60.0


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4, help="of each run of load")
    arguments.add_argument("--rows", type=int, nargs=2, default=(1_000, 1_000_000))
    arguments.add_argument("--backlog", type=int, default=100_000)
    arguments.add_argument("--sends", type=int, default=200, help="messages timed to the relay")
    arguments.add_argument("--only", choices=("accept", "claim", "isolation"))
    given = arguments.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="smarthost-benchmark-") as name:
        folder = Path(name)
        if given.only in (None, "accept"):
            accepting(_in(folder / "accepting"), given.rounds, given.seconds)
        if given.only in (None, "claim"):
            claiming(folder / "claiming", tuple(given.rows), given.rounds)
        if given.only in (None, "isolation"):
            uvloop.run(isolated(folder / "isolation", given.backlog, given.sends))


# Accepting.


def accepting(installation: Installation, rounds: int, seconds: int) -> None:
    """Messages a second through POST /emails/batch, beside the least that keeps the octets."""
    made = asyncio.run(_one_portal(installation, closed_port()))
    targets = write_targets(installation, [made])
    print("| accepting | messages/s | p99 ms of a batch | of bare inserts |")
    print("|---|---:|---:|---:|")
    bare = baseline("bare_accept", str(installation.folder.with_suffix(".bare")))
    with service(installation.environment()) as (ours, process, _), bare as least:
        for octets in (200, 2_048):
            figures: dict[str, list[float]] = {"bare": [], "service": []}
            p99: list[int] = []
            for number in range(1, rounds + 1):
                tell(f"Accepting {octets} octets, round {number} of {rounds} …")
                for name, url in (("bare", least), ("service", ours)):
                    arguments = (str(targets), str(_BATCH), str(octets))
                    found = load(url, 8, seconds, "batches.lua", *arguments)
                    if found.failed:
                        sys.exit(f"{found.failed} batches failed: these figures mean nothing.")
                    figures[name].append(found.per_second * _BATCH)
                p99.append(found.p99)
            ratio = statistics.median(
                one / other for one, other in zip(figures["service"], figures["bare"], strict=True)
            )
            print(
                f"| texts of {octets:,} octets, {_BATCH} a batch, 8 at once | "
                f"{statistics.median(figures['service']):,.0f} | "
                f"{statistics.median(p99) / 1000:.0f} | {ratio:.2f} |",
                flush=True,
            )
        print(f"\nMemory of the service: at most {resident(process, most=True):.0f} MiB.\n")


# Claiming.


def claiming(folder: Path, sizes: Sequence[int], rounds: int) -> None:
    """Microseconds for claiming and recording one message, with few and with many queued."""
    places = {f"{size:,} queued": _in(folder / str(size)) for size in sizes}
    for size, installation in zip(sizes, places.values(), strict=True):
        tell(f"Queueing {size:,} messages …")
        asyncio.run(_fill(installation, size))
    costs = list(uvloop.run(claim_costs(places, rounds)).values())
    few, many = map(statistics.median, costs)
    ratio = statistics.median(more / less for less, more in zip(*costs, strict=True))
    print("| queued | microseconds for claiming and recording one |")
    print("|---:|---:|")
    print(f"| {sizes[0]:,} | {few:.0f} |")
    print(f"| {sizes[1]:,} | {many:.0f} (x {ratio:.2f}) |\n", flush=True)
    with service(_in(folder / str(sizes[1])).environment()) as (_, process, _started):
        # The worker looks at the queue at once and finds its relay away.
        time.sleep(5)
        most = resident(process, most=True)
        print(f"Memory of a service with {sizes[1]:,} queued: at most {most:.0f} MiB.\n")


async def _fill(installation: Installation, size: int) -> None:
    made = await _one_portal(installation, closed_port())
    async with installation.open() as parts:
        await queue_many(parts, made.portal.id, size)


# Isolation.


async def isolated(folder: Path, backlog: int, sends: int) -> None:
    """From accept to relay, with and without another portal's backlog behind a silent relay."""
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(_listening(Sink))
        silent = await stack.enter_async_context(_listening(asyncio.Protocol))
        times: dict[str, list[float]] = {"alone": [], "beside": []}
        clients: dict[str, tuple[str, Made]] = {}
        for name in times:
            tell(f"Making an installation: {name} …")
            installation = _in(folder / name)
            made = await _two_portals(installation, sink, silent, backlog * (name == "beside"))
            running = service(installation.environment())
            url, process, _started = stack.enter_context(running)
            clients[name] = (url, made)
            if name == "beside":
                measured = process
        await asyncio.sleep(5)  # until the dead relay's connections stand
        for number in range(0, sends, 20):
            tell(f"Sending {number + 1} to {number + 20} of {sends} …")
            for name, (url, made) in clients.items():
                times[name] += [await _time_to_relay(url, made) for _ in range(20)]
        print(f"| to the relay, ms | alone | beside {backlog:,} queued for a dead relay | ratio |")
        print("|---|---:|---:|---:|")
        for what, at in (("median", 0.5), ("95 of 100", 0.95)):
            alone, beside = (_quantile(found, at) * 1000 for found in times.values())
            print(f"| {what} | {alone:.1f} | {beside:.1f} | {beside / alone:.2f} |")
        most = resident(measured, most=True)
        print(f"\nMemory with {backlog:,} queued: at most {most:.0f} MiB.", flush=True)


def _quantile(found: list[float], at: float) -> float:
    return sorted(found)[int(len(found) * at)]


class Sink(asyncio.Protocol):
    """Says yes, and tells when a message has come."""

    arrived = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._in_data = False
        self._transport.write(b"220 sink.example.com ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer what is complete; messages here are short, and come in one piece."""
        if self._in_data:
            self._in_data = not data.endswith(b"\r\n.\r\n")
            if not self._in_data:
                self._transport.write(b"250 2.0.0 Ok\r\n")
                self.arrived.set()
            return
        for line in data.splitlines():
            self._in_data = line == b"DATA"
            if line.startswith(b"EHLO"):
                self._transport.write(b"250-sink.example.com\r\n250 PIPELINING\r\n")
            else:
                self._transport.write(b"354 Go\r\n" if self._in_data else b"250 2.0.0 Ok\r\n")


class _Answer(asyncio.Protocol):
    """Sends one request and waits for the status of its answer."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._parser = httptools.HttpResponseParser(self)
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Tell the status; httptools calls this."""
        self.status.set_result(self._parser.get_status_code())


async def _time_to_relay(url: str, made: Made) -> float:
    """Return the seconds from sending the request to the relay's having the message."""
    body = msgspec.json.encode(
        {"to": "reader@example.org", "subject": "Benchmark", "text": "Soon?"}
    )
    head = (
        f"POST /emails HTTP/1.1\r\nHost: {made.host}\r\nAuthorization: Bearer {made.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, _, port = url.removeprefix("http://").partition(":")
    Sink.arrived.clear()
    began = time.perf_counter()
    asking = partial(_Answer, head.encode() + body)
    transport, answer = await asyncio.get_running_loop().create_connection(asking, host, int(port))
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            if await answer.status != 200:
                sys.exit(f"A message was refused: {answer.status.result()}.")
            await Sink.arrived.wait()
    finally:
        transport.close()
    return time.perf_counter() - began


@asynccontextmanager
async def _listening(protocol: type[asyncio.Protocol]) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


# Installations.


def _in(folder: Path) -> Installation:
    return Installation(folder=folder)


async def _two_portals(installation: Installation, sink: int, silent: int, backlog: int) -> Made:
    """Make the portal that is timed, and one whose relay never speaks."""
    async with installation.open() as parts:
        dead = await make_portal(parts, "dead", "127.0.0.1", silent)
        await queue_many(parts, dead.portal.id, backlog)
        return await make_portal(parts, "timed", "127.0.0.1", sink)


async def _one_portal(installation: Installation, port: int) -> Made:
    async with installation.open() as parts:
        return await make_portal(parts, "only", "127.0.0.1", port)


if __name__ == "__main__":
    main()
