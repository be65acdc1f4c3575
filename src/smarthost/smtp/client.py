"""One SMTP session with one relay (RFC 5321), a method for each step.

Each step is bounded by `deadline`, and whatever does not fit the protocol ends the connection: a
reply that comes late or does not fit could be taken for the answer to another message. Session
steps raise `RefusedError` where the relay says no; the steps of a message give its reply, since
each recipient has its own.
"""

import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Self

from smarthost.clock import Clock
from smarthost.smtp import commands
from smarthost.smtp.authentication import Authentication
from smarthost.smtp.connection import Connection, open_connection
from smarthost.smtp.data import dot_stuffed
from smarthost.smtp.errors import ClosedError, ProtocolError, Reason, RefusedError, SmtpError
from smarthost.smtp.extensions import Extensions
from smarthost.smtp.replies import Reply
from smarthost.smtp.sasl import Exchange, SaslError
from smarthost.smtp.tls import Certificate, read_certificate, verifies

_CANCEL_SECONDS = 1.0  # for the relay to acknowledge the end of an exchange
_RECIPIENTS_AT_ONCE = 100  # replies that a relay may make us keep at one time
_SERVICE_CLOSING = 421
# What section 4.2 of RFC 5321 calls the mail system's own codes.
_MAIL_DONE = range(250, 260)


