"""Collects what a file says, from as many places as say it, and makes settings of it.

A file may say the same thing twice: the values then have to be the same, since nobody but its
owner knows which of two counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from smarthost.mail.address import AddressError
from smarthost.mail.mailbox import parse_mailbox
from smarthost.secret import Secret
from smarthost.smtp_settings.importing.model import (
    Encryption,
    Field,
    Given,
    Imported,
    Left,
    Meaning,
    NotImportableError,
    Switch,
    Unverified,
    Words,
)
from smarthost.smtp_settings.model import DEFAULT_PORT, SettingsInput

# RFC 8314, section 7.3, and the alternative that many hosts open; `delivery` has no others.
_IMPLICIT_TLS_PORT = 465
_IMPLICIT_TLS_PORTS = {_IMPLICIT_TLS_PORT, 2465}
_TRUE = {"1", "true", "t", "yes", "y", "on", "enable", "enabled"}
_FALSE = {"", "0", "false", "f", "no", "n", "off", "none", "null", "disable", "disabled"}
_OAUTH2 = {"xoauth2", "oauthbearer", "oauth2", "oauth", "token"}
_MASKED = re.compile(r"[*\u2022]{3,}")
_REFERENCE = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    value: str = field(repr=False)
    place: str


class Gathering:
    """What was said so far."""

    def __init__(self, given: Given) -> None:
        """`given` counts whatever the file says."""
        self.faults: list[str] = []
        self.notes: list[str] = []
        self._given = given
        self._said: dict[Field, list[_Said]] = {}
        self._encryption: list[tuple[Encryption, str]] = []
        self._default_port: int | None = None
        self._oauth2 = False

    def take(self, meaning: Meaning, value: str, place: str) -> None:
        """Take in a value; `place` names it to its owner, and is no value itself."""
        match meaning:
            case Field.TRANSPORT if "smtp" not in value.lower():
                self.notes.append(f"{place} says that mail does not go out by SMTP there.")
            case Field():
                self._said.setdefault(meaning, []).append(_Said(value=value, place=place))
            case Switch():
                self._switch(meaning, value, place)
            case Words():
                self._word(meaning, value, place)
            case Left.OAUTH2:
                self._oauth2 = True
            case Left():
                self.notes.append(f"{place} was left out: {meaning}.")
            case Unverified() if value.strip().lower() in meaning.by:
                self.notes.append(
                    f"{place} was left out: it lets a certificate go unverified. With TLS "
                    "required Smarthost verifies it, and sends nothing if it is not valid."
                )

    def encrypted(self, encryption: Encryption, place: str) -> None:
        """Take in what is said of TLS."""
        self._encryption.append((encryption, place))

    def default_port(self, port: int) -> None:
        """Take in the port that counts where none is named."""
        self._default_port = port

    def settled(self, recognised: str) -> Imported:
        """Return what all of it comes to. Raises `NotImportableError` with every fault."""
        host, user_name = self._one(Field.HOST), self._one(Field.USER_NAME, exact=True)
        port = self._port()
        sender_address, sender_name = self._sender()
        enable_ssl = self._enable_ssl(port)
        mechanism = self._mechanism()
        logs_in = self._logs_in(user_name, mechanism)
        typed = SettingsInput(
            host=host,
            port=port,
            sender_address=sender_address,
            sender_display_name=sender_name,
            user_name=user_name if logs_in else None,
            password=self._password() if logs_in else None,
            enable_ssl=enable_ssl,
            enable_auth=logs_in,
            use_ntlm=logs_in and mechanism == "ntlm",
        )
        if self.faults:
            raise NotImportableError(*dict.fromkeys(self.faults))
        notes = tuple(dict.fromkeys(self.notes))
        return Imported(recognised=recognised, typed=typed, places=self._places(), notes=notes)

    def _places(self) -> dict[str, str]:
        fields = {
            "host": Field.HOST,
            "port": Field.PORT,
            "user_name": Field.USER_NAME,
            "password": Field.PASSWORD,
            "sender_address": Field.SENDER,
            "sender_display_name": Field.SENDER_NAME,
        }
        return {
            name: self._said[one][0].place for name, one in fields.items() if one in self._said
        }

    def _one(self, wanted: Field, *, exact: bool = False) -> str | None:
        """Return what is said of a field, None if nothing is, or nothing that can be used."""
        said = self._said.get(wanted, [])
        values = {one.value if exact else one.value.strip().lower() for one in said}
        if len(values) > 1:
            places = " and ".join(dict.fromkeys(one.place for one in said))
            self.faults.append(f"{places}: these say different things. Leave the one that counts.")
            return None
        if not said or not said[0].value:
            return None
        if wanted is not Field.PASSWORD and _REFERENCE.search(said[0].value):
            self.faults.append(
                f"{said[0].place}: this refers to a value that the file does not have. Fill it in."
            )
            return None
        return said[0].value if exact else said[0].value.strip()

    def _port(self) -> int:
        text = self._one(Field.PORT)
        if text is None:
            port = self._default_port or DEFAULT_PORT
            if any(said is Encryption.IMPLICIT for said, _ in self._encryption):
                port = _IMPLICIT_TLS_PORT
            self.notes.append(f"No port is named, so it is {port}.")
            return port
        if text.isascii() and text.isdigit() and len(text) <= 5:
            return int(text)
        place = self._said[Field.PORT][0].place
        self.faults.append(f"{place}: the port is a number from 1 to 65535.")
        return DEFAULT_PORT

    def _sender(self) -> tuple[str | None, str | None]:
        """Return address and name."""
        address, name = self._given.sender_address, self._given.sender_display_name
        if name is None:
            name = self._one(Field.SENDER_NAME, exact=True)
        if address is not None:
            return address, name
        text, domain = self._one(Field.SENDER, exact=True), self._one(Field.DOMAIN)
        if text is not None and domain is not None and "@" not in text:
            text = f"{text}@{domain}"
        if text is None or not text.strip(" ").endswith(">"):
            return text, name
        try:
            mailbox = parse_mailbox(text)
        except AddressError as error:
            self.faults.append(f"{self._said[Field.SENDER][0].place}: {error}")
            return None, name
        return str(mailbox.address), name or mailbox.display_name

    def _enable_ssl(self, port: int) -> bool:
        if self._given.enable_ssl is not None:
            return self._given.enable_ssl
        begins_with_tls = port in _IMPLICIT_TLS_PORTS
        required = [said for said in self._encryption if said[0].required]
        if not required and not begins_with_tls:
            self.notes.append(
                "TLS is not required there, and so it is not here: it is used if the server "
                "offers it, and no certificate is verified. To have it required, give --ssl."
            )
            return False
        for encryption, place in required:
            if encryption is Encryption.IMPLICIT and not begins_with_tls:
                self.notes.append(
                    f"{place} wants TLS from the first octet. On port {port} Smarthost begins it "
                    "by STARTTLS; it is there from the first octet on ports 465 and 2465."
                )
            if encryption is Encryption.STARTTLS and begins_with_tls:
                self.notes.append(
                    f"{place} wants STARTTLS. On port {port} TLS is there from the first octet."
                )
        return True

    def _mechanism(self) -> str:
        name = (self._one(Field.MECHANISM) or "").lower().lstrip(":")
        self._oauth2 = self._oauth2 or name in _OAUTH2
        return name

    def _logs_in(self, user_name: str | None, mechanism: str) -> bool:
        if self._oauth2:
            self.notes.append(
                "The login by OAUTH2 was left out. Once this is saved, set it up with: "
                "smarthost settings oauth2 set"
            )
            return False
        asked = self._one(Field.LOGS_IN)
        off = mechanism == "none" or (asked is not None and not is_true(asked))
        if off and user_name is not None:
            self.notes.append("User name and password were left out: nobody logs in there.")
        elif user_name is None and self._said_anything(Field.PASSWORD):
            self.notes.append("The password was left out: there is no user name to log in with.")
        return (user_name is not None or asked is not None) and not off

    def _said_anything(self, wanted: Field) -> bool:
        return any(one.value for one in self._said.get(wanted, ()))

    def _password(self) -> Secret | None:
        if self._given.password is not None:
            return self._given.password
        text = self._one(Field.PASSWORD, exact=True)
        if text is None:
            return None
        if _MASKED.fullmatch(text) or _REFERENCE.search(text):
            place = self._said[Field.PASSWORD][0].place
            self.notes.append(f"{place} holds no password, only something that stands for it.")
            return None
        return Secret(text)

    def _switch(self, meaning: Switch, value: str, place: str) -> None:
        word = value.strip().lower()
        if word not in _TRUE | _FALSE:
            self.faults.append(f"{place}: write true or false.")
            return
        said = meaning.on if word in _TRUE else meaning.off
        if said is not None:
            self.encrypted(said, place)

    def _word(self, meaning: Words, value: str, place: str) -> None:
        word = value.strip().lower()
        if word not in meaning.known:
            self.faults.append(f"{place}: known are {', '.join(_named(meaning))}.")
            return
        said = meaning.known[word]
        if said is not None:
            self.encrypted(said, place)


def is_true(value: str) -> bool:
    """Whether a value switches something on, as most programs read it."""
    return value.strip().lower() in _TRUE


def _named(meaning: Words) -> Iterator[str]:
    return (word for word in meaning.known if word)
