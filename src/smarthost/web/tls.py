"""Accepts connections and has them shake hands; what has done so is an ordinary `Connection`.

A silent client costs a socket for a few seconds and nothing else: each handshake is a task with a
deadline, so many at a time, and holds nobody up. Each one asks for the context anew, so that a
certificate that was just replaced is the one that is shown.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

import structlog

from smarthost.web.limits import Limits

ContextOf = Callable[[], ssl.SSLContext]

log = structlog.get_logger("smarthost.web")

_AGAIN_SECONDS = 0.5


class TlsListener:
    """What uvicorn takes for a server of asyncio's, which has no limits like these."""

    def __init__(
        self,
        listening: socket.socket,
        connect: Callable[[], asyncio.Protocol],
        context: ContextOf,
        limits: Limits,
    ) -> None:
        """Accept from now on; `connect` makes the protocol of a connection."""
        listening.setblocking(False)
        self._listening = listening
        self._connect = connect
        self._context = context
        self._limits = limits
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Accept no more, and give handshakes up: nothing has been asked in them yet."""
        for task in (self._accepting, *self._handshakes):
            task.cancel()

    async def wait_closed(self) -> None:
        """Return when nothing is left of what `close` has given up."""
        await asyncio.gather(self._accepting, *self._handshakes, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listening)
            except ConnectionError:  # gone before it was here
                continue
            except OSError as error:  # too many files are open: soon fewer may be
                log.warning("connection not accepted", reason=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if len(self._handshakes) >= self._limits.connections:
                accepted.close()
                continue
            handshake = asyncio.create_task(self._shake_hands(accepted))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._connect,
                accepted,
                ssl=self._context(),
                ssl_handshake_timeout=self._limits.handshake_seconds,
                ssl_shutdown_timeout=self._limits.linger_seconds,
            )
        except OSError:  # no TLS, none that is spoken here, too late, or gone
            accepted.close()
