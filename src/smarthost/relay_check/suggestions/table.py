"""What the table of providers says: for a domain, for a mail exchanger, and of a host.

Pure; no network is asked. Of the hosts of a provider the one that is named like the domain goes
first, of its ports the one that the table has first.
"""

from collections.abc import Iterable

import msgspec

from smarthost.providers import Login, Provider, Providers
from smarthost.relay_check.suggestions.model import (
    ADDRESS,
    LOCAL_PART,
    NOBODY_KNOWS,
    Confidence,
    Found,
    Source,
)

_RELAYING = 25
"""The port that mail servers speak to each other at, which many networks block."""
_USER_NAMES = {"<address>": ADDRESS, "<local part>": LOCAL_PART}


def by_domain(providers: Providers, domain: str) -> list[Found]:
    """Return the relays of the provider whose mailboxes are at `domain`."""
    provider = providers.of_domain(domain)
    return [] if provider is None else _offers(provider, domain, Source.TABLE, Confidence.HIGH)


def by_host(providers: Providers, host: str) -> list[Found]:
    """Return the ways to the relay of this name, where it is a provider's."""
    provider = providers.of_host(host)
    return [] if provider is None else _ways(provider, host, Source.TABLE, Confidence.HIGH)


def by_exchangers(providers: Providers, domain: str, names: Iterable[str]) -> list[Found]:
    """Return the relays of the first provider that one of these mail exchangers is of."""
    known = filter(None, map(providers.of_mx, names))
    provider = next(known, None)
    return [] if provider is None else _offers(provider, domain, Source.MX, Confidence.MEDIUM)


def completed(providers: Providers, found: Found, domain: str) -> Found:
    """Return `found` with what is known of its host.

    A host of a known provider or of the domain itself makes it likelier, unless it came in clear
    text or is to be used so. Where mail of the domain goes in is no proof of where it goes out.
    """
    provider = providers.of_host(found.host)
    if provider is not None:
        found = msgspec.structs.replace(
            found,
            provider=provider.name,
            enable_auth=provider.login is not Login.NONE,
            user_name=_user_name(provider),
            first=_first(provider),
            oauth2=provider.oauth2 is not None,
        )
    own = found.host == domain or found.host.endswith("." + domain)
    likely = found.confidence is Confidence.MEDIUM and found.source is not Source.MX
    if likely and (own or provider is not None):
        return msgspec.structs.replace(found, confidence=Confidence.HIGH)
    return found


def _offers(
    provider: Provider, domain: str, source: Source, confidence: Confidence
) -> list[Found]:
    # A placeholder in a host is for the administrator to know.
    hosts = [host for host in provider.hosts if "<" not in host]
    hosts.sort(key=lambda host: not host.endswith("." + domain))
    return [way for host in hosts[:1] for way in _ways(provider, host, source, confidence)]


def _ways(provider: Provider, host: str, source: Source, confidence: Confidence) -> list[Found]:
    ports = [port for port in provider.ports if port != _RELAYING] or provider.ports
    return [
        Found(
            host=host,
            port=port,
            enable_ssl=True,
            enable_auth=provider.login is not Login.NONE,
            user_name=_user_name(provider),
            source=source,
            confidence=confidence,
            provider=provider.name,
            first=_first(provider),
            oauth2=provider.oauth2 is not None,
        )
        for port in ports
    ]


def _user_name(provider: Provider) -> str:
    text = provider.user_name or ""
    if "<" in text:
        return _USER_NAMES.get(text, NOBODY_KNOWS)
    return text


def _first(provider: Provider) -> str | None:
    text = provider.user_name or ""
    if "<" not in text or text in _USER_NAMES:
        return provider.first
    asked = f"User name: {text.strip('<>')}."
    return asked if provider.first is None else f"{provider.first} {asked}"
