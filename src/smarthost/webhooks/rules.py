"""The rules of a webhook's URL: what can be said of it without looking its host up.

What the host's addresses are is asked at each delivery, since that is when it counts. A login in
the URL is refused, as it would be shown and logged along the way; the signature proves who calls.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from smarthost.mail.host import HostError, parse_host
from smarthost.smtp.egress import Policy, is_public
from smarthost.webhooks.model import InvalidUrlError

LONGEST_URL = 2048
"""Characters."""
PUBLIC_PORTS = frozenset({443, 8443})
"""Ports for HTTPS that are open to all where receivers must be at public addresses."""

_PORTS = {"https": 443, "http": 80}
# RFC 3986, section 2: what may stand in a path or query; anything else is percent-encoded.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*\Z")
_EXAMPLE = "such as https://app.example.com/webhooks/mail"


def checked_url(text: str, policy: Policy) -> str:
    """Return the URL in the form in which it is stored: host in A-labels, no needless port.

    An http URL is for a receiver on one's own network, so it is refused where `policy` lets
    nothing go there. Raises `InvalidUrlError` with what to type instead.
    """
    parts = _split(text.strip(" "))
    try:
        host = parse_host(parts.hostname or "")
        port = parts.port
    except HostError as error:
        raise InvalidUrlError(f"The host name in the URL cannot be used. {error}") from None
    except ValueError:
        raise InvalidUrlError("The port in the URL is a number from 1 to 65535.") from None
    if port == 0:
        raise InvalidUrlError("The port in the URL is a number from 1 to 65535.")
    if parts.scheme == "http" and policy.networks == "public":
        raise InvalidUrlError("The URL has to begin with https:// in this installation.")
    _refuse_closed(parts.scheme, host, port or _PORTS[parts.scheme], policy)
    place = f"[{host}]" if ":" in host else host
    if port not in (None, _PORTS[parts.scheme]):
        place += f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{place}{parts.path or '/'}{query}"


def _split(text: str) -> SplitResult:
    if not text:
        raise InvalidUrlError(f"The receiver's URL is needed, {_EXAMPLE}.")
    if len(text) > LONGEST_URL:
        raise InvalidUrlError(f"The URL has at most {LONGEST_URL} characters.")
    if text.partition("://")[0].lower() not in _PORTS:
        raise InvalidUrlError(f"The URL has to begin with https://, {_EXAMPLE}.")
    # Before the URL is split, which would drop line ends without a word.
    if " " in text or not text.isprintable():
        raise InvalidUrlError("The URL has a blank or an invisible character in it.")
    try:
        parts = urlsplit(text)
    except ValueError:  # a bracket without its other one
        raise InvalidUrlError(f"This is no valid URL. Type one {_EXAMPLE}.") from None
    if not parts.hostname:
        raise InvalidUrlError(f"The URL has no host name. Type one {_EXAMPLE}.")
    if "@" in parts.netloc:
        raise InvalidUrlError("Leave user name and password out of the URL.")
    if "#" in text:
        raise InvalidUrlError("Leave the part from # on out of the URL.")
    if _CHARACTERS.match(parts.path + parts.query) is None:
        raise InvalidUrlError("Percent-encode all but ASCII letters, digits and signs in the URL.")
    return parts


def _refuse_closed(scheme: str, host: str, port: int, policy: Policy) -> None:
    """Say at once what every delivery would find out."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not policy.allows(address, port):
        raise InvalidUrlError("The operator does not allow webhooks to this address or port.")
    if scheme == "http" and is_public(address):
        raise InvalidUrlError("The URL of a receiver outside has to begin with https://.")
