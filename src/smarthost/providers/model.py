"""One mail service as `providers.json` has it: where its relay is, and what it asks for.

A word in angle brackets is a placeholder, in a host, a user name or a URL alike: somebody fills it
in. Fields that are left out in the file have the default that stands here, so that a row says only
what is particular about its service.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a service is for."""

    MAILBOX = "mailbox"
    """Mailboxes of people, at its own domains or at theirs."""
    SENDING = "sending"
    """Mail that applications send."""
    RELAY = "relay"
    """Mail of an organisation that has its mailboxes at the same provider."""
    TESTING = "testing"
    """Nothing is delivered."""


class Login(StrEnum):
    """What the relay takes as the password."""

    PASSWORD = "password"  # noqa: S105 - the kind of secret, not one
    """The one of the mailbox, or one that was made for SMTP and is no other."""
    APP_PASSWORD = "app_password"  # noqa: S105
    """One that was made for this program beside the account's own, which is refused."""
    API_KEY = "api_key"
    OAUTH2 = "oauth2"
    """No password at all, only a token of OAuth2."""
    NONE = "none"
    """There is no login."""


class Checked(StrEnum):
    """How sure a fact is."""

    HIGH = "high"
    """The provider says so, or Mozilla's table and a second source."""
    MEDIUM = "medium"
    """One such table, or somebody who quotes the provider."""
    LOW = "low"
    """Common knowledge that nobody has looked up."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a service takes from one account; None: unknown, or another for each account.

    `connections` and `messages_a_minute` hold for every account, so a sender may keep to them. The
    others are those of the smallest ordinary account, good for a hint and not for a refusal: what
    the relay itself says goes before them.
    """

    connections: int | None = None
    """Open at once."""
    messages_a_minute: int | None = None
    messages_a_day: int | None = None
    """A day is 24 hours, at most services the last ones."""
    recipients_a_day: int | None = None
    """Each recipient of each message counts."""
    recipients_a_message: int | None = None
    message_octets: int | None = None
    notes: str | None = None
    """What else there is to say, in sentences; what differs between accounts is here."""
    source: str | None = None
    """Where to check the numbers, an https URL; there if a number is, and so is `checked`."""
    checked: Checked | None = None


class OAuth2(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where tokens for this service's SMTP are given out (RFC 6749); all https.

    `<tenant>` in a URL is the directory that the application is registered in.
    """

    authorization_url: str
    token_url: str
    scope: str
    """What somebody consents to, with the word that some services ask for a refresh token by."""
    client_credentials_scope: str | None = None
    """For an application without anybody's consent; None: not offered."""


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One service."""

    id: str
    """Lower-case letters, digits and hyphens; it stays when the name changes."""
    name: str
    kind: Kind
    hosts: tuple[str, ...]
    """Names of its relays, the one to use first; `<word>` is one or more letters, digits and
    hyphens."""
    ports: tuple[int, ...]
    """The one to use first. TLS starts at once at 465 and 2465 (RFC 8314, section 7.3), at the
    others by STARTTLS; there is TLS at all of them."""
    login: Login
    user_name: str | None = None
    """`<address>`, `<local part>` of the sender's address, another text in angle brackets that
    says what to type, or what everybody types. None: there is no login."""
    domains: tuple[str, ...] = ()
    """Domains of addresses that are this service's, in A-labels; what is below them is too."""
    mx: tuple[str, ...] = ()
    """Ends of the names of mail exchangers that are this service's, whole labels."""
    first: str | None = None
    """What an administrator must do before the settings work, in sentences; None: nothing."""
    notes: str | None = None
    """What else there is to know, in sentences."""
    oauth2: OAuth2 | None = None
    limits: Limits = Limits()
    source: str
    """Where to check this, an https URL."""
    checked: Checked
    """How sure host, port and login are."""
