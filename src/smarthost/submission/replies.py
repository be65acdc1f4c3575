"""The one table of all that is said to an SMTP client: code, enhanced code, what to do.

Codes are RFC 5321's and its extensions', enhanced codes RFC 3463's and of IANA's registry. A
client that can do nothing but show the text shows one that helps; whether it tries again depends
on the code alone, so that 4yz is said of all that can pass by itself or by somebody's hand.
"""

import textwrap
from collections.abc import Iterable
from functools import cached_property

import msgspec

from smarthost.database.engine import (
    OutcomeUnknownError,
    StoreFullError,
    StoreUnavailableError,
)
from smarthost.mail_queue.accepted.model import IdempotencyMismatchError, NotAcceptableError
from smarthost.sending.model import FaultKind, Refused
from smarthost.sending.prepare import NO_RELAY as NO_RELAY_SAVED
from smarthost.smtp.command_parser import CommandError, Fault
from smarthost.smtp.command_reader import LineFault
from smarthost.smtp.data_reader import DataEnd

# RFC 5321, section 4.5.3.1.5: 512 octets of a line, with codes, CRLF and some to spare.
_LONGEST_LINE = 480
_MOST_LINES = 20


class Reply(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One reply."""

    code: int
    enhanced: str | None
    """None: this reply has none (RFC 2034, section 3)."""
    lines: tuple[str, ...]
    ends: bool = False
    """The session is over with it."""

    @property
    def positive(self) -> bool:
        """Whether the command was carried out, or may go on."""
        return self.code < 400

    @property
    def text(self) -> str:
        """The reply in one line, for the log."""
        return " ".join((str(self.code), self.enhanced or "", *self.lines))

    @cached_property
    def octets(self) -> bytes:
        """The reply as it is sent: ASCII, each line of at most 512 octets."""
        prefix = "" if self.enhanced is None else f"{self.enhanced} "
        *first, last = [f"{prefix}{line}" for line in self.lines] or [prefix.rstrip()]
        lines = [*(f"{self.code}-{line}" for line in first), f"{self.code} {last}"]
        return "".join(f"{line}\r\n" for line in lines).encode("ascii")

    def filled(self, **values: object) -> "Reply":
        """Return the same reply with these values where its words have their names."""
        return msgspec.structs.replace(self, lines=(self.lines[0].format(**values),))

    def saying(self, *texts: str) -> "Reply":
        """Return the same reply in other words, a line or more for each of `texts`.

        Other characters than printable ASCII are escaped: whose text it is does not matter then.
        """
        lines = [line for text in texts for line in _wrapped(text)]
        return msgspec.structs.replace(self, lines=tuple(lines[:_MOST_LINES]) or self.lines)


def _reply(code: int, enhanced: str | None, text: str, *, ends: bool = False) -> Reply:
    return Reply(code=code, enhanced=enhanced, lines=(text,), ends=ends)


def _wrapped(text: str) -> Iterable[str]:
    printable = text if text.isprintable() else repr(text)[1:-1]
    escaped = printable.encode("ascii", "backslashreplace").decode("ascii")
    return textwrap.wrap(escaped, _LONGEST_LINE)


# The session.

GREETING = _reply(220, None, "{host} ESMTP Smarthost")
HELLO = _reply(250, None, "{host}")
BYE = _reply(221, "2.0.0", "Bye", ends=True)
RESET = _reply(250, "2.0.0", "Forgotten")
NOTHING_DONE = _reply(250, "2.0.0", "Ok")
HELP = _reply(214, "2.0.0", "Log in with AUTH, any user name, and an API key as the password")
NOT_VERIFIED = _reply(252, "2.5.0", "Cannot tell; send the message and it is tried")
HELLO_FIRST = _reply(503, "5.5.1", "Say EHLO first")
TOO_MANY_ERRORS = _reply(421, "4.7.0", "Too many errors in one session", ends=True)
TIMED_OUT = _reply(421, "4.4.2", "The session took too long", ends=True)
STOPPING = _reply(421, "4.3.2", "The service is stopping; try again soon", ends=True)
TOO_MANY_SESSIONS = _reply(421, "4.7.0", "Too many sessions are open; try again soon", ends=True)
OWN_FAULT = _reply(421, "4.3.0", "A fault of this service; its log tells more", ends=True)

# TLS and login.

TLS_GO_AHEAD = _reply(220, "2.0.0", "Go ahead")
TLS_NOT_OFFERED = _reply(502, "5.5.1", "TLS is not offered here")
TLS_ALREADY = _reply(503, "5.5.1", "TLS is there already")
TLS_TOO_LATE = _reply(503, "5.5.1", "TLS begins before the login")
SPOKE_BEFORE_TLS = _reply(
    554, "5.5.0", "Something followed STARTTLS before TLS was there", ends=True
)
LOGGED_IN = _reply(235, "2.7.0", "Logged in")
CHALLENGE = _reply(334, None, "{challenge}")
LOGIN_REFUSED = _reply(
    535, "5.7.8", "Login refused: the password is an API key of Smarthost, the user name is free"
)
LOGIN_NOT_ALLOWED = _reply(535, "5.7.8", "This key may not send")
LOGIN_CANCELLED = _reply(501, "5.7.0", "Login cancelled")
LOGIN_UNREADABLE = _reply(501, "5.5.2", "The response is not what the mechanism asks for")
LOGIN_FIRST = _reply(
    530, "5.7.0", "Log in first with AUTH, any user name, and an API key as the password"
)
ENCRYPT_FIRST = _reply(530, "5.7.0", "Start TLS first, then log in with AUTH")
LOGIN_NEEDS_TLS = _reply(
    538, "5.7.11", "Logging in needs TLS here; only on this machine itself it goes without"
)
LOGIN_NEEDS_EHLO = _reply(503, "5.5.1", "Logging in needs EHLO before it")
LOGGED_IN_ALREADY = _reply(503, "5.5.1", "You have logged in already")
MECHANISM_UNKNOWN = _reply(504, "5.5.4", "The mechanisms here are PLAIN and LOGIN")
TOO_MANY_BAD_LOGINS = _reply(
    421, "4.7.0", "Too many logins were refused; try again in a minute", ends=True
)
KEY_GONE = _reply(
    421, "4.7.0", "The API key was revoked or has expired; log in with another one", ends=True
)

# The message.

SENDER_OK = _reply(250, "2.1.0", "Ok")
RECIPIENT_OK = _reply(250, "2.1.5", "Ok")
SEND_DATA = _reply(354, None, "End the message with a line that is a dot")
ACCEPTED = _reply(250, "2.0.0", "Ok: queued as {id}")
SENDER_ALREADY = _reply(503, "5.5.1", "One message at a time: MAIL was said already")
SENDER_FIRST = _reply(503, "5.5.1", "Say MAIL first")
RECIPIENT_FIRST = _reply(503, "5.5.1", "Name a recipient with RCPT first")
SENDER_NOT_ALLOWED = _reply(550, "5.7.1", "This portal may not send as that address")
TOO_MANY_RECIPIENTS = _reply(
    452, "4.5.3", "Too many recipients; send the message to the rest again"
)
TOO_LARGE = _reply(552, "5.3.4", "The message is too large; it may have {size} octets")
TOO_LARGE_ENDLESS = _reply(
    552, "5.3.4", "The message is too large; it may have {size} octets", ends=True
)
NO_ROOM = _reply(452, "4.3.1", "Too many large messages come in just now; try again soon")
DATA_TOO_SOON = _reply(554, "5.5.0", "The message came before the 354 that asks for it", ends=True)
MALFORMED_DATA = _reply(
    554,
    "5.6.0",
    "The message has a CR or LF that is no part of a CRLF, or a NUL; lines end in CRLF",
    ends=True,
)
# A person mends it without the sender's doing, and a client that keeps its mail need not lose it.
NO_RELAY = _reply(451, "4.3.5", NO_RELAY_SAVED)
KEY_MISUSED = _reply(554, "5.5.0", "The idempotency key cannot be taken")

# Commands.

LINE_TOO_LONG = _reply(500, "5.5.2", "The line is too long", ends=True)
LINE_NOT_CRLF = _reply(500, "5.5.2", "Lines end in CRLF, and have no other CR or LF", ends=True)
LINE_WITH_NUL = _reply(500, "5.5.2", "A line has no NUL in it", ends=True)

LINE_FAULTS = {
    LineFault.TOO_LONG: LINE_TOO_LONG,
    LineFault.NOT_CRLF: LINE_NOT_CRLF,
    LineFault.NUL: LINE_WITH_NUL,
}
"""What a line is answered with that is none."""

COMMAND_FAULTS = {
    Fault.UNREADABLE: _reply(500, "5.5.2", "The command has characters that none has"),
    Fault.UNKNOWN: _reply(500, "5.5.1", "There is no such command"),
    Fault.NOT_OFFERED: _reply(502, "5.5.1", "This command is not offered here"),
    Fault.SYNTAX: _reply(501, "5.5.4", "The command is not written as it should be"),
    Fault.PARAMETER: _reply(501, "5.5.4", "A parameter has a value that it cannot have"),
    Fault.UNKNOWN_PARAMETER: _reply(555, "5.5.4", "A parameter is not known here"),
    Fault.REVERSE_PATH: _reply(501, "5.1.7", "The sender's address cannot be read"),
    Fault.FORWARD_PATH: _reply(501, "5.1.3", "The recipient's address cannot be read"),
    Fault.UTF8_NOT_ASKED: _reply(
        553, "5.6.7", "An address beyond ASCII needs the parameter SMTPUTF8 of MAIL"
    ),
    Fault.POSTMASTER: _reply(
        550, "5.1.1", "There is no mailbox here; write the postmaster's whole address"
    ),
}
"""What a command is answered with that cannot be taken."""

DATA_ENDS = {
    DataEnd.TOO_LARGE: TOO_LARGE,
    DataEnd.ENDLESS: TOO_LARGE_ENDLESS,
    DataEnd.DROPPED: NO_ROOM,
    DataEnd.MALFORMED: MALFORMED_DATA,
}
"""What a message is answered with that was not kept."""

REFUSALS = {
    FaultKind.INVALID: _reply(554, "5.6.0", "The message cannot be sent as it is"),
    FaultKind.MISSING: _reply(554, "5.6.0", "The message lacks something"),
    FaultKind.NOT_ALLOWED: SENDER_NOT_ALLOWED,
    FaultKind.TOO_LARGE: _reply(552, "5.3.4", "The message is too large"),
    FaultKind.LOOP: _reply(554, "5.4.6", "The message goes in a circle"),
}
"""What a message is answered with that `sending` refuses; of several faults, the first."""

ERRORS: dict[type[Exception], Reply] = {
    OutcomeUnknownError: _reply(
        451, "4.3.0", "The store failed: it is not known whether the message was stored"
    ),
    StoreFullError: _reply(
        452, "4.3.1", "The disk is full and nothing was stored; the operator has to make room"
    ),
    StoreUnavailableError: _reply(
        451, "4.3.0", "The store cannot be reached just now and nothing was stored; try again soon"
    ),
    NotAcceptableError: _reply(554, "5.6.0", "The message cannot be taken"),
    IdempotencyMismatchError: _reply(554, "5.5.0", "The idempotency key was used before"),
}
"""Every error of another room that a command can end with, the closer kinds first."""
# The store's own words name files, for the operator.
_IN_THEIR_OWN_WORDS = (NotAcceptableError, IdempotencyMismatchError)


def of_command(error: CommandError) -> Reply:
    """Return the reply to a command that cannot be taken."""
    reply = COMMAND_FAULTS[error.fault]
    return reply.saying(*error.words) if error.words else reply


def of_refusal(refusal: Refused) -> Reply:
    """Return the reply to a message that is refused, with every fault in words."""
    reply = REFUSALS[refusal.faults[0].kind]
    return reply.saying(*(fault.message for fault in refusal.faults))


def of_error(error: Exception) -> Reply | None:
    """Return the reply to an error of another room, None for a fault of ours."""
    for kind, reply in ERRORS.items():
        if isinstance(error, kind):
            return reply.saying(str(error)) if isinstance(error, _IN_THEIR_OWN_WORDS) else reply
    return None
