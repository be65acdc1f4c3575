"""One TCP connection of a client, with or without TLS: octets in and out, and waits with an end.

The protocol is our own, not asyncio's streams, whose buffers hide what has come behind STARTTLS.
What a client does not read is bounded, and so is what it sends while nobody looks at it.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

from smarthost.clock import Clock
from smarthost.smtp.alarm import Alarm
from smarthost.submission.limits import Limits


class TimedOutError(Exception):
    """The deadline came before what was waited for."""


class LostError(Exception):
    """The client is gone, or has closed its side."""


class Wire(asyncio.Protocol):
    """A connection."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.receive: Callable[[bytes], bool] = _dropped
        """Takes octets and says whether `news` is to return."""
        self.lost = False
        self._clock = clock
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._alarm = Alarm(clock, self._ring)
        self._waiter: asyncio.Future[None] | None = None
        self._news = False
        self._ended = False
        self._reading_paused = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(self._limits.output_octets)

    def data_received(self, data: bytes) -> None:
        """Hand octets on; while nobody waits for them, no more are read after these."""
        ready = self.receive(data)
        transport = self._bare_or_tls()
        if self._waiter is None and not self._reading_paused and not transport.is_closing():
            self._reading_paused = True
            transport.pause_reading()
        if ready:
            self.wake()

    def eof_received(self) -> bool:
        """Keep the way back open for what was asked before the end; TLS has no half."""
        self._ended = True
        self.wake()
        in_clear = self._bare_or_tls().get_extra_info("ssl_object") is None
        return in_clear and self.receive is not _dropped

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End whatever waits."""
        self.lost = True
        self._alarm.cancel()
        self.wake()

    def pause_writing(self) -> None:
        """Give up a client that lets its answers pile up."""
        self.abort()

    # What the conversation calls.

    def write(self, octets: bytes) -> None:
        """Send octets."""
        if not self.lost:
            self._bare_or_tls().write(octets)

    async def news(self, deadline: float) -> None:
        """Wait until something has come, or `wake` was called.

        `deadline` is a moment of the clock's `monotonic()`. Raises `TimedOutError`, `LostError`.
        """
        if (self._ended or self.lost) and not self._news:
            raise LostError
        await self._woken(deadline)

    def wake(self) -> None:
        """Let `news` return."""
        self._news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def encrypt(self, context: ssl.SSLContext, seconds: float) -> None:
        """Begin TLS as the server; raises `LostError` if the handshake fails or takes longer."""
        self._read_on()
        try:
            transport = await self._loop.start_tls(
                self._bare_or_tls(),
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=self._limits.linger_seconds,
            )
        except OSError as error:  # of TLS, of the time, of the connection
            self.abort()
            raise LostError from error
        if transport is None:
            raise LostError
        self._transport = transport
        transport.set_write_buffer_limits(self._limits.output_octets)

    async def leave(self, *, at_once: bool) -> None:
        """Close behind what was written, `at_once` or when the client has had time to read it.

        Closed at once with octets unread, the connection is reset, and the last reply lost. What
        still comes is dropped.
        """
        self.receive = _dropped
        transport = self._bare_or_tls()
        if at_once or self._ended or transport.is_closing() or not transport.can_write_eof():
            transport.close()  # TLS waits for the client by itself
        else:
            with contextlib.suppress(OSError):  # the client is gone
                transport.write_eof()
        deadline = self._clock.monotonic() + self._limits.linger_seconds
        try:
            while not self.lost:
                await self._woken(deadline)
        except TimedOutError:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    async def _woken(self, deadline: float) -> None:
        if not self._news:
            if self._clock.monotonic() >= deadline:
                raise TimedOutError
            self._alarm.set(deadline)
            self._waiter = self._loop.create_future()
            self._read_on()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._news = False

    def _read_on(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            if not self.lost:
                self._bare_or_tls().resume_reading()

    def _ring(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimedOutError())

    def _bare_or_tls(self) -> asyncio.Transport:
        if self._transport is None:
            raise LostError
        return self._transport


def _dropped(_octets: bytes) -> bool:
    return False
