"""What is read from another program's file: what its words mean here, and what came of them.

Each file is a table of names and values in the end, be it a URL's options, variables or JSON. What
a name means is a `Meaning`, so that all of them are read by the same few lines.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from smarthost.secret import Secret
from smarthost.smtp_settings.model import SettingsInput, SmtpSettingsError


class Field(StrEnum):
    """What a value can be."""

    URL = "url"
    """All of it in one."""
    HOST = "host"
    PORT = "port"
    USER_NAME = "user_name"
    PASSWORD = "password"  # noqa: S105 - the name of a field
    SENDER = "sender"
    """An address, perhaps with a name before it; or the part before the @, with a DOMAIN."""
    DOMAIN = "domain"
    SENDER_NAME = "sender_name"
    MECHANISM = "mechanism"
    """How to log in: the name of a SASL mechanism, in any spelling."""
    LOGS_IN = "logs_in"
    """Whether to log in at all."""
    TRANSPORT = "transport"
    """Whether mail goes out by SMTP."""


class Encryption(StrEnum):
    """What a program wants of TLS."""

    IMPLICIT = "implicit"
    """From the first octet."""
    STARTTLS = "starttls"
    """By STARTTLS, or not at all."""
    REQUIRED = "required"
    """In one of these ways."""
    IF_OFFERED = "if_offered"
    NONE = "none"

    @property
    def required(self) -> bool:
        """Whether mail is sent over TLS or not at all."""
        return self not in (Encryption.IF_OFFERED, Encryption.NONE)


class Switch(NamedTuple):
    """True and false, and what each says of TLS; None: nothing."""

    on: Encryption | None
    off: Encryption | None = None


class Words(NamedTuple):
    """Words in lower case, and what each says of TLS; None: nothing."""

    known: Mapping[str, Encryption | None]


class Left(StrEnum):
    """Why something is not imported, in words."""

    SECOND_FILE = "it names another file, which is not read. Give that as --password-file"
    REPLY_TO = "each message says by itself where replies go"
    ENVELOPE = "the sender of the envelope is the sender's address"
    EHLO = "the name for EHLO is the installation's, SMARTHOST_HELO_NAME"
    TIMES = "Smarthost has time limits of its own"
    POOL = "how many connections are open, and how fast mail goes, is for Smarthost to say"
    AUTHORITY = (
        "certificates are verified with the authorities of this machine. Only the default relay "
        "can have one of its own"
    )
    CERTIFICATE = "Smarthost does not log in with a certificate"
    OAUTH2 = "OAUTH2"
    """Told once for all that concerns it."""


class Unverified(NamedTuple):
    """What lets certificates go unverified, and the values in lower case by which it does."""

    by: frozenset[str]


Meaning = Field | Switch | Words | Left | Unverified
Meanings = Mapping[str, Meaning]
"""By the name in lower case."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever imports says besides, and knows better than the file."""

    sender_address: str | None = None
    sender_display_name: str | None = None
    password: Secret | None = None
    enable_ssl: bool | None = None


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds."""

    recognised: str
    """What it was taken for, in words."""
    typed: SettingsInput
    places: Mapping[str, str]
    """Where fields of `typed` were read, by their names; what is not here was not in the file."""
    notes: tuple[str, ...]
    """What was left out or understood in a way of its own, one line each; no secret is in them."""


class NotImportableError(SmtpSettingsError):
    """A file that cannot be imported; `faults` are one line each and repeat no value of it."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
