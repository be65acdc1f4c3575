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
from smarthost.mail.dsn import Dsn
from smarthost.smtp import commands
from smarthost.smtp.authentication import Authentication
from smarthost.smtp.connection import Connection, open_connection
from smarthost.smtp.dialogue import MAIL_DONE, Dialogue
from smarthost.smtp.errors import Reason, RefusedError, SmtpError
from smarthost.smtp.extensions import Extensions
from smarthost.smtp.reply import Reply
from smarthost.smtp.sasl import Exchange, SaslError
from smarthost.smtp.tls import Certificate, read_certificate, verifies
from smarthost.smtp.transaction import Transaction

_CANCEL_SECONDS = 1.0  # for the relay to acknowledge the end of an exchange
_NOTHING_ASKED = Dsn()


class Client:
    """A session with the relay at `address` and `port`, made by `Client.connect`.

    Steps, in order: `implicit_tls` where TLS comes first, `greeting`, `ehlo`, `start_tls` and
    `ehlo` again, `authenticate`; then a `transaction` for each message; `quit`. Set `deadline` (a
    moment of the clock's `monotonic()`) before each step. Every step may raise `TimedOutError`,
    `ClosedError` or `ProtocolError`, after which `usable` is false.

    `extensions` are those of the last `ehlo`; `tls_verified` says whether the certificate was
    proved.
    """

    def __init__(self, connection: Connection, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.extensions = Extensions()
        self.tls_verified = False
        self._connection = connection
        self._dialogue = Dialogue(connection)

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
        return self._dialogue.usable

    @property
    def quiet(self) -> bool:
        """Whether the relay has neither said anything unasked nor hung up, up to this moment.

        What is said later looks like the reply to the next command.
        """
        return self._dialogue.usable and not self._connection.has_unread

    @property
    def message_left(self) -> bool:
        """Whether the end of the message of the last transaction was handed to the network.

        Before that no relay has accepted it, whatever it has read: a message without its end is
        dropped with the connection (RFC 5321, section 4.1.1.10). After that only a reply can tell.
        """
        return self._connection.message_left

    def check_usable(self) -> None:
        """Raise what ended the connection, or `ClosedError`, unless `usable`."""
        self._dialogue.check_usable()

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
        return self._dialogue.granted(await self._dialogue.reply(), 220)

    async def ehlo(self, name: str) -> Extensions:
        """Say who we are and learn what the relay can do. Raises `RefusedError`.

        There is no way back to HELO: what speaks no ESMTP takes no submitted mail today.
        """
        self.extensions = Extensions()
        reply = self._dialogue.granted(await self._dialogue.ask(commands.ehlo(name)), 250)
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
            self._dialogue.granted(await self._dialogue.ask(commands.STARTTLS), 220)
        except RefusedError:
            self._connection.expect_tls(now=False)
            raise
        await self._secure(context, server_name)

    async def authenticate(self, exchange: Exchange) -> Reply:
        """Go through a SASL exchange (RFC 4954); gives the 235.

        Raises `RefusedError` where the relay does not accept it, and `ProtocolError` with
        `BAD_CHALLENGE` where what it sends does not fit. No reply in them repeats what was sent.
        """
        login = Authentication(exchange)
        reply = await self._dialogue.ask(await self._connection.in_thread(login.begin))
        try:
            while line := await self._connection.in_thread(partial(login.answer, reply)):
                reply = await self._dialogue.ask(line)
        except SaslError:
            await self._cancel()
            raise self._dialogue.broken(Reason.BAD_CHALLENGE) from None
        reply = self._dialogue.granted(login.cleaned(reply), 235)
        try:
            exchange.check_done()
        except SaslError:
            raise self._dialogue.broken(Reason.BAD_CHALLENGE, reply) from None
        return reply

    def transaction(
        self,
        sender: str,
        recipients: Sequence[str],
        *,
        size: int | None = None,
        utf8: bool = False,
        eight_bit: bool = False,
        one_by_one: bool = False,
        dsn: Dsn | None = None,
    ) -> Transaction:
        """Begin a message from `sender` (empty: a notification) to `recipients`.

        `size` in octets is told to relays that ask for it, `dsn` to those that offer DSN. With
        `one_by_one` no command is sent before the reply to the last one, whatever the relay
        offers. Raises `ValueError` where `utf8` or `eight_bit` is asked of a relay without
        SMTPUTF8 or 8BITMIME, and on an address or a value of `dsn` that cannot go into a command.
        """
        offered = self.extensions
        if (utf8 and not offered.smtp_utf8) or (eight_bit and not offered.eight_bit_mime):
            raise ValueError("The relay does not offer what this message needs.")
        told = size if offered.size is not None else None
        asked = dsn if dsn is not None and offered.dsn else _NOTHING_ASKED
        self._connection.message_left = False
        return Transaction(
            self._dialogue,
            commands.mail_from(
                sender,
                size=told,
                utf8=utf8,
                eight_bit=eight_bit,
                ret=asked.ret,
                envelope_id=asked.envelope_id,
            ),
            [_rcpt_to(path, asked, utf8=utf8) for path in recipients],
            pipelined=offered.pipelining and not one_by_one,
            eight_bit=eight_bit or utf8,
        )

    async def reset(self) -> None:
        """Have the relay forget a message that was begun (RFC 5321, section 4.1.1.5)."""
        if self.usable and self._dialogue.transaction_open:
            self._dialogue.fitting(await self._dialogue.ask(commands.RSET), MAIL_DONE)
            self._dialogue.transaction_open = False

    async def quit(self) -> None:
        """Say goodbye where that is possible, and close; never raises an `SmtpError`."""
        try:
            if self.usable:
                with suppress(SmtpError):
                    await self._dialogue.ask(commands.QUIT)
        finally:
            self.close()

    def close(self) -> None:
        """Close at once."""
        self._dialogue.close()

    async def _secure(self, context: ssl.SSLContext, server_name: str) -> None:
        self.extensions = Extensions()
        await self._connection.handshake(context, server_name)
        self.tls_verified = verifies(context)

    async def _cancel(self) -> None:
        self._connection.hasten(_CANCEL_SECONDS)
        with suppress(SmtpError):
            await self._dialogue.ask(commands.AUTH_CANCEL)


def _rcpt_to(path: str, dsn: Dsn, *, utf8: bool) -> bytes:
    asked = dsn.asked_for(path)
    return commands.rcpt_to(
        path, utf8=utf8, notify=asked.notify, original_recipient=asked.original_recipient
    )
