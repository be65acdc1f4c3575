"""What suggests settings, put together from the configuration; it opens nothing by itself."""

from dataclasses import replace
from functools import partial

from smarthost.app.telling import webhook_policy
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.http_client.client import HttpClient
from smarthost.http_client.url import DEFAULT_PORTS
from smarthost.relay_check.suggest import Ask, Suggest
from smarthost.relay_check.suggestions.autoconfig import (
    DEADLINE_SECONDS,
    LARGEST_DOCUMENT,
    Autoconfig,
)
from smarthost.relay_check.suggestions.dns import NameServers
from smarthost.relay_check.suggestions.records import by_mail_exchangers, by_services
from smarthost.smtp import tls
from smarthost.smtp.egress import Policy, SystemResolver


def suggest(config: Config, clock: Clock) -> Suggest:
    """Return what suggests relays at which the operator lets relays be.

    Web servers are asked where receivers of webhooks may be: a network that was opened for relays
    is not open for requests of several portals.
    """
    resolver, name_servers = SystemResolver(), NameServers()
    client = HttpClient(
        replace(webhook_policy(config), public_ports=frozenset(DEFAULT_PORTS.values())),
        resolver,
        tls.verified,
        deadline_seconds=DEADLINE_SECONDS,
        largest_body=LARGEST_DOCUMENT,
    )
    asked: list[Ask] = [
        partial(by_services, name_servers),
        Autoconfig(client).ask,
        partial(by_mail_exchangers, name_servers),
    ]
    return Suggest(asked, Policy(config.relay_networks), resolver, clock)
