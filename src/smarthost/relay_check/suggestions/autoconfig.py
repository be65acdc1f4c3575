"""Asks a domain's web servers for its description of its mail servers.

Only the domain is told, never the address. What comes without TLS could be anybody's, so it is
asked for when there is nothing with it, and relied on the least.
"""

import asyncio
from collections.abc import Mapping

from smarthost.http_client.client import HttpClient
from smarthost.http_client.model import NoAnswerError
from smarthost.http_client.url import DEFAULT_PORTS
from smarthost.relay_check.suggestions.autoconfig_reader import NoConfigError, read_autoconfig
from smarthost.relay_check.suggestions.model import Confidence, Found

DEADLINE_SECONDS = 3.5
"""For one request: a second round still has its time within that of all sources."""
LARGEST_DOCUMENT = 64 * 1024
"""Octets; those of large providers have 10 KiB."""
MOST_REDIRECTS = 3

_PLACES = (
    "autoconfig.{domain}:{port}/mail/config-v1.1.xml",
    "{domain}:{port}/.well-known/autoconfig/mail/config-v1.1.xml",
)
_OK = 200


class Autoconfig:
    """Asks at the two places that the format has for it."""

    def __init__(self, client: HttpClient, ports: Mapping[str, int] = DEFAULT_PORTS) -> None:
        """`ports` are those of https and of http."""
        self._client = client
        self._ports = ports

    async def ask(self, domain: str) -> list[Found]:
        """Return the relays that the web servers of `domain` name."""
        for scheme, confidence in (("https", Confidence.MEDIUM), ("http", Confidence.LOW)):
            port = self._ports[scheme]
            urls = (f"{scheme}://{place.format(domain=domain, port=port)}" for place in _PLACES)
            asked = (self._read(url, domain, confidence) for url in urls)
            first, second = await asyncio.gather(*asked)
            if first or second:
                return first or second
        return []

    async def _read(self, url: str, domain: str, confidence: Confidence) -> list[Found]:
        try:
            answer = await self._client.get(url, redirects=MOST_REDIRECTS)
            if answer.status != _OK:
                return []
            return read_autoconfig(answer.body, domain, confidence)
        except (NoAnswerError, NoConfigError):
            return []
