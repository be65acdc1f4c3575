"""URLs that a request may go to, and where a redirect leads.

They come from strangers (an answer's `Location`), so they are read strictly: what two programs
could read differently is no URL here. The host goes through the one reader of hosts.
"""

import re
from collections.abc import Container
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from smarthost.mail.host import HostError, parse_host

DEFAULT_PORTS = {"https": 443, "http": 80}

_LONGEST = 2048
# RFC 3986, section 2; a fragment is never sent.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%\[\]#]*\Z")


class Url(NamedTuple):
    """A URL that may be asked."""

    scheme: str
    host: str
    """A name in A-labels or an IP address, without brackets."""
    port: int
    target: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """The host, in brackets if it is an IPv6 address, and the port where it is not usual."""
        place = f"[{self.host}]" if ":" in self.host else self.host
        return place if self.port == DEFAULT_PORTS[self.scheme] else f"{place}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def read_url(text: str, ports: Container[int]) -> Url | None:
    """Read an http or https URL of at most 2048 characters; None: it may not be asked.

    That is so with a login in it, with a port that is not in `ports`, and with characters that a
    URL has only percent-encoded. Upper and lower case of the scheme are alike.
    """
    if len(text) > _LONGEST or not _CHARACTERS.match(text):
        return None
    try:
        parts = urlsplit(text)
        if parts.scheme not in DEFAULT_PORTS or "@" in parts.netloc:
            return None
        host = parse_host(parts.hostname or "")
        port = parts.port if parts.port is not None else DEFAULT_PORTS[parts.scheme]
    except (HostError, ValueError):
        return None
    if port not in ports:
        return None
    query = f"?{parts.query}" if parts.query else ""
    return Url(parts.scheme, host, port, (parts.path or "/") + query)


def redirected(url: Url, location: str, ports: Container[int]) -> Url | None:
    """Return where `location` leads from `url` (RFC 9110, section 10.2.2).

    None where that may not be asked. From https nothing leads to http.
    """
    if not _CHARACTERS.match(location):
        return None
    try:
        found = read_url(urljoin(str(url), location), ports)
    except ValueError:
        return None
    if found is None or (url.scheme == "https" and found.scheme == "http"):
        return None
    return found
