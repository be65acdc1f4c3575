"""The end points under /emails in an application of their own: no server, no worker, one store."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.statistics.store import StatisticsStore
from smarthost.portals.keys.last_use import LastUse
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import Permission, Portal, Role, User
from smarthost.portals.sign_in.passwords import Passwords
from smarthost.portals.sign_in.sign_in import SignIn
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.store import PortalStore
from smarthost.sending.attempts import Attempts
from smarthost.sending.prepare import Sending
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from smarthost.tally import OwnTally
from smarthost.web.application import Middleware, WebApp, add_operations, make_application
from smarthost.web.auth import Authenticator
from smarthost.web.emails.emails import EmailsApi
from smarthost.web.emails.family import EMAILS
from smarthost.web.emails.operations import operations
from smarthost.web.emails.statistics import StatisticsApi
from smarthost.web.pipeline import Pipeline
from smarthost.web.portal_finder import PortalFinder
from smarthost.web.rate_limit import RateLimit
from tests.clocks import FakeClock
from tests.engines import ENGINES, migrated_database
from tests.smtp_settings.relays import draft, relay

BY = Actor(name="operator")
DOMAIN = "portals.test"
EMAIL: dict[str, Any] = {"to": "jane@example.net", "subject": "Your order", "text": "On its way."}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def asked(
    app: WebApp, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> Reply:
    """Hand one request to the application, as the server does."""
    fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [*fields, (b"content-length", str(len(body)).encode())],
        "client": ("192.0.2.9", 4711),
        "server": ("127.0.0.1", 8025),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    await app(scope, receive, send)
    start, *parts = sent
    return Reply(
        status=start["status"],
        headers={name.decode(): value.decode() for name, value in start["headers"]},
        body=b"".join(part.get("body", b"") for part in parts),
    )


@dataclass(frozen=True, kw_only=True)
class World:
    """An application, what is behind it, and who asks."""

    app: WebApp
    clock: FakeClock
    database: Database
    portals: PortalStore
    keys: KeyStore
    settings: SettingsStore
    messages: MessageStore
    portal: Portal
    admin: User
    key: str
    """The administrator's, with the permission `*`."""

    async def ask(
        self,
        method: str,
        path: str = "/emails",
        body: object = None,
        *,
        key: str | None = None,
        portal: str | None = None,
        headers: dict[str, str] | None = None,
        query: str = "",
    ) -> Reply:
        """Ask as the administrator if no key is given; octets are sent as they are."""
        given = {
            "Host": f"{portal or self.portal.name}.{DOMAIN}",
            "Authorization": f"Bearer {self.key if key is None else key}",
            **(headers or {}),
        }
        if body is not None:
            given.setdefault("Content-Type", "application/json")
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await asked(self.app, method, path, query, given, b"" if body is None else octets)

    async def send(self, key: str | None = None, **fields: object) -> str:
        """Send `EMAIL` with these fields, and return its id."""
        result = await self.ask("POST", body={**EMAIL, **fields}, key=key)
        assert result.status == 200, result.body
        return str(result.json["id"])

    async def open_key(self, user: User | None = None, *permissions: Permission) -> str:
        """Return a new key, for sending alone if nothing is said."""
        held = frozenset(permissions or {Permission.SEND})
        _, token = await self.keys.create(user or self.admin, "test", held, None, BY)
        return token.text().reveal()

    async def open_user(self, email: str, role: Role = Role.USER) -> User:
        return await self.portals.create_user(self.portal.id, email, role, None, BY)

    async def content(self, message_id: str) -> bytes:
        """The octets that were accepted."""
        content = await self.messages.content(self.portal.id, message_id)
        assert content is not None
        return content

    async def save(self, settings: SmtpSettings, portal: Portal | None = None) -> None:
        """Put other settings in force."""
        saved = draft(settings, "secret" if settings.enable_auth else None)
        await self.settings.save((portal or self.portal).id, saved, BY, None)


@pytest.fixture(params=ENGINES)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """One portal with settings of its own; its sender is `Postman <notify@example.com>`."""
    async with migrated_database(request.param, tmp_path) as database:
        passwords = Passwords()
        try:
            yield await _make(database, passwords)
        finally:
            passwords.close()


async def _make(database: Database, passwords: Passwords) -> World:
    clock = FakeClock()
    ids = Ids(clock)
    audit = AuditLog(clock, ids)
    portals, keys = PortalStore(database, audit, clock, ids), KeyStore(database, audit, clock, ids)
    sign_ins = SignInStore(database, audit, clock, ids)
    ring_key = bytes(KEY_OCTETS)
    ring = KeyRing({key_id(ring_key): ring_key}, key_id(ring_key))
    settings = SettingsStore(database, audit, clock, ring)
    messages = MessageStore(database, audit, clock)
    portal = await portals.create_portal("acme", BY)
    admin = await portals.create_user(portal.id, "admin@example.com", Role.ADMINISTRATOR, None, BY)
    _, token = await keys.create(admin, "all", frozenset({Permission.ALL}), None, BY)
    api = EmailsApi(
        sending=Sending(settings, None, clock, ids),
        intake=Intake(database, ArrivalStore(database, clock), ids, lambda: None),
        messages=messages,
        mail_log=MailLog(database),
        holds=HoldStore(database, clock),
        attempts=Attempts(messages, settings, None),
        clock=clock,
    )
    statistics = StatisticsApi(StatisticsStore(database), clock)
    users, addresses = (RateLimit(clock, OwnTally(), enforced=True) for _ in range(2))
    pipeline = Pipeline(
        PortalFinder(portals, DOMAIN, "acme"),
        Authenticator(keys, LastUse(keys), sign_ins, SignIn(portals, sign_ins, passwords), clock),
        users,
        addresses,
        clock,
        asyncio.Event(),
    )
    middleware = Middleware((EMAILS,), (), addresses, clock, ids, lambda *_: None)
    app = make_application(middleware, clock)
    add_operations(app, [*operations(api), *statistics.operations()], pipeline)
    world = World(
        app=app,
        clock=clock,
        database=database,
        portals=portals,
        keys=keys,
        settings=settings,
        messages=messages,
        portal=portal,
        admin=admin,
        key=token.text().reveal(),
    )
    await world.save(relay())
    return world
