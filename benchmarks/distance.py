"""A way of some length to PostgreSQL: a process that hands on all octets, each so much later.

Started with the server's socket and the milliseconds of one way; prints the port of 127.0.0.1 that
it listens on. Nothing is lost or put in another order, and no rate is limited: it is a network
card's delay, for machines whose kernel cannot give one.
"""

import asyncio
import functools
import selectors
import sys
from collections import deque
from typing import cast


class _End(asyncio.Protocol):
    """One end of a connection, which writes at the other end what it reads, in due time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._on_the_way: deque[bytes | None] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.other: _End

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._send(data)

    def eof_received(self) -> None:
        self._send(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - gone is gone
        self._send(None)

    def write(self, data: bytes | None) -> None:
        """Hand out what has arrived; None is the end."""
        if self._transport is None or self._transport.is_closing():
            return
        if data is None:
            self._transport.close()
        else:
            self._transport.write(data)

    def _send(self, data: bytes | None) -> None:
        self._on_the_way.append(data)
        self._loop.call_later(self._seconds, self._arrive)

    def _arrive(self) -> None:
        self.other.write(self._on_the_way.popleft())


class _Accepted(_End):
    """The end towards the service; it opens the other one."""

    def __init__(self, server: str, seconds: float) -> None:
        super().__init__(seconds)
        self.other = _End(seconds)
        self.other.other = self
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        cast("asyncio.Transport", transport).pause_reading()
        self._opening = self._loop.create_task(self._open(cast("asyncio.Transport", transport)))

    async def _open(self, transport: asyncio.Transport) -> None:
        try:
            await self._loop.create_unix_connection(lambda: self.other, self._server)
        except OSError:
            transport.close()
        else:
            transport.resume_reading()


async def _serve(server: str, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    make = functools.partial(_Accepted, server, seconds)
    listening = await loop.create_server(make, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


def _loop() -> asyncio.AbstractEventLoop:
    # epoll(7) and uvloop wait for whole milliseconds, select(2) for a thousandth of one.
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(sys.argv[1], float(sys.argv[2]) / 1000))
