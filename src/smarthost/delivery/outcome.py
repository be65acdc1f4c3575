"""What an attempt can come to, in a fixed vocabulary.

The same codes stand in the API, the log, the page and the tests, so that a person who looks one up
finds it everywhere. They are facts; the words for people are made from them in `explanations`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec


class Step(StrEnum):
    """The parts of an attempt, in the order in which they happen."""

    RESOLVE = "resolve"
    """The relay's name becomes addresses, and the operator's policy looks at each."""
    CONNECT = "connect"
    GREETING = "greeting"
    """The relay's first reply (RFC 5321, section 3.1)."""
    EHLO = "ehlo"
    TLS = "tls"
    """Where TLS stands from the first byte, this step comes after CONNECT."""
    AUTHENTICATE = "authenticate"
    SENDER = "sender"
    """MAIL FROM."""
    RECIPIENT = "recipient"
    """RCPT TO, for all recipients of one envelope."""
    DATA = "data"
    """From the DATA command to the reply behind the final dot."""


class StepState(StrEnum):
    """How far a step is."""

    BEGIN = "begin"
    OK = "ok"
    WARNING = "warning"
    """Done, but not as it should be: `seen` names codes as `warnings`, or what was refused."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not part of this attempt: no login is asked for."""


class Code(StrEnum):
    """Why a recipient was not accepted, or what an attempt warns of."""

    # The way to the relay.
    RELAY_NOT_FOUND = "relay_not_found"
    """The domain name system knows no address for the relay's name."""
    NAME_LOOKUP_FAILED = "name_lookup_failed"
    """The domain name system did not answer."""
    DESTINATION_FORBIDDEN = "destination_forbidden"
    """The operator's policy does not let mail out to this address."""
    CONNECTION_REFUSED = "connection_refused"
    RELAY_UNREACHABLE = "relay_unreachable"
    """No way through the network, or nothing answers at the address."""
    TIMED_OUT = "timed_out"
    """The relay was too slow; the step says where."""
    CONNECTION_CLOSED = "connection_closed"
    """The relay hung up in the middle."""
    PROTOCOL_ERROR = "protocol_error"
    """What came back is not SMTP, or the relay rejects a command that SMTP obliges it to know."""
    RELAY_UNAVAILABLE = "relay_unavailable"
    """The relay says that it gives no service: 421 anywhere, a greeting other than 220. Or none to
    this machine, whose address is on a list."""
    HELO_REFUSED = "helo_refused"
    """The relay does not take the name that Smarthost greets with."""

    # Encryption.
    TLS_UNAVAILABLE = "tls_unavailable"
    """The settings ask for TLS, and STARTTLS is not offered or was refused."""
    TLS_REQUIRED = "tls_required"
    """The relay asks for TLS, and the connection has none."""
    TLS_NOT_SPOKEN = "tls_not_spoken"
    """The port answers, but not with TLS."""
    TLS_TOO_OLD = "tls_too_old"
    """The relay has nothing newer than TLS 1.1."""
    TLS_FAILED = "tls_failed"
    """The handshake failed for another reason."""
    STARTTLS_INJECTION = "starttls_injection"
    """Clear text followed the reply to STARTTLS: somebody may be in between."""
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_WRONG_NAME = "certificate_wrong_name"

    # The login.
    LOGIN_NOT_OFFERED = "login_not_offered"
    """The relay offers no login here, or no mechanism that may be used."""
    LOGIN_REFUSED = "login_refused"
    LOGIN_REQUIRED = "login_required"
    """The relay asks for a login, and there was none (530)."""
    NTLM_SWITCHED_OFF = "ntlm_switched_off"
    """The settings ask for NTLM, and the operator allows none."""
    PASSWORD_UNREADABLE = "password_unreadable"  # noqa: S105 - a code, not a password
    """The stored password does not open: moved, altered, or its key is missing."""
    OAUTH2_REFUSED = "oauth2_refused"
    """The sign-in service gives out no token: the application, its secret or its rights are
    wrong."""
    OAUTH2_CONSENT_NEEDED = "oauth2_consent_needed"
    """Nobody has signed in for a token yet, or that consent is over."""
    OAUTH2_UNAVAILABLE = "oauth2_unavailable"
    """The sign-in service cannot be reached, or does not answer as one."""

    # The message.
    SENDER_REFUSED = "sender_refused"
    RELAYING_DENIED = "relaying_denied"
    """The relay passes mail on only for those it knows, and nobody has logged in."""
    RECIPIENT_REFUSED = "recipient_refused"
    MESSAGE_REFUSED = "message_refused"
    MESSAGE_TOO_LARGE = "message_too_large"
    SMTPUTF8_UNSUPPORTED = "smtputf8_unsupported"
    """An address needs SMTPUTF8 (RFC 6531), and the relay does not offer it."""
    EIGHT_BIT_UNSUPPORTED = "eight_bit_unsupported"
    """Octets above 127 have to stay as they are, such as signed ones, and the relay does not offer
    8BITMIME (RFC 6152)."""
    RATE_LIMITED = "rate_limited"
    """The relay says that there were too many messages."""
    TEMPORARILY_REFUSED = "temporarily_refused"
    """A 4yz reply that says nothing closer."""

    # Our own side; `delivery` itself never gives these.
    NO_RELAY = "no_relay"
    """No relay is in force for the portal."""
    SETTINGS_CHANGED = "settings_changed"
    """A test is bound to one revision of the settings, and another is in force now."""
    INTERRUPTED = "interrupted"
    """Whoever made the attempt stopped in the middle of it."""
    INTERNAL = "internal"
    """A fault of Smarthost's own."""

    # Only ever warnings.
    NOT_ENCRYPTED = "not_encrypted"
    """The connection had no TLS, which the settings allow."""
    PASSWORD_IN_CLEAR = "password_in_clear"  # noqa: S105 - a code, not a password
    """PLAIN or LOGIN without TLS."""
    CERTIFICATE_NOT_VERIFIED = "certificate_not_verified"
    """A login over TLS to a relay whose certificate nobody asked to verify."""
    CERTIFICATE_ENDS_SOON = "certificate_ends_soon"
    """The relay's certificate was verified and ends within 21 days."""
    SENDER_OUTSIDE_LOGIN = "sender_outside_login"
    """The sender's address is of another domain than the address that logs in."""
    PROVIDER_RECOMMENDS_OTHER = "provider_recommends_other"
    """The relay is of a provider that is known to ask for another port, TLS or login."""


