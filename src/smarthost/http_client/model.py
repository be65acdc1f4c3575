"""What an HTTP request to the outside ends with: an answer, or one of a few failures."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

Headers = Sequence[tuple[bytes, bytes]]


class Failure(StrEnum):
    """Why there is no answer that could be used."""

    BAD_URL = "bad_url"
    """It is no http or https URL, has a login in it, or names a port that is not asked here."""
    NOT_FOUND = "not_found"
    """The host name does not exist."""
    LOOKUP_FAILED = "lookup_failed"
    FORBIDDEN = "forbidden"
    """The operator does not allow this address or port, or not without TLS."""
    UNREACHABLE = "unreachable"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    """The whole of it took too long."""
    BROKEN_OFF = "broken_off"
    """The connection ended without a complete answer, or what came is no HTTP of a fair length."""
    REDIRECTED = "redirected"
    """It points elsewhere: once too often, or to where is not gone."""
    ENCODED = "encoded"
    """The body is compressed, which was not asked for."""
    TOO_LONG = "too_long"
    """The body has more octets than were asked for."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer, whatever its status says."""

    status: int
    body: bytes


class NoAnswerError(Exception):
    """There is no answer that could be used; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure
