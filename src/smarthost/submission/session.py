"""One SMTP session as a server leads it (RFC 5321, RFC 6409), without I/O: octets in, steps out.

Every command gets one reply, in order, however the octets are cut and whether they come one by one
or as a group (RFC 2920). What has to be looked up or stored is a step that whoever drives the
session does and answers; until then no further command is looked at.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from smarthost.smtp.command_parser import (
    Auth,
    Command,
    CommandError,
    Ehlo,
    Helo,
    Mail,
    Plain,
    Rcpt,
    parse_command,
)
from smarthost.smtp.command_reader import CommandReader, LineError
from smarthost.smtp.sasl_server import (
    EXCHANGES,
    BadResponseError,
    CancelledError,
    Challenge,
    Credentials,
    ServerLogin,
)
from smarthost.submission import replies
from smarthost.submission.limits import Limits
from smarthost.submission.replies import Reply
from smarthost.submission.steps import Login, Message, Sender, StartTls, Step, Submitter
from smarthost.submission.transaction import Transaction

_SAID = {
    Plain.RSET: replies.RESET,
    Plain.NOOP: replies.NOTHING_DONE,
    Plain.VRFY: replies.NOT_VERIFIED,
    Plain.HELP: replies.HELP,
    Plain.QUIT: replies.BYE,
}


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is offered to a client."""

    host: str
    """What this server calls itself: a domain, or an address literal."""
    starttls: bool
    """There is a certificate."""
    login_in_clear: bool
    """Nobody reads along: client and server are one machine."""
    limits: Limits


