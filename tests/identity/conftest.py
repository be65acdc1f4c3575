"""A provider, a store with two portals, and what finds users by the provider's tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.http_client.client import HttpClient
from smarthost.identity.bearer import BearerTokens
from smarthost.identity.key_cache import LARGEST_ANSWER, KeyCache
from smarthost.identity.model import Fault, Issuer, TokenRefusedError
from smarthost.ids import Ids
from smarthost.portals.model import Portal, Role, User
from smarthost.portals.store import PortalStore
from smarthost.smtp.egress import Policy
from tests.authority import showing, trusting
from tests.clocks import FakeClock
from tests.engines import migrated_database
from tests.http_servers import HttpServer, http_server
from tests.names import Names
from tests.openid_provider import AUDIENCE, OpenIdProvider

HOST = "login.example.com"
BY = Actor(name="operator")


@dataclass(kw_only=True)
class Source:
    """The provider, and its keys as they are known here."""

    provider: OpenIdProvider
    server: HttpServer
    clock: FakeClock
    keys: KeyCache

    async def has(self, kid: str = "first") -> bool:
        return await self.keys.find("RS256", kid) is not None

    async def settled(self) -> None:
        """Wait for what is asked while nobody waits."""
        if self.keys._asking is not None:
            await asyncio.wait({self.keys._asking}, timeout=10)


@dataclass(frozen=True, kw_only=True)
class World:
    """The provider, and two portals: the first has an administrator and another user."""

    source: Source
    users: PortalStore
    portal: Portal
    other: Portal

    @property
    def provider(self) -> OpenIdProvider:
        return self.source.provider

    def bearer_tokens(self, issuer: Mapping[str, Any]) -> BearerTokens:
        said: dict[str, Any] = {
            "url": self.provider.issuer,
            "audience": AUDIENCE,
            "email_claim": "email",
            "portal_claim": None,
            "administrators": None,
        }
        source = self.source
        return BearerTokens(Issuer(**{**said, **issuer}), source.keys, self.users, source.clock)

    async def user(self, token: str, portal: Portal | None = None, **issuer: Any) -> User:
        """Whom a token proves at a portal, with settings of an issuer other than usual."""
        return await self.bearer_tokens(issuer).user(portal or self.portal, token)

    async def fault(self, token: str, portal: Portal | None = None, **issuer: Any) -> Fault:
        """Why a token is not taken."""
        with pytest.raises(TokenRefusedError) as caught:
            await self.user(token, portal, **issuer)
        return caught.value.fault


MakeSource = Callable[..., AbstractAsyncContextManager[Source]]


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def shown(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert(HOST)


@pytest.fixture
def make_source(ca: trustme.CA, shown: trustme.LeafCert) -> MakeSource:
    @asynccontextmanager
    async def making(seconds: float = 5.0, host: str = HOST) -> AsyncIterator[Source]:
        clock = FakeClock()
        provider = OpenIdProvider(clock=clock)
        http = HttpClient(
            Policy("any"),
            Names(["127.0.0.1"]),
            lambda: trusting(ca),
            deadline_seconds=seconds,
            largest_body=LARGEST_ANSWER,
            ports=range(1, 65536),
        )
        async with http_server(provider, tls=showing(shown)) as server:
            provider.issuer = server.url("/realms/main", host=host)
            keys = KeyCache(provider.issuer, http, clock)
            try:
                yield Source(provider=provider, server=server, clock=clock, keys=keys)
            finally:
                await keys.close()

    return making


@pytest.fixture
async def source(make_source: MakeSource) -> AsyncIterator[Source]:
    async with make_source() as made:
        yield made


@pytest.fixture
async def world(source: Source, tmp_path: Path) -> AsyncIterator[World]:
    async with migrated_database("sqlite", tmp_path) as database:
        ids = Ids(source.clock)
        audit = AuditLog(source.clock, ids)
        users = PortalStore(database, audit, source.clock, ids)
        portal = await users.create_portal("first", BY)
        await users.create_user(portal.id, "admin@example.com", Role.ADMINISTRATOR, None, BY)
        await users.create_user(portal.id, "user@example.com", Role.USER, None, BY)
        other = await users.create_portal("second", BY)
        yield World(source=source, users=users, portal=portal, other=other)