class Result(StrEnum):
    """What became of one recipient."""

    ACCEPTED = "accepted"
    """The relay answered 2yz behind the dot and has the message for this recipient."""
    DEFERRED = "deferred"
    """Not handed over; it stays in the queue. A fault of the settings or the relay always ends
    so: it loses no mail."""
    REFUSED = "refused"
    """The relay will never take this message for this recipient."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one recipient in one attempt."""

    recipient: str
    result: Result
    step: Step
    """The last step reached; DATA when accepted."""
    code: Code | None = None
    """None exactly when accepted."""
    permanent: bool = False
    """Waiting does not help: somebody has to change the settings, the message or the relay.
    Always true when refused; never when accepted."""
    in_doubt: bool = False
    """The end of the message went out and no reply followed: the relay may have it."""
    reply: str | None = None
    """The relay's reply, cleaned: one line of at most 200 printable characters."""
    address: str | None = None
    """The address that was connected to, or tried last."""
    tls: str | None = None
    """`TLSv1.2`, `TLSv1.3`; None without TLS."""
    revision: int
    """Of the settings that were used."""
    warnings: tuple[Code, ...] = ()
    relayed_untold: bool = False
    """Accepted; its sender asked for word of success, which this relay never gives: it does not
    offer DSN (RFC 3461, section 5.2.2)."""


class Report(Protocol):
    """Is told of each step as it begins and ends, and is waited for.

    `begin` of DATA comes before the first octet of the message leaves: a caller that has to know
    after a crash whether the relay may have the message makes that durable before it returns.
    """

    async def __call__(self, step: Step, state: StepState, seen: Mapping[str, object]) -> None:
        """Take notice of a step; `seen` holds what it saw, as values that JSON knows."""
        ...
