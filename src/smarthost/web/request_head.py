"""Judges the head of a request before anything acts on it, or refuses it.

The parser lets through what two programs in a row may read differently (two hosts, a coding
before `chunked`, a body in an HTTP/1.0 stream); such a request is refused whole, since guessing
is how one request becomes two (RFC 9112 section 11.2). Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

Headers = Sequence[tuple[bytes, bytes]]

# RFC 3986 section 3.2.2 and RFC 9110 section 7.2, without percent-encoding and sub-delims: no
# real name has them, and a comma would read as two hosts to the next program.
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")

# Origin-form (RFC 9112 section 3.2.1): visible ASCII without a fragment.
_ORIGIN_FORM = re.compile(rb"/[!-\"$-~]*")

_VERSIONS = ("1.1", "1.0")


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An answer without the application; `message` is for the person behind the client."""

    status: HTTPStatus
    message: str


class RefusedError(Exception):
    """A request that is not to be answered by the application."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


_OTHER_VERSION = Refusal(
    status=HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, message="This server speaks HTTP/1.1 and 1.0."
)


def is_host(text: str) -> bool:
    """Tell whether the text is a host name or IP literal, with or without a port."""
    return _HOST.fullmatch(text) is not None


def check_head(*, method: str, target: bytes, version: str, headers: Headers) -> None:
    """Check a complete request head; names are in lower case, values without outer blanks.

    `version` is as the parser says it, such as `1.1`. Raises RefusedError.
    """
    if version not in _VERSIONS:
        raise RefusedError(_OTHER_VERSION)
    # Absolute-form is for proxies, and would be a second host beside the Host header.
    if _ORIGIN_FORM.fullmatch(target) is None and not (method == "OPTIONS" and target == b"*"):
        raise _bad("The request target must be a path that begins with a slash.")
    hosts, codings, lengths = _framing_fields(headers)
    _check_host(hosts)
    if codings:
        _check_framing(version, codings, lengths)


def has_body(headers: Headers) -> bool:
    """Tell whether the head announces a body (RFC 9112 section 6)."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in headers
    )


def head_octets(target: bytes, headers: Headers) -> int:
    """Return about how long a head was, without its method, version and outer blanks."""
    # Four octets a field: colon, blank, CR and LF.
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)


def _framing_fields(headers: Headers) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return the values of Host, Transfer-Encoding and Content-Length, in one pass."""
    hosts: list[bytes] = []
    codings: list[bytes] = []
    lengths: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"content-length":
            lengths.append(value)
    return hosts, codings, lengths


def _check_host(values: list[bytes]) -> None:
    # RFC 9112 section 3.2 asks this of HTTP/1.1; here the host names the portal, so that an
    # HTTP/1.0 request needs it too.
    if len(values) != 1:
        found = "none" if not values else str(len(values))
        raise _bad(f"A request needs exactly one Host header; this one has {found}.")
    if not is_host(values[0].decode("latin-1")):
        raise _bad("The Host header must be a host name or IP address, with or without a port.")


def _check_framing(version: str, codings: list[bytes], lengths: list[bytes]) -> None:
    # RFC 9112 section 6.1: faulty framing, whoever sent it. The parser refuses most of this by
    # itself, though not before it has reported the head.
    if version == "1.0" or lengths:
        raise _bad("Transfer-Encoding goes with neither Content-Length nor HTTP/1.0.")
    if len(codings) != 1 or codings[0].lower() != b"chunked":
        raise _bad("The only Transfer-Encoding understood here is chunked.")


def _bad(message: str) -> RefusedError:
    return RefusedError(Refusal(status=HTTPStatus.BAD_REQUEST, message=message))
