"""What a domain's own records say: where submission is (SRV), and whose its mailboxes are (MX).

SRV names the relay itself (RFC 6186, and RFC 8314, section 5.1, for TLS from the first octet). A
mail exchanger takes mail and is no relay; but whose it is tells whose the relay is.
"""

import asyncio

from smarthost.delivery.relay import IMPLICIT_TLS_PORTS
from smarthost.mail.host import HostError, parse_host
from smarthost.providers import Providers
from smarthost.relay_check.suggestions.dns import NameServers, Srv
from smarthost.relay_check.suggestions.model import Confidence, Found, Source
from smarthost.relay_check.suggestions.table import by_exchangers


async def by_services(name_servers: NameServers, domain: str) -> list[Found]:
    """Return the relays that the SRV records of `domain` name, the one to use first."""
    encrypted, upgraded = await asyncio.gather(
        name_servers.services(f"_submissions._tcp.{domain}"),
        name_servers.services(f"_submission._tcp.{domain}"),
    )
    # TLS from the first octet at another port is nothing that the settings could say.
    named = [one for one in encrypted if one.port in IMPLICIT_TLS_PORTS] + upgraded
    return [found for one in named if (found := _found(one)) is not None]


async def by_mail_exchangers(name_servers: NameServers, domain: str) -> list[Found]:
    """Return the relays of the provider that takes the mail of `domain`."""
    return by_exchangers(Providers.load(), domain, await name_servers.exchangers(domain))


def _found(one: Srv) -> Found | None:
    if not one.target or not one.port:
        return None
    try:
        host = parse_host(one.target)
    except HostError:
        return None
    return Found(
        host=host,
        port=one.port,
        enable_ssl=True,
        source=Source.DNS_SRV,
        confidence=Confidence.MEDIUM,
    )