class Client:
    """A session with the relay at `address` and `port`, made by `Client.connect`.

    Steps, in order: `implicit_tls` where TLS comes first, `greeting`, `ehlo`, `start_tls` and
    `ehlo` again, `authenticate`; then `mail_from`, `rcpt_to`, `data` for each message; `quit`.
    Set `deadline` (a moment of the clock's `monotonic()`) before each step. Every step may raise
    `TimedOutError`, `ClosedError` or `ProtocolError`, after which `usable` is false.

    `extensions` are those of the last `ehlo`; `tls_verified` says whether the certificate was
    proved.
    """

    def __init__(self, connection: Connection, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.extensions = Extensions()
        self.tls_verified = False
        self._connection = connection
        self._closing = False
        self._eight_bit = False
        self._utf8 = False

    @classmethod
    async def connect(cls, address: str, port: int, *, clock: Clock, deadline: float) -> Self:
        """Connect to an IP address that `egress.destinations` gave.

        Raises `ConnectError`, and `ValueError` where `address` is a name.
        """
        connection = await open_connection(address, port, clock=clock, deadline=deadline)
        return cls(connection, address, port)

    @property
    def deadline(self) -> float:
        """The moment of the clock's `monotonic()`, in seconds, that ends the step under way."""
        return self._connection.deadline

    @deadline.setter
    def deadline(self, moment: float) -> None:
        self._connection.deadline = moment

    @property
    def usable(self) -> bool:
        """Whether another command can be sent: connected, nothing outstanding, no 421 heard."""
        return self._connection.idle and not self._closing

    @property
    def message_left(self) -> bool:
        """Whether the end of the message last given to `data` was handed to the network.

        Before that no relay has accepted it, whatever it has read: a message without its end is
        dropped with the connection (RFC 5321, section 4.1.1.10). After that only a reply can tell.
        """
        return self._connection.message_left

    def check_usable(self) -> None:
        """Raise what ended the connection, or `ClosedError`, unless `usable`."""
        if not self.usable:
            raise self._connection.failure or ClosedError

    @property
    def tls_version(self) -> str | None:
        """`TLSv1.3` or `TLSv1.2`, or None in clear."""
        session = self._connection.tls
        return session.version() if session else None

    @property
    def cipher(self) -> str | None:
        """The cipher suite by OpenSSL's name, or None in clear."""
        found = self._connection.tls and self._connection.tls.cipher()
        return found[0] if found else None

    @property
    def certificate(self) -> Certificate | None:
        """What the relay's certificate says, or None in clear; believe it if `tls_verified`."""
        der = self._connection.tls and self._connection.tls.getpeercert(binary_form=True)
        return read_certificate(der) if der else None

    async def implicit_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Start TLS before the greeting (RFC 8314, section 3.3); as `start_tls` otherwise."""
        await self._secure(context, server_name)

    async def greeting(self) -> Reply:
        """Wait for the relay's first words.

        Raises `RefusedError` on 4yz and 5yz, such as 421 and 554.
        """
        return self._granted(await self._reply(), 220)

    async def ehlo(self, name: str) -> Extensions:
        """Say who we are and learn what the relay can do. Raises `RefusedError`.

        There is no way back to HELO: what speaks no ESMTP takes no submitted mail today.
        """
        self.extensions = Extensions()
        reply = self._granted(await self._ask(commands.ehlo(name)), 250)
        self.extensions = Extensions.of(reply)
        return self.extensions

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Ask for TLS and start it (RFC 3207); what the last `ehlo` said is forgotten.

        `server_name` is what the certificate has to be for, a name or an IP address. Raises
        `RefusedError` where the relay will not (the session goes on in clear),
        `StartTlsInjectionError` where it goes on talking in clear after its 220, and `TlsError`.
        """
        self._connection.expect_tls(now=True)
        try:
            self._granted(await self._ask(commands.STARTTLS), 220)
        except RefusedError:
            self._connection.expect_tls(now=False)
            raise
        await self._secure(context, server_name)

    async def authenticate(self, exchange: Exchange) -> Reply:
        """Go through a SASL exchange (RFC 4954); gives the 235.

        Raises `RefusedError` where the relay does not accept it, and `ProtocolError` with
        `BAD_CHALLENGE` where what it sends does not fit. No reply in them repeats what was sent.
        """
        dialogue = Authentication(exchange)
        reply = await self._ask(await self._connection.in_thread(dialogue.begin))
        try:
            while line := await self._connection.in_thread(partial(dialogue.answer, reply)):
                reply = await self._ask(line)
        except SaslError:
            await self._cancel()
            raise self._broken(Reason.BAD_CHALLENGE) from None
        reply = self._granted(dialogue.cleaned(reply), 235)
        try:
            exchange.check_done()
        except SaslError:
            raise self._broken(Reason.BAD_CHALLENGE, reply) from None
        return reply

    async def mail_from(
        self, path: str, *, size: int | None = None, utf8: bool = False, eight_bit: bool = False
    ) -> Reply:
        """Begin a message from `path` (empty: a notification); gives the relay's reply.

        `size` in octets is told to relays that ask for it. Raises `ValueError` where `utf8`
        or `eight_bit` is asked of a relay without SMTPUTF8 or 8BITMIME.
        """
        if (utf8 and not self.extensions.smtp_utf8) or (
            eight_bit and not self.extensions.eight_bit_mime
        ):
            raise ValueError("The relay does not offer what this message needs.")
        self._utf8, self._eight_bit = utf8, eight_bit
        told = size if self.extensions.size is not None else None
        line = commands.mail_from(path, size=told, utf8=utf8, eight_bit=eight_bit)
        return self._fitting(await self._ask(line), _MAIL_DONE)

    async def rcpt_to(self, paths: Sequence[str]) -> list[Reply]:
        """Name the recipients; gives a reply for each, all at once where the relay pipelines.

        After a 421 it stands for all that follow.
        """
        lines = [commands.rcpt_to(path, utf8=self._utf8) for path in paths]
        at_once = _RECIPIENTS_AT_ONCE if self.extensions.pipelining else 1
        replies: list[Reply] = []
        for start in range(0, len(lines), at_once):
            group = lines[start : start + at_once]
            self._connection.write(b"".join(group), replies=len(group))
            for _ in group:
                replies.append(self._fitting(await self._reply(), _MAIL_DONE))
                if self._closing:
                    return replies + replies[-1:] * (len(lines) - len(replies))
        return replies

    async def data(self, content: bytes) -> Reply:
        """Send the message; gives the reply to its end, or to DATA where that was refused.

        Raises `ValueError` on octets beyond ASCII where `mail_from` announced none.
        """
        self._connection.message_left = False
        if not (self._eight_bit or self._utf8 or content.isascii()):
            raise ValueError("The message has 8-bit content that was not announced.")
        go_ahead = self._fitting(await self._ask(commands.DATA), range(354, 355))
        if not go_ahead.positive:
            return go_ahead
        complete = await self._connection.write_message(dot_stuffed(content))
        reply = self._fitting(await self._reply(), _MAIL_DONE)
        if not complete:
            if reply.positive:
                raise self._broken(Reason.UNEXPECTED_REPLY, reply)
            self.close()
        return reply

    async def rset(self) -> Reply:
        """Drop the message that was begun (RFC 5321, section 4.1.1.5)."""
        return self._fitting(await self._ask(commands.RSET), _MAIL_DONE)

    async def quit(self) -> None:
        """Say goodbye where that is possible, and close; never raises an `SmtpError`."""
        try:
            if self.usable:
                with suppress(SmtpError):
                    await self._ask(commands.QUIT)
        finally:
            self.close()

    def close(self) -> None:
        """Close at once."""
        self._connection.fail(ClosedError())

    async def _secure(self, context: ssl.SSLContext, server_name: str) -> None:
        self.extensions = Extensions()
        await self._connection.handshake(context, server_name)
        self.tls_verified = verifies(context)

    async def _ask(self, line: bytes) -> Reply:
        self._connection.write(line, replies=1)
        return await self._reply()

    async def _reply(self) -> Reply:
        reply = await self._connection.reply()
        if reply.code == _SERVICE_CLOSING:
            # The relay closes its end (RFC 5321, section 3.8); what follows would be lost.
            self._closing = True
        return reply

    def _granted(self, reply: Reply, code: int) -> Reply:
        if not self._fitting(reply, range(code, code + 1)).positive:
            raise RefusedError(reply)
        return reply

    def _fitting(self, reply: Reply, codes: range) -> Reply:
        if reply.positive and reply.code not in codes:
            raise self._broken(Reason.UNEXPECTED_REPLY, reply)
        return reply

    def _broken(self, reason: Reason, reply: Reply | None = None) -> ProtocolError:
        error = ProtocolError(reason, reply)
        self._connection.fail(error)
        return error

    async def _cancel(self) -> None:
        self._connection.hasten(_CANCEL_SECONDS)
        with suppress(SmtpError):
            await self._ask(commands.AUTH_CANCEL)
