"""Which provider a host, a domain or a mail exchanger belongs to.

The more particular goes before the general: a host that is listed by name before one with a
placeholder, and the longest of several domains. The work is bounded for every text: at most 253
characters are looked at, each once for a pattern, and each label once.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Self

import msgspec

from smarthost.providers.model import Provider

# RFC 1035, section 2.3.4: 255 octets in wire form.
_NAME_LIMIT = 253
_PLACEHOLDER = re.compile(r"<[^<>]+>")
# No dot in it, and a label has one placeholder at most: nothing to go back and forth about.
_FILLED_IN = "[a-z0-9-]+"


class Providers:
    """The table, with its ways in."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self.all = tuple(providers)
        hosts = [(host, one) for one in self.all for host in one.hosts]
        self._by_host = {host: one for host, one in hosts if "<" not in host}
        self._by_pattern = [(_pattern(host), one) for host, one in hosts if "<" in host]
        self._by_domain = {domain: one for one in self.all for domain in one.domains}
        self._by_mx = {name: one for one in self.all for name in one.mx}

    @classmethod
    @cache
    def load(cls) -> Self:
        """Give the table that comes with the program; it is read the first time, and once."""
        file = resources.files("smarthost.providers") / "providers.json"
        return cls(msgspec.json.decode(file.read_bytes(), type=tuple[Provider, ...]))

    def of_host(self, host: str) -> Provider | None:
        """Find the provider whose relay has this name, which is looked at as a whole."""
        name = _plain(host)
        exact = self._by_host.get(name)
        if exact is not None:
            return exact
        return next((one for pattern, one in self._by_pattern if pattern.fullmatch(name)), None)

    def of_domain(self, domain: str) -> Provider | None:
        """Find the provider whose mailboxes are at this domain, or at one above it.

        The domain is what stands behind the @, in A-labels.
        """
        return _longest(self._by_domain, domain)

    def of_mx(self, name: str) -> Provider | None:
        """Find the provider that this mail exchanger is of, a name as DNS gives it."""
        return _longest(self._by_mx, name)


def _pattern(host: str) -> re.Pattern[str]:
    return re.compile(_FILLED_IN.join(map(re.escape, _PLACEHOLDER.split(host))))


def _longest(table: Mapping[str, Provider], text: str) -> Provider | None:
    rest = _plain(text)
    while rest:
        if rest in table:
            return table[rest]
        rest = rest.partition(".")[2]
    return None


def _plain(name: str) -> str:
    """Give the spelling of the table, and nothing for what cannot be a name in DNS."""
    plain = name.removesuffix(".")
    return plain.lower() if plain.isascii() and len(plain) <= _NAME_LIMIT else ""
