"""One TCP connection to a relay, with or without TLS, as replies in and octets out.

The protocol is our own, not asyncio's streams: only here can be seen whether the relay has spoken
out of turn, above all behind the 220 of STARTTLS. Whatever goes wrong ends the connection for
good, so that a late reply is never taken for the answer to something else.
"""

import asyncio
import ipaddress
import select
import ssl
from collections import deque
from collections.abc import Callable
from typing import TypeVar, cast

from smarthost.clock import Clock
from smarthost.smtp.alarm import Alarm
from smarthost.smtp.errors import (
    ClosedError,
    ConnectError,
    ProtocolError,
    Reason,
    SmtpError,
    StartTlsInjectionError,
    TimedOutError,
    TlsError,
)
from smarthost.smtp.replies import ReplyReader
from smarthost.smtp.reply import Reply
from smarthost.smtp.tls import reason_of

T = TypeVar("T")

_CHUNK = 64 * 1_024  # octets handed to the transport before a look at what the relay says
_END = 3  # octets: the dot of its own line and CRLF, behind the last line of a message


class Connection(asyncio.Protocol):
    """Made by `open_connection`; `deadline` is a moment of the clock's `monotonic()`, in seconds.

    It bounds every wait and is set anew for each step. `failure` is what ended the connection.
    `message_left` says whether the end of the last message was handed to the transport; from then
    on nobody here can know whether the relay has read it.
    """

    def __init__(self, clock: Clock, deadline: float) -> None:
        self.deadline = deadline
        self.failure: SmtpError | None = None
        self.message_left = False
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        # A server speaks first (RFC 5321, section 3.1).
        self._expected = 1
        self._starting_tls = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._alarm = Alarm(clock, self._time_out)

    @property
    def outstanding(self) -> int:
        """How many replies have been asked for and not been taken."""
        return self._expected + len(self._replies)

    @property
    def has_unread(self) -> bool:
        """Whether something has come that the loop has not read yet: octets, or the end."""
        place = self._bare_or_tls().get_extra_info("socket")
        # Closed, or let go by uvloop's TLS: the loop is about to tell.
        if place is None or place.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(place.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    @property
    def idle(self) -> bool:
        """Whether the connection stands and every reply has come and been taken."""
        return self.failure is None and not self.outstanding

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, or None in clear."""
        found = self._transport and self._transport.get_extra_info("ssl_object")
        return cast("ssl.SSLObject | None", found)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read replies; more than was asked for ends the connection."""
        if self.failure is not None:
            return
        fault = self._take(data)
        if fault is None:
            self._wake()
        else:
            self.fail(fault)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End whatever waits."""
        self.fail(ClosedError())

    def pause_writing(self) -> None:
        """Hold back: the relay takes nothing more for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        self._wake()

    # What the client calls.

    def write(self, data: bytes, *, replies: int) -> None:
        """Send commands that get `replies` replies.

        Raises what had ended the connection, and `TimedOutError` once the deadline has passed.
        """
        self._check()
        self._expected += replies
        self._bare_or_tls().write(data)

    async def write_message(self, data: bytes) -> bool:
        """Send what follows the 354 as fast as the relay takes it; one reply follows.

        Gives false where the relay answered before all was sent.
        """
        self._check()
        self._expected += 1
        for start in range(0, len(data), _CHUNK):
            await self._until(lambda: bool(self._replies) or not self._paused)
            if self._replies:
                return False
            self._check()
            # Part of the end counts as the end: there are servers that do not wait for its LF.
            self.message_left = start + _CHUNK > len(data) - _END
            self._bare_or_tls().write(data[start : start + _CHUNK])
        return True

    async def reply(self) -> Reply:
        """Wait for the next reply.

        Raises `TimedOutError`, `ClosedError` or `ProtocolError`; the connection is then over.
        """
        await self._until(lambda: bool(self._replies))
        return self._replies.popleft()

    def expect_tls(self, *, now: bool) -> None:
        """Say that nothing but TLS may follow the next reply, or that it may again."""
        self._starting_tls = now

    async def handshake(self, context: ssl.SSLContext, server_name: str) -> None:
        """Start TLS; raises `TlsError`, `TimedOutError` or what had ended the connection."""
        if self.failure is not None and not isinstance(self.failure, ProtocolError):
            raise self.failure
        if self._replies or self._reader.has_rest or self.failure is not None:
            # It has spoken already, so it does not wait for a ClientHello.
            self.fail(TlsError(Reason.NOT_TLS))
            raise TlsError(Reason.NOT_TLS)
        try:
            await self._encrypt(context, server_name)
        except TimeoutError:
            self.fail(TimedOutError())
            raise TimedOutError from None
        except OSError as error:
            self.fail(TlsError(reason_of(error)))
            raise TlsError(reason_of(error)) from error
        except asyncio.CancelledError:
            self.fail(ClosedError())
            raise

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Have something computed that takes a while; raises `TimedOutError`."""
        try:
            async with asyncio.timeout(self._seconds_left()):
                return await asyncio.to_thread(work)
        except TimeoutError:
            self.fail(TimedOutError())
            raise TimedOutError from None
        except asyncio.CancelledError:
            self.fail(ClosedError())
            raise

    def hasten(self, seconds: float) -> None:
        """Bring the deadline forward to so many seconds from now."""
        self.deadline = min(self.deadline, self._clock.monotonic() + seconds)

    def fail(self, error: SmtpError) -> None:
        """End the connection at once, unless it has ended; who waits gets `error`."""
        if self.failure is None:
            self.failure = error
            self._bare_or_tls().abort()
            self._alarm.cancel()
        self._wake()

    # The rest.

    def _check(self) -> None:
        """Raise what had ended the connection; a deadline that has passed ends it."""
        if not self._seconds_left():
            self.fail(TimedOutError())
        if self.failure is not None:
            raise self.failure

    def _take(self, data: bytes) -> SmtpError | None:
        try:
            for reply in self._reader.feed(data):
                if not self._expected:
                    return self._unsolicited()
                self._expected -= 1
                self._replies.append(reply)
        except ProtocolError as error:
            return error if self._expected else self._unsolicited()
        return self._unsolicited() if self._reader.has_rest and not self._expected else None

    async def _encrypt(self, context: ssl.SSLContext, server_name: str) -> None:
        seconds = self._seconds_left()
        async with asyncio.timeout(seconds):
            transport = await self._loop.start_tls(
                self._bare_or_tls(),
                self,
                context,
                server_hostname=server_name,
                ssl_handshake_timeout=seconds + 1,  # the time-out above is the one that counts
            )
        if transport is None:
            raise ConnectionResetError
        self._transport = transport
        self._starting_tls = False

    def _bare_or_tls(self) -> asyncio.Transport:
        if self._transport is None:
            raise ClosedError
        return self._transport

    def _unsolicited(self) -> SmtpError:
        if self._starting_tls:
            return StartTlsInjectionError()
        return ProtocolError(Reason.UNSOLICITED)

    def _seconds_left(self) -> float:
        return max(0.0, self.deadline - self._clock.monotonic())

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if self.failure is not None:
                raise self.failure
            await self._something()

    async def _something(self) -> None:
        """Wait until something has happened, the deadline at the latest."""
        self._alarm.set(self.deadline)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            # What was asked may still be answered: nothing else can be asked here.
            self.fail(ClosedError())
            raise
        finally:
            self._waiter = None

    def _time_out(self) -> None:
        if self._waiter is not None:
            self.fail(TimedOutError())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def open_connection(address: str, port: int, *, clock: Clock, deadline: float) -> Connection:
    """Connect to an IP address, never to a name: a name would be resolved a second time.

    `deadline` is a moment of `clock.monotonic()`. Raises `ConnectError`.
    """
    ipaddress.ip_address(address)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(max(0.0, deadline - clock.monotonic())):
            _, connection = await loop.create_connection(
                lambda: Connection(clock, deadline), address, port
            )
    except TimeoutError as error:
        raise ConnectError(Reason.TIMED_OUT) from error
    except (ConnectionRefusedError, ConnectionResetError) as error:
        raise ConnectError(Reason.REFUSED) from error
    except OSError as error:
        raise ConnectError(Reason.UNREACHABLE) from error
    return connection
