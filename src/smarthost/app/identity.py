"""What finds users by tokens of the operator's issuer, put together from the configuration."""

from smarthost.clock import Clock
from smarthost.config import Config, OpenIdConnect
from smarthost.http_client.client import HttpClient
from smarthost.identity.bearer import BearerTokens
from smarthost.identity.key_cache import DEADLINE_SECONDS, LARGEST_ANSWER, KeyCache
from smarthost.identity.model import Issuer
from smarthost.portals.store import PortalStore
from smarthost.smtp import tls
from smarthost.smtp.egress import Policy, Resolver

_ALL_PORTS = range(1, 2**16)


def bearer_tokens(
    config: Config, users: PortalStore, clock: Clock, resolver: Resolver
) -> BearerTokens | None:
    """Return what finds users, None where there is no issuer. Nothing is asked by this."""
    chosen = config.open_id_connect
    if chosen is None:
        return None
    keys = KeyCache(chosen.issuer, issuer_client(resolver), clock)
    return BearerTokens(_issuer(chosen), keys, users, clock)


def issuer_client(resolver: Resolver) -> HttpClient:
    """Return what asks the issuer.

    It may be anywhere, as the default relay: the operator has chosen it, and nobody else can.
    """
    return HttpClient(
        Policy("any"),
        resolver,
        tls.verified,
        deadline_seconds=DEADLINE_SECONDS,
        largest_body=LARGEST_ANSWER,
        ports=_ALL_PORTS,
    )


def _issuer(chosen: OpenIdConnect) -> Issuer:
    return Issuer(
        url=chosen.issuer,
        audience=chosen.audience,
        email_claim=chosen.email_claim,
        portal_claim=chosen.portal_claim,
        administrators=chosen.administrators,
    )
