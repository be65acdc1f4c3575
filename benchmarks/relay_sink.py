"""The relay that everything ends at: a process of its own, started by `relay`.

It listens on 127.0.0.1 and, at the same port, on the addresses that it is started with. It says
yes to all and keeps every message as it came; what was kept is looked at when it is asked for,
after the time that counts. It obeys lines on standard input and answers each with one line:
`expect N` when N messages have come, `report` with what they were, as JSON.
"""

import asyncio
import hashlib
import sys
import time
from typing import cast

import msgspec
import uvloop

_END = b"\r\n.\r\n"
_YES = b"250 2.0.0 Ok\r\n"
_ANSWERS = {
    b"EHLO": b"250-sink.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000\r\n",
    b"DATA": b"354 Go ahead\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}
_BEGIN = b"X-Benchmark: "


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What has come since `expect`."""

    first: float
    """When the first message was whole, by the monotonic clock of all processes."""
    last: float
    """When the last message expected was whole."""
    cpu: float
    """Seconds of CPU until then."""
    connections: int
    digests: list[str]
    """Of each message that came, in no order: see `digest`."""


def digest(recipient: str, content: bytes) -> str:
    """Return what tells a message for a recipient from all others."""
    return hashlib.sha256(recipient.encode() + b"\n" + content).hexdigest()


class Sink:
    """What came, and how much is waited for."""

    def __init__(self) -> None:
        self.expect(0)

    def expect(self, count: int) -> None:
        """Forget what came, and count anew."""
        self.taken: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self._wanted = count
        self._first = self._last = 0.0
        self._began = time.process_time()
        self._cpu = 0.0

    def take(self, recipient: bytes, stuffed: bytes) -> None:
        """Keep a message as it came."""
        self.taken.append((recipient, stuffed))
        if len(self.taken) == 1:
            self._first = time.monotonic()
        if len(self.taken) == self._wanted:
            self._last = time.monotonic()
            self._cpu = time.process_time() - self._began
            print(self._wanted, flush=True)

    def report(self) -> Arrived:
        """Tell what came, without what the way has put in front of each message."""
        return Arrived(
            first=self._first,
            last=self._last,
            cpu=self._cpu,
            connections=self.connections,
            digests=[
                digest(recipient.decode(), _as_sent(stuffed)) for recipient, stuffed in self.taken
            ],
        )


def _as_sent(stuffed: bytes) -> bytes:
    content = (b"\r\n" + stuffed).replace(b"\r\n.", b"\r\n")[2:]
    return content[max(0, content.find(_BEGIN)) :]


class _Session(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._searched = 0
        self._in_data = False
        self._recipient = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sink.connections += 1
        self._transport.write(b"220 sink.example.com ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = []
        while (end := self._find(_END if self._in_data else b"\r\n")) >= 0:
            answers.append(self._taken(end) if self._in_data else self._answer(end))
        if answers:
            self._transport.write(b"".join(answers))

    def _find(self, wanted: bytes) -> int:
        at = self._buffer.find(wanted, max(0, self._searched - len(wanted)))
        self._searched = len(self._buffer) if at < 0 else 0
        return at

    def _taken(self, end: int) -> bytes:
        self._sink.take(self._recipient, bytes(self._buffer[: end + 2]))
        del self._buffer[: end + len(_END)]
        self._in_data = False
        return _YES

    def _answer(self, end: int) -> bytes:
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        verb = line[:4].upper()
        if verb == b"RCPT":
            self._recipient = line[line.find(b"<") + 1 : line.find(b">")]
        self._in_data = verb == b"DATA"
        return _ANSWERS.get(verb, _YES)

    def eof_received(self) -> None:
        self._transport.close()


async def _serve() -> None:
    sink = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Session(sink), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # Under other addresses it is another relay, for whoever counts connections to each.
    others = [
        await loop.create_server(lambda: _Session(sink), address, port) for address in sys.argv[1:]
    ]
    print(port, flush=True)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        word, _, count = line.decode().strip().partition(" ")
        if word == "expect":
            sink.expect(int(count))
        else:
            print(msgspec.json.encode(sink.report()).decode(), flush=True)
    for one in (server, *others):
        one.close()


if __name__ == "__main__":
    uvloop.run(_serve())
