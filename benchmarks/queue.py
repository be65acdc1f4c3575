"""How fast mail is accepted and claimed, in how much memory, and who waits for whom.

Run from the repository's root as `python -m benchmarks.queue`. Four questions, each a comparison
within the run: messages accepted durably a second beside bare inserts of the same octets; the
cost of a claim with many rows queued beside few; the time from accept to relay with another
portal's backlog behind a dead relay beside none; and the service's memory throughout.
"""

import argparse
import asyncio
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import httptools
import msgspec
import uvloop

from benchmarks.serving import baseline, load, need_wrk, resident, service, tell
from smarthost.app.parts import Parts, open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import Config, load_config
from smarthost.database.engine import Transaction
from smarthost.delivery.outcome import Result, Step
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.mail_queue.model import Attempted, Claim, Kind
from smarthost.portals.model import Permission, Portal, Role
from smarthost.smtp_settings.model import Draft, SmtpSettings

BASE_DOMAIN = "portals.example"
_BATCH = 100
_SENDER = "notify@example.com"
_OPERATOR = Actor(name=OPERATOR)
_LINE = b"All work and no play makes a dull benchmark of every queue.\r\n"
_WAIT_SECONDS = 60.0


class _Made(NamedTuple):
    """A portal with settings, and a key of its administrator."""

    portal: Portal
    token: str

    @property
    def host(self) -> str:
        return f"{self.portal.name}.{BASE_DOMAIN}"


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
            accepting(folder / "accepting", given.rounds, given.seconds)
        if given.only in (None, "claim"):
            claiming(folder / "claiming", tuple(given.rows), given.rounds)
        if given.only in (None, "isolation"):
            uvloop.run(isolated(folder / "isolation", given.backlog, given.sends))


# Accepting.


def accepting(folder: Path, rounds: int, seconds: int) -> None:
    """Messages a second through POST /emails/batch, beside the least that keeps the octets."""
    made = asyncio.run(_one_portal(folder, _closed_port()))
    print("| accepting | messages/s | p99 ms of a batch | of bare inserts |")
    print("|---|---:|---:|---:|")
    bare = baseline("bare_accept", str(folder.with_suffix(".bare")))
    with service(_environment(folder)) as (ours, process, _), bare as least:
        for octets in (200, 2_048):
            figures: dict[str, list[float]] = {"bare": [], "service": []}
            p99: list[int] = []
            for number in range(1, rounds + 1):
                tell(f"Accepting {octets} octets, round {number} of {rounds} …")
                for name, url in (("bare", least), ("service", ours)):
                    arguments = (made.host, made.token, str(_BATCH), str(octets))
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
    for size in sizes:
        tell(f"Queueing {size:,} messages …")
        asyncio.run(_fill(folder / str(size), size))
    costs: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(1, rounds + 1):
        for size in sizes:
            tell(f"Claiming of {size:,}, round {number} of {rounds} …")
            costs[size].append(uvloop.run(_claims(folder / str(size))))
    few, many = (statistics.median(costs[size]) for size in sizes)
    ratio = statistics.median(
        more / less for less, more in zip(costs[sizes[0]], costs[sizes[1]], strict=True)
    )
    print("| queued | microseconds for claiming and recording one |")
    print("|---:|---:|")
    print(f"| {sizes[0]:,} | {few:.0f} |")
    print(f"| {sizes[1]:,} | {many:.0f} (x {ratio:.2f}) |\n", flush=True)
    with service(_environment(folder / str(sizes[1]))) as (_, process, _started):
        # The worker looks at the queue at once and finds its relay away.
        time.sleep(5)
        most = resident(process, most=True)
        print(f"Memory of a service with {sizes[1]:,} queued: at most {most:.0f} MiB.\n")


async def _fill(folder: Path, size: int) -> None:
    made = await _one_portal(folder, _closed_port())
    async with _open(folder) as parts:
        await _queue(parts, made.portal.id, size)


