"""The parameters that extensions add to MAIL and RCPT (RFC 5321, section 4.1.2), strictly.

Each is known by name and stands there once; all that is wrong with them is told at once. A value
is taken as it will be used: sizes as numbers, xtext decoded and free of control characters.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from smarthost.mail.dsn import Notify, RecipientDsn, Return
from smarthost.smtp.xtext import XtextError, decoded

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,20}", re.ASCII)  # RFC 1870, section 6
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)
_LONGEST_ENVID = 100  # RFC 3461, section 4.4
_LONGEST_ORCPT = 500  # section 4.2
_SHOWN = 40


class Body(StrEnum):
    """What the content is said to be (RFC 6152)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"


class ParameterError(ValueError):
    """Parameters that cannot be taken: `unknown` ones (555), or wrong values (501)."""

    def __init__(self, faults: Iterable[str], *, unknown: bool) -> None:
        self.faults = tuple(faults)
        self.unknown = unknown
        super().__init__(" ".join(self.faults))


class MailParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What follows a reverse-path."""

    size: int | None = None
    """Octets, as the client has counted or guessed them."""
    body: Body | None = None
    smtputf8: bool = False
    ret: Return | None = None
    envelope_id: str | None = None


NO_PARAMETERS = MailParameters()
_NOT_ASKED = RecipientDsn()


def mail_parameters(text: str) -> MailParameters:
    """Read SIZE, BODY, SMTPUTF8, RET, ENVID, and AUTH, which is passed over.

    Whom a client says that it submits for (RFC 4954, section 5) is of no use here: it has logged
    in for itself. Raises `ParameterError`.
    """
    return MailParameters(**_read(text, _OF_MAIL)) if text else NO_PARAMETERS


def rcpt_parameters(text: str) -> RecipientDsn:
    """Read NOTIFY and ORCPT. Raises `ParameterError`."""
    return RecipientDsn(**_read(text, _OF_RCPT)) if text else _NOT_ASKED


def _size(value: str) -> int:
    if not _SIZE.fullmatch(value):
        raise ValueError("SIZE takes a number of octets, up to 20 digits.")
    return int(value)


def _body(value: str) -> Body:
    try:
        return Body(value.upper())
    except ValueError:
        raise ValueError("BODY takes 7BIT or 8BITMIME.") from None


def _smtputf8(value: str) -> bool:
    if value:
        raise ValueError("SMTPUTF8 takes no value.")
    return True


def _auth(value: str) -> None:
    _xtext("AUTH", value)


def _ret(value: str) -> Return:
    try:
        return Return(value.upper())
    except ValueError:
        raise ValueError("RET takes FULL or HDRS.") from None


def _envid(value: str) -> str:
    text = _xtext("ENVID", value)
    if not 1 <= len(text) <= _LONGEST_ENVID:
        raise ValueError(f"ENVID takes 1 to {_LONGEST_ENVID} characters.")
    return text


def _notify(value: str) -> frozenset[Notify]:
    words = value.upper().split(",")
    known = frozenset(Notify(word) for word in words if word in Notify.__members__)
    if len(known) != len(words) or (Notify.NEVER in known and len(known) > 1):
        raise ValueError("NOTIFY takes NEVER alone, or of SUCCESS, FAILURE and DELAY each once.")
    return known


def _orcpt(value: str) -> str:
    kind, semicolon, address = value.partition(";")
    if not (semicolon and address and _ADDRESS_TYPE.fullmatch(kind)):
        raise ValueError("ORCPT takes a type and an address, as in rfc822;name@example.com.")
    if len(value) > _LONGEST_ORCPT:
        raise ValueError(f"ORCPT takes at most {_LONGEST_ORCPT} characters.")
    return f"{kind};{_xtext('ORCPT', address)}"


# By name: the field that keeps the value, None if nothing does, and what reads it.
_Known = Mapping[str, tuple[str | None, Callable[[str], Any]]]
_OF_MAIL: _Known = {
    "SIZE": ("size", _size),
    "BODY": ("body", _body),
    "SMTPUTF8": ("smtputf8", _smtputf8),
    "AUTH": (None, _auth),
    "RET": ("ret", _ret),
    "ENVID": ("envelope_id", _envid),
}
_OF_RCPT: _Known = {"NOTIFY": ("notify", _notify), "ORCPT": ("original_recipient", _orcpt)}


def _read(text: str, known: _Known) -> dict[str, Any]:
    found: dict[str, Any] = {}
    unknown: list[str] = []
    wrong: list[str] = []
    seen: set[str] = set()
    for parameter in text.split():
        name, _, value = parameter.partition("=")
        name = name.upper()
        if name not in known:
            unknown.append(_unknown(name))
        elif name in seen:
            wrong.append(f"{name} stands there twice.")
        else:
            seen.add(name)
            field, read = known[name]
            try:
                found[field or ""] = read(value)
            except ValueError as error:
                wrong.append(str(error))
    if unknown or wrong:
        raise ParameterError([*wrong, *unknown], unknown=not wrong)
    found.pop("", None)
    return found


def _unknown(name: str) -> str:
    shown = name[:_SHOWN] if _NAME.fullmatch(name) else "That"
    return f"{shown} is no parameter that is known here."


def _xtext(name: str, value: str) -> str:
    """Return what xtext stands for: ASCII that can be printed, so that it is one line anywhere."""
    try:
        text = decoded(value.encode()).decode("ascii")
    except (XtextError, UnicodeDecodeError):
        text = "\0"
    if not text.isprintable():
        raise ValueError(f"{name} is not in xtext, or has something other than ASCII in it.")
    return text
