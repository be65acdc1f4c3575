"""Reads the commands of an SMTP client as values (RFC 5321, section 4.1), strictly.

What comes out was parsed to the last character: a path is an `Address`, a name has only characters
of names, and no control character is in anything, so that nothing a client says can become a
header or a command of its own further on.
"""

import re
from enum import Enum, auto

import msgspec

from smarthost.mail.address import Address, AddressError, parse_address
from smarthost.mail.dsn import RecipientDsn
from smarthost.smtp.parameters import (
    MailParameters,
    ParameterError,
    mail_parameters,
    rcpt_parameters,
)

# A domain or an address literal; `_` and what else names of machines have is no reason to refuse
# (section 4.1.4).
_NAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}", re.ASCII)
_MECHANISM = re.compile(r"[A-Za-z0-9_-]{1,20}", re.ASCII)  # RFC 4422, section 3.1
_BASE64 = re.compile(r"=|[A-Za-z0-9+/]+={0,2}", re.ASCII)
_LONGEST_VERB = 10


class Fault(Enum):
    """What a command is wrong in."""

    UNREADABLE = auto()
    """It has characters that no command has."""
    UNKNOWN = auto()
    NOT_OFFERED = auto()
    """A command of an extension that is not offered, or one that is out of use."""
    SYNTAX = auto()
    PARAMETER = auto()
    """A parameter of MAIL or RCPT has a wrong value."""
    UNKNOWN_PARAMETER = auto()
    REVERSE_PATH = auto()
    FORWARD_PATH = auto()
    UTF8_NOT_ASKED = auto()
    """An address beyond ASCII without SMTPUTF8."""
    POSTMASTER = auto()
    """`RCPT TO:<Postmaster>`, which is right, and nobody's address here."""


class CommandError(ValueError):
    """A command that cannot be taken: what it is wrong in, and each single fault in words."""

    def __init__(self, fault: Fault, *words: str) -> None:
        super().__init__(" ".join(words) or fault.name)
        self.fault = fault
        self.words = words


class Helo(msgspec.Struct, frozen=True, kw_only=True):
    """HELO."""

    name: str


class Ehlo(msgspec.Struct, frozen=True, kw_only=True):
    """EHLO."""

    name: str


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """MAIL."""

    path: Address | None
    """None: the null reverse-path."""
    parameters: MailParameters


class Rcpt(msgspec.Struct, frozen=True, kw_only=True):
    """RCPT."""

    path: Address
    dsn: RecipientDsn


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """AUTH (RFC 4954)."""

    mechanism: str
    """In capital letters."""
    initial: str | None
    """The initial response in base64; `=` is an empty one."""


class Plain(Enum):
    """A command that is its verb, or whose argument means nothing here."""

    DATA = "DATA"
    RSET = "RSET"
    NOOP = "NOOP"
    VRFY = "VRFY"
    HELP = "HELP"
    QUIT = "QUIT"
    STARTTLS = "STARTTLS"


Command = Helo | Ehlo | Mail | Rcpt | Auth | Plain

_BARE = frozenset({"DATA", "RSET", "QUIT", "STARTTLS"})
_NOT_OFFERED = frozenset({"BDAT", "EXPN", "ETRN", "ATRN", "TURN", "SEND", "SOML", "SAML", "BURL"})


def parse_command(line: bytes, *, smtputf8: bool) -> Command:
    """Read a line without its end. `smtputf8`: MAIL asked for it (RFC 6531), for its RCPTs.

    Raises `CommandError`.
    """
    try:
        text = line.decode().rstrip(" \t")  # section 4.1.1
    except UnicodeDecodeError:
        raise CommandError(Fault.UNREADABLE) from None
    if not text.isprintable():
        raise CommandError(Fault.UNREADABLE)
    verb, _, argument = text.partition(" ")
    verb = verb[:_LONGEST_VERB].upper()
    if verb == "RCPT":
        return _rcpt(argument, smtputf8=smtputf8)
    if verb == "MAIL":
        return _mail(argument)
    if verb in ("EHLO", "HELO"):
        return _hello(verb, argument)
    if verb == "AUTH":
        return _auth(argument)
    if verb in Plain.__members__:
        return _plain(verb, argument)
    raise CommandError(Fault.NOT_OFFERED if verb in _NOT_OFFERED else Fault.UNKNOWN)


def _hello(verb: str, argument: str) -> Helo | Ehlo:
    if not _NAME.fullmatch(argument):
        raise CommandError(
            Fault.SYNTAX, f"{verb} takes the name of your machine, or its address as [192.0.2.1]."
        )
    return Ehlo(name=argument) if verb == "EHLO" else Helo(name=argument)


def _mail(argument: str) -> Mail:
    path, rest = _path("FROM", argument)
    try:
        parameters = mail_parameters(rest)
    except ParameterError as error:
        raise _of_parameters(error) from None
    if not path:
        return Mail(path=None, parameters=parameters)
    address = _address(path, Fault.REVERSE_PATH, smtputf8=parameters.smtputf8)
    return Mail(path=address, parameters=parameters)


def _rcpt(argument: str, *, smtputf8: bool) -> Rcpt:
    path, rest = _path("TO", argument)
    if path.lower() == "postmaster":
        raise CommandError(Fault.POSTMASTER)
    try:
        dsn = rcpt_parameters(rest)
    except ParameterError as error:
        raise _of_parameters(error) from None
    return Rcpt(path=_address(path, Fault.FORWARD_PATH, smtputf8=smtputf8), dsn=dsn)


def _path(word: str, argument: str) -> tuple[str, str]:
    """Return what stands between the angle brackets, and what follows them.

    Blanks before the bracket are not the syntax's, and many programs send them (section 3.3).
    """
    found, colon, rest = argument.partition(":")
    path, closing, behind = rest.lstrip(" ").partition(">")
    if found.upper() != word or not colon or path[:1] != "<" or not closing:
        verb = "MAIL" if word == "FROM" else "RCPT"
        raise CommandError(Fault.SYNTAX, f"Write {verb} {word}:<name@example.com>.")
    if behind and behind[0] != " ":
        raise CommandError(Fault.SYNTAX, "A blank stands between the address and what follows it.")
    return path[1:], behind[1:]


def _address(path: str, fault: Fault, *, smtputf8: bool) -> Address:
    if path.startswith("@"):
        # Section 3.6.1 and appendix C: nobody needs one, and it asks for a way round the relay.
        raise CommandError(fault, "A source route is not taken: give the address alone.")
    if not (smtputf8 or path.isascii()):
        raise CommandError(Fault.UTF8_NOT_ASKED)
    if path != path.strip(" "):
        raise CommandError(fault, "No blank stands inside the angle brackets.")
    try:
        return parse_address(path)
    except AddressError as error:
        raise CommandError(fault, str(error)) from None


def _auth(argument: str) -> Auth:
    mechanism, blank, initial = argument.partition(" ")
    if not _MECHANISM.fullmatch(mechanism) or (blank and not _BASE64.fullmatch(initial)):
        raise CommandError(Fault.SYNTAX, "AUTH takes a mechanism, and a response in base64.")
    return Auth(mechanism=mechanism.upper(), initial=initial if blank else None)


def _plain(verb: str, argument: str) -> Plain:
    if argument and verb in _BARE:
        raise CommandError(Fault.SYNTAX, f"Nothing follows {verb}.")
    return Plain[verb]


def _of_parameters(error: ParameterError) -> CommandError:
    fault = Fault.UNKNOWN_PARAMETER if error.unknown else Fault.PARAMETER
    return CommandError(fault, *error.faults)