async def _queue(parts: Parts, portal_id: str, size: int) -> None:
    """Put messages into the queue, through its door."""
    intake = parts.delivery.intake
    sizes = [1_000] * (size // 1_000) + [size % 1_000]
    for many in sizes:
        submissions = [_submission(parts.ids.new()) for _ in range(many)]
        await intake.submit(portal_id, submissions, by=_OPERATOR, owner=None)


def _submission(message_id: str) -> Submission:
    content = b"From: %s\r\nSubject: Benchmark\r\n\r\n" % _SENDER.encode() + _LINE * 3
    envelope = Envelope(
        sender=_SENDER,
        recipients=("reader@example.org",),
        content=content,
        needs_smtputf8=False,
        needs_8bit=False,
    )
    return Submission(id=message_id, envelope=envelope, details=Details(subject="Benchmark"))


async def _claims(folder: Path, batches: int = 20) -> float:
    async with _open(folder) as parts:
        portal = (await parts.portals.portals(at_most=1))[0]
        queue = parts.delivery.queue
        done = 0
        took = 0.0
        # The first one reads pages that no later one has to.
        for number in range(batches + 1):
            began = time.perf_counter()
            claims = await queue.claim(portal.id, Kind.MAIL, set(), at_most=20)
            for claim in claims:
                await queue.record(claim, _accepted(claim))
            if number:
                took += time.perf_counter() - began
                done += len(claims)
        # As many as there were: every round begins alike.
        await _queue(parts, portal.id, done + 20)
        return took / done * 1e6


def _accepted(claim: Claim) -> list[Attempted]:
    return [
        Attempted(
            address=one.address,
            attempt=one.attempt,
            started_at=claim.started_at,
            microseconds=1_000,
            result=Result.ACCEPTED,
            step=Step.DATA,
            reply="250 2.0.0 Ok",
            revision=1,
            relay_host="mail.example.com",
            relay_port=587,
            default_relay=False,
        )
        for one in claim.recipients
    ]


# Isolation.


async def isolated(folder: Path, backlog: int, sends: int) -> None:
    """From accept to relay, with and without another portal's backlog behind a silent relay."""
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(_listening(Sink))
        silent = await stack.enter_async_context(_listening(asyncio.Protocol))
        times: dict[str, list[float]] = {"alone": [], "beside": []}
        clients: dict[str, tuple[str, _Made]] = {}
        for name in times:
            tell(f"Making an installation: {name} …")
            made = await _two_portals(folder / name, sink, silent, backlog * (name == "beside"))
            running = service(_environment(folder / name))
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


async def _time_to_relay(url: str, made: _Made) -> float:
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


async def _two_portals(folder: Path, sink: int, silent: int, backlog: int) -> _Made:
    """Make the portal that is timed, and one whose relay never speaks."""
    async with _open(folder) as parts:
        dead = await _portal(parts, "dead", silent)
        await _queue(parts, dead.portal.id, backlog)
        return await _portal(parts, "timed", sink)


async def _one_portal(folder: Path, port: int) -> _Made:
    async with _open(folder) as parts:
        return await _portal(parts, "only", port)


async def _portal(parts: Parts, name: str, relay_port: int) -> _Made:
    portal = parts.portals.new_portal(name)
    user = parts.portals.new_user(portal.id, "admin@example.com", Role.ADMINISTRATOR, None)
    key, token = parts.keys.new_key(user, "bench", frozenset({Permission.ALL}), None)

    async def work(tx: Transaction) -> None:
        await parts.portals.insert_portal(tx, portal, _OPERATOR)
        await parts.portals.insert_user(tx, user, _OPERATOR)
        await parts.keys.insert(tx, key, token, _OPERATOR)

    await parts.database.transact(work)
    settings = SmtpSettings(
        host="127.0.0.1",
        port=relay_port,
        sender_address=_SENDER,
        sender_display_name=None,
        user_name=None,
        enable_ssl=False,
        enable_auth=False,
        use_ntlm=False,
    )
    await parts.settings.save(portal.id, Draft(settings=settings, password=None), _OPERATOR)
    return _Made(portal, token.text().reveal())


@asynccontextmanager
async def _open(folder: Path) -> AsyncIterator[Parts]:
    async with open_parts(_config(folder), create=True) as parts:
        yield parts


def _config(folder: Path) -> Config:
    return load_config(
        _environment(folder),
        working_directory=Path.cwd(),
        machine_name=socket.getfqdn,
        stderr_is_terminal=False,
    )


def _environment(folder: Path) -> dict[str, str]:
    return {
        "SMARTHOST_DATA_DIR": str(folder),
        "SMARTHOST_BASE_DOMAIN": BASE_DOMAIN,
        "SMARTHOST_RELAY_NETWORKS": "any",
        # One user may ask 1,500 times a minute; the counting itself stays on.
        "SMARTHOST_RATE_LIMITS": "off",
    }


def _closed_port() -> int:
    """Return a port that nobody listens on: a relay that is away."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