class Session:
    """Leads one session. `receive` octets, then take `next` until there is none."""

    def __init__(self, terms: Terms, *, tls: bool = False) -> None:
        """`tls`: it is there from the first octet."""
        self.tls = tls
        self.submitter: Submitter | None = None
        self._terms = terms
        self._limits = terms.limits
        self._lines = CommandReader()
        self._name: str | None = None
        self._extended = False
        self._login: ServerLogin | None = None
        self._transaction: Transaction | None = None
        self._asked: Step | None = None
        self._errors = 0
        self._bad_logins = 0

    @property
    def receiving(self) -> bool:
        """Whether a message is coming in, or has come and was not looked at."""
        transaction = self._transaction
        return transaction is not None and (transaction.receiving or transaction.received)

    @property
    def held(self) -> int:
        """How many octets of a message are kept."""
        return 0 if self._transaction is None else self._transaction.held

    def greeting(self) -> Reply:
        """Return what is said first."""
        return replies.GREETING.filled(host=self._terms.host)

    def receive(self, octets: bytes) -> bool:
        """Take octets from the client; return whether `next` may have something."""
        transaction = self._transaction
        if transaction is None or not transaction.receiving:
            self._lines.feed(octets)
            return True
        rest = transaction.receive(octets)
        if rest is None:
            return False
        self._lines.feed(rest)
        return True

    def drop_message(self) -> None:
        """Keep nothing of the message that is coming in; it is refused for now at its end."""
        if self._transaction is not None:
            self._transaction.drop()

    def next(self) -> Step | None:
        """Return what is to be said or done now, None: more has to come from the client."""
        step = self._next_of_data() if self.receiving else self._next_of_commands()
        if isinstance(step, Reply):
            return self._counted(step)
        self._asked = step
        return step

    def answer(self, reply: Reply, submitter: Submitter | None = None) -> Reply:
        """Take what the last step has come to, and return what is to be said.

        `submitter`: who has logged in, or who it is as things are now.
        """
        asked, self._asked = self._asked, None
        self.submitter = submitter or self.submitter
        if isinstance(asked, Login) and submitter is None and not reply.positive:
            self._bad_logins += reply.code >= 500
            if self._bad_logins >= self._limits.bad_logins:
                return replies.TOO_MANY_BAD_LOGINS
        elif isinstance(asked, Sender) and reply.positive:
            self._transaction = Transaction(asked.mail, self._limits)
        elif isinstance(asked, Message) and reply.positive:
            # Who sends a list one by one in one session has an address that is none now and then.
            self._errors = 0
        return self._counted(reply)

    def encrypted(self) -> None:
        """Forget what was said in clear (RFC 3207, section 4.2); nobody has logged in there."""
        self.tls = True
        self._asked = None
        self._name, self._extended = None, False
        self._transaction = None

    # Lines.

    def _next_of_commands(self) -> Step | None:
        try:
            line = self._lines.line(response=self._login is not None)
        except LineError as error:
            return replies.LINE_FAULTS[error.fault]
        if line is None:
            return None
        if self._login is not None:
            return self._led_on(partial(self._login.respond, line))
        transaction = self._transaction
        smtputf8 = transaction is not None and transaction.smtputf8
        try:
            command = parse_command(line, smtputf8=smtputf8)
        except CommandError as error:
            return replies.of_command(error)
        return self._carry_out(command)

    def _carry_out(self, command: Command) -> Step:
        match command:
            case Rcpt():
                return self._rcpt(command)
            case Mail():
                return self._mail_from(command)
            case Ehlo() | Helo():
                return self._hello(command)
            case Auth():
                return self._auth(command)
            case Plain():
                return self._plain(command)

    def _plain(self, command: Plain) -> Step:
        match command:
            case Plain.DATA:
                return self._begin_data()
            case Plain.STARTTLS:
                return self._starttls()
            case Plain.VRFY if self.submitter is None:
                return self._login_first()
            case Plain.RSET:
                self._transaction = None
        return _SAID[command]

    def _hello(self, command: Ehlo | Helo) -> Reply:
        self._name = command.name
        self._extended = isinstance(command, Ehlo)
        self._transaction = None
        hello = replies.HELLO.filled(host=self._terms.host)
        if not self._extended:
            return hello
        return msgspec.structs.replace(hello, lines=(*hello.lines, *self._extensions()))

    def _extensions(self) -> list[str]:
        offered = [
            "PIPELINING",
            f"SIZE {self._limits.message_octets}",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "DSN",
        ]
        if self._terms.starttls and not self.tls:
            offered.append("STARTTLS")
        if self._login_possible and self.submitter is None:
            offered.append(f"AUTH {' '.join(EXCHANGES)}")
        return offered

    def _starttls(self) -> Step:
        if self.tls:
            return replies.TLS_ALREADY
        if not self._terms.starttls:
            return replies.TLS_NOT_OFFERED
        if self.submitter is not None:
            return replies.TLS_TOO_LATE
        if self._lines.has_rest:
            # Somebody in between may have put it there, to be run as the client's own.
            return replies.SPOKE_BEFORE_TLS
        return StartTls(reply=replies.TLS_GO_AHEAD)

    # The login.

    @property
    def _login_possible(self) -> bool:
        return self.tls or self._terms.login_in_clear

    def _login_first(self) -> Reply:
        return replies.LOGIN_FIRST if self._login_possible else replies.ENCRYPT_FIRST

    def _auth(self, command: Auth) -> Step:
        if self.submitter is not None:
            return replies.LOGGED_IN_ALREADY
        if not self._extended:
            return replies.LOGIN_NEEDS_EHLO
        if not self._login_possible:
            return replies.LOGIN_NEEDS_TLS
        if command.mechanism not in EXCHANGES:
            return replies.MECHANISM_UNKNOWN
        self._login = ServerLogin(command.mechanism)
        return self._led_on(partial(self._login.begin, command.initial))

    def _led_on(self, step: Callable[[], Challenge | Credentials]) -> Step:
        asked: Challenge | Credentials | Reply
        try:
            asked = step()
        except CancelledError:
            asked = replies.LOGIN_CANCELLED
        except BadResponseError:
            asked = replies.LOGIN_UNREADABLE
        if isinstance(asked, Challenge):
            return replies.CHALLENGE.filled(challenge=asked.text)
        self._login = None
        return Login(credentials=asked) if isinstance(asked, Credentials) else asked

    # The message.

    def _mail_from(self, command: Mail) -> Step:
        if self._name is None:
            return replies.HELLO_FIRST
        if self.submitter is None:
            return self._login_first()
        if self._transaction is not None:
            return replies.SENDER_ALREADY
        if (command.parameters.size or 0) > self._limits.message_octets:
            return replies.TOO_LARGE.filled(size=self._limits.message_octets)
        return Sender(submitter=self.submitter, mail=command)

    def _rcpt(self, command: Rcpt) -> Reply:
        if self._transaction is None:
            return self._out_of_order()
        return self._transaction.rcpt(command)

    def _begin_data(self) -> Reply:
        if self._lines.has_rest:
            # DATA ends a group (RFC 2920, section 3.1): what follows it here is either a message
            # that was not asked for, or its end is somewhere else than its sender believes.
            return replies.DATA_TOO_SOON
        if self._transaction is None:
            return self._out_of_order()
        return self._transaction.begin_data()

    def _out_of_order(self) -> Reply:
        return self._login_first() if self.submitter is None else replies.SENDER_FIRST

    def _next_of_data(self) -> Step | None:
        transaction, submitter = self._transaction, self.submitter
        if transaction is None or submitter is None or transaction.receiving:
            return None
        self._transaction = None
        return transaction.result(submitter, self._name or "")

    def _counted(self, reply: Reply) -> Reply:
        if reply.code >= 500:
            self._errors += 1
        return reply if self._errors <= self._limits.errors else replies.TOO_MANY_ERRORS
