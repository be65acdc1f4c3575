"""What can go wrong between a relay and this client, as types.

Each error carries a `Reason`, so that whoever classifies it never reads a message. No error holds
anything that was sent, since that may be a password.
"""

from enum import StrEnum, unique

from smarthost.smtp.reply import Reply


@unique
class Reason(StrEnum):
    """Why a connection or one of its steps failed."""

    REFUSED = "refused"
    """Nothing listens on that port (RST)."""
    UNREACHABLE = "unreachable"
    """No route to the address, or a firewall says no."""
    TIMED_OUT = "timed_out"
    """The deadline came first."""
    CLOSED = "closed"
    """The relay closed or lost the connection."""

    UNTRUSTED = "untrusted"
    """No trusted authority has signed the certificate."""
    EXPIRED = "expired"
    """The certificate is past its last day, or before its first."""
    WRONG_NAME = "wrong_name"
    """The certificate is for other names than the relay's."""
    TOO_OLD = "too_old"
    """The relay speaks nothing as new as TLS 1.2, or only with parameters that are too weak."""
    NOT_TLS = "not_tls"
    """What the relay sent is no TLS, such as a banner in clear."""
    TLS_FAILED = "tls_failed"
    """The TLS handshake failed in another way."""
    INJECTED = "injected"
    """Bytes in clear followed the 220 of STARTTLS."""

    LINE_TOO_LONG = "line_too_long"
    REPLY_TOO_LONG = "reply_too_long"
    BARE_LINE_END = "bare_line_end"
    """A line did not end in CRLF, or had a CR elsewhere."""
    BAD_CODE = "bad_code"
    MIXED_CODES = "mixed_codes"
    UNEXPECTED_REPLY = "unexpected_reply"
    """A well-formed reply that does not fit the command."""
    UNSOLICITED = "unsolicited"
    """The relay spoke although nothing was asked."""
    BAD_CHALLENGE = "bad_challenge"
    """What the relay sent during AUTH does not fit the mechanism."""

    NEGATIVE_REPLY = "negative_reply"
    """The relay answered 4yz or 5yz."""


class SmtpError(Exception):
    """A step did not end as the protocol says; `reason` tells how."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ConnectError(SmtpError):
    """No connection came about: refused, unreachable or timed out."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason, f"No connection to the relay: {reason}.")


class TimedOutError(SmtpError):
    """The deadline came before the step was done."""

    def __init__(self) -> None:
        super().__init__(Reason.TIMED_OUT, "The relay did not answer in time.")


class ClosedError(SmtpError):
    """The connection ended before the step was done."""

    def __init__(self) -> None:
        super().__init__(Reason.CLOSED, "The connection to the relay ended.")


class ProtocolError(SmtpError):
    """The relay broke the protocol; `reply` is what it said, where that could be read."""

    def __init__(self, reason: Reason, reply: Reply | None = None) -> None:
        super().__init__(reason, f"The relay does not keep to SMTP: {reason}.")
        self.reply = reply


class TlsError(SmtpError):
    """The TLS handshake failed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason, f"TLS with the relay failed: {reason}.")


class StartTlsInjectionError(SmtpError):
    """Bytes in clear came after the 220 of STARTTLS, where an attacker could have put them."""

    def __init__(self) -> None:
        super().__init__(Reason.INJECTED, "The relay spoke in clear after STARTTLS.")


class RefusedError(SmtpError):
    """The relay answered a session command with 4yz or 5yz; `reply` is its answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(Reason.NEGATIVE_REPLY, f"The relay answered {reply.code}.")
        self.reply = reply
