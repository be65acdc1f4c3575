"""Tokens for a relay, of a provider that runs beside it."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from smarthost.clock import Clock
from smarthost.delivery.bearer_token import NoToken, NoTokenError, OAuth2Login
from smarthost.delivery.relay import RelaySettings
from smarthost.delivery.tokens import LARGEST_ANSWER, TokenNews, Tokens
from smarthost.http_client.client import HttpClient
from smarthost.secret import Secret
from smarthost.smtp.egress import Policy
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets
from tests.authority import trusting
from tests.clocks import START, FakeClock
from tests.http_servers import http_server
from tests.names import Names
from tests.oauth2_provider import ACCOUNT, CLIENT_ID, CLIENT_SECRET, SCOPE, Provider
from tests.smtp.relays import HOST as RELAY
from tests.smtp.relays import server_context

HOST = "login.example.com"
ALL_PORTS = range(1, 65536)


@dataclass
class Kept:
    """What was written down, and what the next request is made with."""

    news: list[TokenNews] = field(default_factory=list)
    fails: bool = False

    def turn(self, _settings: RelaySettings) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def moment(self, _settings: RelaySettings) -> int:
        return max([START, *(one.at for one in self.news)])

    async def newest(self, _settings: RelaySettings) -> Secret | None:
        return next((one.refresh for one in reversed(self.news) if one.refresh), None)

    async def keep(self, _settings: RelaySettings, news: TokenNews) -> None:
        if self.fails:
            raise NoTokenError(NoToken.UNAVAILABLE, "The token could not be written down.")
        self.news.append(news)


@dataclass
class Running:
    provider: Provider
    tokens: Tokens
    kept: Kept
    ca_file: Path | None

    def settings(
        self,
        grant: Grant = Grant.CLIENT_CREDENTIALS,
        revision: int = 7,
        port: int = 587,
        **changed: Any,
    ) -> RelaySettings:
        account = grant is Grant.SERVICE_ACCOUNT
        known: Mapping[str, Any] = {
            "client_id": ACCOUNT if account else CLIENT_ID,
            "token_url": self.provider.token_url,
            "scope": SCOPE,
            "client_secret": CLIENT_SECRET,
        }
        said = {**known, **changed}
        secrets = {
            name: Secret(said.pop(name))
            for name in ("client_secret", "refresh_token", "private_key")
            if name in said
        }
        return RelaySettings(
            portal_id="portal-1",
            revision=revision,
            host=RELAY,
            port=port,
            enable_ssl=True,
            enable_auth=True,
            user_name="notify@example.com",
            oauth2=OAuth2Login(
                oauth2=OAuth2(grant=grant, **said), secrets=OAuth2Secrets(**secrets)
            ),
            ca_file=self.ca_file,
            helo_name="app.example.org",
        )

    async def token(self, settings: RelaySettings) -> str:
        return (await self.tokens.token(settings)).reveal()

    async def fails(self, settings: RelaySettings) -> NoTokenError:
        with pytest.raises(NoTokenError) as caught:
            await self.tokens.token(settings)
        return caught.value


@asynccontextmanager
async def running(
    ca: trustme.CA,
    *,
    clock: Clock | None = None,
    policy: Policy | None = None,
    tls: ssl.SSLContext | None = None,
    seconds: float = 5.0,
    ca_file: Path | None = None,
    **behaving: Any,
) -> AsyncIterator[Running]:
    clock = clock or FakeClock()
    provider = Provider(clock=clock, **behaving)
    async with http_server(provider, tls=tls or server_context(ca, HOST)) as server:
        provider.token_url = server.url("/token", host=HOST)
        http = HttpClient(
            policy or Policy("any"),
            Names(["127.0.0.1"]),
            lambda: trusting(ca),
            deadline_seconds=seconds,
            largest_body=LARGEST_ANSWER,
            ports=ALL_PORTS,
        )
        kept = Kept()
        tokens = Tokens(http, clock, kept)
        try:
            yield Running(provider, tokens, kept, ca_file)
        finally:
            await tokens.close()
