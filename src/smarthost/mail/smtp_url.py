"""A mail server written as one URL: `smtp://user:password@host:port?option=value` (RFC 3986).

It only parts and decodes; what a scheme or an option means is for whoever reads the URL. A URL
holds a password, and a mistake in its punctuation can put a piece of the password anywhere; so no
message here repeats any part of it.
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from smarthost.mail.host import split_host_port
from smarthost.secret import Secret

ENCODE = "In user name and password, write : / ? # @ % as %3A %2F %3F %23 %40 %25."
"""What mends most of these URLs."""

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpUrl:
    """The parts of a URL; what cannot be decoded is empty."""

    user_name: str | None
    password: Secret | None
    host: str
    """As it is written, and not looked at; an IPv6 address stands in brackets."""
    port: str | None
    """What stands behind the colon; None where there is no colon."""
    options: tuple[tuple[str, str], ...]
    """Names and values as they are written, still to be `decoded`, in the URL's order."""


def scheme_of(text: str) -> str:
    """Return the scheme in lower case, empty where `text` does not begin as a URL does."""
    found = _SCHEME.match(text)
    return found[1].lower() if found else ""


def split_smtp_url(text: str, faults: list[str]) -> SmtpUrl:
    """Part a URL that has a scheme; each fault adds one sentence to `faults`."""
    rest = text.partition("://")[2]
    if "#" in rest:
        faults.append(f"there is no fragment in this URL. {ENCODE}")
    before_query, _, query = rest.partition("?")
    authority, _, path = before_query.partition("/")
    if path:
        faults.append(f"no path follows the host. {ENCODE}")
    userinfo, _, host_and_port = authority.rpartition("@")
    user, _, secret = userinfo.partition(":")
    password = decoded(secret, "the password", faults)
    host, port = split_host_port(host_and_port)
    if ":" in host and not host.startswith("["):
        faults.append(f"an IPv6 address stands in brackets, as [2001:db8::1]:25. {ENCODE}")
    return SmtpUrl(
        user_name=decoded(user, "the user name", faults) if user else None,
        password=Secret(password) if secret else None,
        host=host,
        port=port,
        options=tuple(_options(query)),
    )


def decoded(text: str, what: str, faults: list[str]) -> str:
    """Decode what is percent-encoded; empty, with a fault that names `what`, if that fails.

    `+` stays `+` (RFC 3986 gives it no other meaning), so that a+b@c is safe.
    """
    if _BAD_PERCENT.search(text):
        faults.append(f"{what} has a % that no two hexadecimal digits follow; write %25.")
        return ""
    try:
        result = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        faults.append(f"{what} is not UTF-8 when percent-decoded.")
        return ""
    # A line end inside any of these would be a command of its own on the way to the relay.
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in result):
        faults.append(f"{what} holds a control character.")
        return ""
    return result


def _options(query: str) -> list[tuple[str, str]]:
    parted = [part.partition("=") for part in query.split("&")] if query else []
    return [(name, value) for name, _, value in parted]
