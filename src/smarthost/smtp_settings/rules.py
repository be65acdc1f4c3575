"""The rules of a portal's settings, checked all at once.

Nothing here touches a network or a store: what is right about a relay's name and port can be
said at once; whether mail goes out is another question, which a test message answers.
"""

import unicodedata
from collections.abc import Callable
from typing import TypeVar

import msgspec

from smarthost.mail.address import parse_address
from smarthost.mail.host import parse_host
from smarthost.secret import Secret
from smarthost.smtp_settings.model import (
    DEFAULT_PORT,
    Draft,
    Faults,
    InvalidSettingsError,
    SettingsInput,
    SmtpSettings,
)

LONGEST_TEXT = 255
"""Characters in each text field of the contract but the password."""
LONGEST_PASSWORD = 1000
"""Octets of UTF-8."""

# Line and paragraph separators end a line for some readers; the directional formatting
# characters make a name look like another one (Unicode TR 36, section 2.6).
_REFUSED = {"Cc", "Cs", "Zl", "Zp"}
_NOT_IN_PASSWORDS = {"Cc", "Cs"}
_DIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_DESTINATION = frozenset({"host", "port", "enable_ssl", "use_ntlm", "user_name"})

_PASSWORD_TOO_LONG = f"A password may have at most {LONGEST_PASSWORD} octets."
NOTHING_STORED = (
    "The password is needed: none is stored for this host, port, TLS setting and user name."
)

T = TypeVar("T")


class Collected:
    """Collects faults while values are made; a value with a fault is its stand-in."""

    def __init__(self) -> None:
        self.faults: Faults = {}

    def refuse(self, field: str, message: str) -> None:
        """Add a fault."""
        self.faults.setdefault(field, []).append(message)

    def parsed(self, field: str, text: str, parse: Callable[[str], T], stand_in: T) -> T:
        """Return what `parse` makes of the text; its `ValueError` is a fault."""
        if len(text) > LONGEST_TEXT:
            self.refuse(field, f"This may have at most {LONGEST_TEXT} characters.")
            return stand_in
        try:
            return parse(text)
        except ValueError as error:
            self.refuse(field, str(error))
            return stand_in


def check(
    typed: SettingsInput, stored: SmtpSettings | None, unread: frozenset[str] = frozenset()
) -> Draft:
    """Return the settings that `typed` asks for.

    `stored` are the settings in force: with `enable_auth` and no password, theirs stays if the
    destination is the same. Raises `InvalidSettingsError` with every wrong field. `unread` names
    the fields whose values here are stand-ins, since what was typed was no value at all: whoever
    asks with some refuses the draft in any case, and wants to know what else is wrong.
    """
    faults = Collected()
    settings = SmtpSettings(
        host=_host(typed.host, faults),
        port=_port(typed.port, faults),
        sender_address=_sender_address(typed.sender_address, faults),
        sender_display_name=faults.parsed(
            "sender_display_name", typed.sender_display_name or "", one_line, ""
        )
        or None,
        user_name=_user_name(typed, faults),
        enable_ssl=typed.enable_ssl,
        enable_auth=typed.enable_auth,
        use_ntlm=typed.use_ntlm,
    )
    password = _password(typed, faults)
    unknown = unread.union(faults.faults)
    left_out = settings.enable_auth and password is None and "password" not in unknown
    if left_out and not same_destination(stored, settings, unknown):
        faults.refuse("password", NOTHING_STORED)
    if faults.faults:
        raise InvalidSettingsError(faults.faults)
    draft = Draft(settings=settings, password=password)
    return Draft(settings=with_oauth2(draft, stored), password=password)


def with_oauth2(draft: Draft, stored: SmtpSettings | None) -> SmtpSettings:
    """Return the settings that `draft` asks for where `stored` are in force.

    Where the stored secret stays, so does the OAuth2 that it belongs to. A password that was
    typed, another destination and no login end that.
    """
    stays = draft.keeps_password and same_destination(stored, draft.settings)
    oauth2 = stored.oauth2 if stored is not None and stays else None
    if draft.settings.oauth2 == oauth2:
        return draft.settings
    return msgspec.structs.replace(draft.settings, oauth2=oauth2)


def same_destination(
    stored: SmtpSettings | None, wanted: SmtpSettings, unknown: frozenset[str] = frozenset()
) -> bool:
    """Whether the password stored with `stored` may be used with `wanted`.

    Only for the very destination that it was typed for. `unknown` fields are not compared.
    """
    if stored is None or not stored.enable_auth:
        return False
    compared = _DESTINATION - unknown
    return all(getattr(stored, name) == getattr(wanted, name) for name in compared)


def _host(text: str | None, faults: Collected) -> str:
    if not (text or "").strip():
        faults.refuse("host", "The relay's host name is needed, such as mail.example.com.")
        return ""
    return faults.parsed("host", text or "", parse_host, "")


def _port(port: int | None, faults: Collected) -> int:
    if port is None:
        return DEFAULT_PORT
    if not 1 <= port <= 65535:
        faults.refuse("port", "The port is a whole number from 1 to 65535.")
    return port


def _sender_address(text: str | None, faults: Collected) -> str:
    if not (text or "").strip():
        faults.refuse(
            "sender_address", "The sender's address is needed, such as notify@example.com."
        )
        return ""
    return faults.parsed("sender_address", text or "", lambda given: str(parse_address(given)), "")


def _user_name(typed: SettingsInput, faults: Collected) -> str | None:
    name = faults.parsed("user_name", typed.user_name or "", one_line, "?")
    if not typed.enable_auth:
        return None
    if not name:
        faults.refuse("user_name", "The user name is needed to log in to the relay.")
    return name


def _password(typed: SettingsInput, faults: Collected) -> Secret | None:
    text = typed.password.reveal() if typed.password else ""
    if len(text) > LONGEST_PASSWORD:
        faults.refuse("password", _PASSWORD_TOO_LONG)
    elif not text.isprintable() and any(
        unicodedata.category(letter) in _NOT_IN_PASSWORDS for letter in text
    ):
        faults.refuse(
            "password", "The password has a control character in it, such as a tab or a line end."
        )
    elif len(text.encode()) > LONGEST_PASSWORD:  # after the lone surrogates, which have no octets
        faults.refuse("password", _PASSWORD_TOO_LONG)
    return typed.password if text and typed.enable_auth else None


def one_line(text: str) -> str:
    """Return one line of text, trimmed, for a header or a login. Raises `ValueError`."""
    text = text.strip(" ")
    if text.isprintable():  # so it has none of the categories below; nearly all texts are
        return text
    for letter in text:
        if unicodedata.category(letter) in _REFUSED or letter in _DIRECTIONAL:
            raise ValueError(
                f"The character U+{ord(letter):04X} does not belong here. Type plain text on one "
                "line."
            )
    return text
