"""How many messages a second our SMTP client hands to a relay, beside aiosmtplib in the same run.

The relay is a sink: a bare asyncio.Protocol in a process of its own that says yes to everything
and keeps nothing, so that the client is what is measured. The clients take turns within each
round, so that a machine whose speed drifts changes both. Prints a table of medians.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

import aiosmtplib
import uvloop

from benchmarks.serving import telling_port
from smarthost.clock import SystemClock
from smarthost.smtp.client import Client
from smarthost.smtp.data import Content

CONNECTIONS = (1, 5, 20)
SIZES = (2 * 1024, 20 * 1024)  # octets
ROUNDS = 5
MESSAGES = 3_000  # of one client in one round
_SENDER, _RECIPIENT = "sender@example.com", "recipient@example.com"
_SECONDS = 60.0
_ANSWERS = {
    b"EHLO": b"250-sink.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000\r\n",
    b"DATA": b"354 Go ahead\r\n",
    b"QUIT": b"221 Bye\r\n",
}
_YES = b"250 2.0.0 Ok\r\n"
_END = b"\r\n.\r\n"

Send = Callable[[int, bytes, int], Awaitable[None]]


class Sink(asyncio.Protocol):
    """Says yes, and looks at no more than where commands and messages end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = b""
        self._in_data = False
        self._transport.write(b"220 sink.example.com ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._buffer += data
        answers = []
        while (end := self._buffer.find(_END if self._in_data else b"\r\n")) >= 0:
            answers.append(self._answer(end))
        if answers:
            self._transport.write(b"".join(answers))

    def _answer(self, end: int) -> bytes:
        if self._in_data:
            self._buffer = self._buffer[end + len(_END) :]
            self._in_data = False
            return _YES
        verb = self._buffer[:4]
        self._buffer = self._buffer[end + 2 :]
        self._in_data = verb == b"DATA"
        return _ANSWERS.get(verb, _YES)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def ours(port: int, content: bytes, messages: int) -> None:
    """Send over one connection."""
    clock = SystemClock()
    client = await Client.connect(
        "127.0.0.1", port, clock=clock, deadline=clock.monotonic() + _SECONDS
    )
    await client.greeting()
    await client.ehlo("client.example.com")
    for _ in range(messages):
        client.deadline = clock.monotonic() + _SECONDS
        ready = Content(content)
        message = client.transaction(_SENDER, [_RECIPIENT], size=ready.octets)
        await message.mail_from()
        await message.rcpt_to()
        reply = await message.data(ready)
        assert reply.positive
    await client.quit()


async def aiosmtplibs(port: int, content: bytes, messages: int) -> None:
    """Send over one connection."""
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=port, local_hostname="client.example.com", start_tls=False
    )
    await client.connect(timeout=_SECONDS)
    for _ in range(messages):
        await client.sendmail(_SENDER, [_RECIPIENT], content, timeout=_SECONDS)
    await client.quit()


CLIENTS: dict[str, Send] = {"smarthost": ours, "aiosmtplib": aiosmtplibs}


async def _all(send: Send, port: int, content: bytes, connections: int, messages: int) -> None:
    share = messages // connections
    await asyncio.gather(*(send(port, content, share) for _ in range(connections)))


def measure(send: Send, port: int, *, content: bytes, connections: int, messages: int) -> float:
    """Give messages a second of wall time."""
    began = time.perf_counter()
    uvloop.run(_all(send, port, content, connections, messages))
    return messages // connections * connections / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--messages", type=int, default=MESSAGES)
    given = arguments.parse_args()
    if given.sink:
        uvloop.run(_serve())
        return
    print(f"{'connections':>11} {'octets':>7} " + " ".join(f"{name:>11}" for name in CLIENTS))
    with telling_port("smtp", "--sink") as port:
        for connections in CONNECTIONS:
            for size in SIZES:
                _row(port, connections, size, given.rounds, given.messages)


def _row(port: int, connections: int, size: int, rounds: int, messages: int) -> None:
    line = b"x" * 76 + b"\r\n"
    content = b"Subject: benchmark\r\n\r\n" + line * (size // len(line))
    rates: dict[str, list[float]] = {name: [] for name in CLIENTS}
    for _ in range(rounds):
        for name, send in CLIENTS.items():
            run = partial(measure, send, port, content=content, connections=connections)
            rates[name].append(run(messages=messages))
    medians = [statistics.median(found) for found in rates.values()]
    figures = " ".join(f"{median:>9,.0f}/s" for median in medians)
    print(f"{connections:>11} {size:>7} {figures}   x {medians[0] / medians[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
