"""What programs are set up with to send through this service, ready to be copied.

Each snippet is a file beside the templates, and is code: it is filled in as plain text, and the
page escapes it as a whole. So whatever is put in has to be harmless in every language of them: a
key is by its alphabet, and an address that is not gives way to an example.
"""

import re
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from smarthost.web.proxies import Client

if TYPE_CHECKING:
    from jinja2 import Environment

PLACEHOLDER = "sender@example.com"
_NOBODY = "somebody@example.com"
_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9][A-Za-z0-9.-]*", re.ASCII)

_BY_HTTP = ("curl", "resend")
_BY_SMTP = ("smtplib", "django", "nodemailer", "phpmailer", "symfony", "msmtp")


class Tls(StrEnum):
    """When TLS begins."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    """With the first octet (RFC 8314 section 3.3)."""


class SubmissionDoor(msgspec.Struct, frozen=True, kw_only=True):
    """Where programs submit mail by SMTP."""

    host: str | None
    """None: the name that the portal's pages are reached by."""
    port: int
    tls: Tls


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """One program's."""

    name: str
    text: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    snippets: list[Snippet]
    placeholder: str | None
    """What stands in them where the portal's sender address is to be; None: that is there."""


def snippets(
    client: Client, door: SubmissionDoor | None, *, key: str, sender: str | None, to: str
) -> Ready:
    """Return what sends with `key` to the service as `client` has named it.

    Without a `door` only what speaks HTTP. `sender` is None where it is not known.
    """
    known = sender if sender is not None and _HARMLESS.fullmatch(sender) else None
    values: dict[str, object] = {
        "url": f"{client.scheme}://{client.host}",
        "key": key,
        "sender": known or PLACEHOLDER,
        "to": to if _HARMLESS.fullmatch(to) else _NOBODY,
    }
    names: tuple[str, ...] = _BY_HTTP
    if door is not None:
        names += _BY_SMTP
        host = door.host or urlsplit(f"//{client.host}").hostname or ""
        values |= {
            "host": host,
            "host_in_url": f"[{host}]" if ":" in host else host,
            "port": door.port,
            "tls": door.tls,
        }
    made = [Snippet(name=name, text=_filled(name, values)) for name in names]
    return Ready(snippets=made, placeholder=None if known else PLACEHOLDER)


def _filled(name: str, values: dict[str, object]) -> str:
    return _environment().get_template(f"{name}.txt").render(values)


@cache
def _environment() -> "Environment":
    # Loaded with the first key: a service that only APIs are asked of never needs it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    return Environment(
        loader=PackageLoader("smarthost.web.pages", "templates/snippets"),
        autoescape=False,  # noqa: S701 - it makes no HTML
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
