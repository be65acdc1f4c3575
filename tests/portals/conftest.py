from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import Portal, Role, User
from smarthost.portals.sign_in.links.store import SignInLinks
from smarthost.portals.sign_in.passwords import Passwords
from smarthost.portals.sign_in.sign_in import SignIn
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.store import PortalStore
from smarthost.secret import Secret
from tests.clocks import FakeClock
from tests.engines import ENGINES, migrated_database

BY = Actor(name="operator")
PASSWORD = Secret("correct horse battery")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ids(clock: FakeClock) -> Ids:
    return Ids(clock)


@pytest.fixture
def audit(clock: FakeClock, ids: Ids) -> AuditLog:
    return AuditLog(clock, ids)


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def portals(database: Database, audit: AuditLog, clock: FakeClock, ids: Ids) -> PortalStore:
    return PortalStore(database, audit, clock, ids)


@pytest.fixture
def keys(database: Database, audit: AuditLog, clock: FakeClock, ids: Ids) -> KeyStore:
    return KeyStore(database, audit, clock, ids)


@pytest.fixture
def sign_ins(database: Database, audit: AuditLog, clock: FakeClock, ids: Ids) -> SignInStore:
    return SignInStore(database, audit, clock, ids)


@pytest.fixture
def links(
    database: Database, audit: AuditLog, clock: FakeClock, ids: Ids, sign_ins: SignInStore
) -> SignInLinks:
    return SignInLinks(database, audit, clock, ids, sign_ins)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords()
    yield passwords
    passwords.close()


@pytest.fixture
def sign_in(portals: PortalStore, sign_ins: SignInStore, passwords: Passwords) -> SignIn:
    return SignIn(portals, sign_ins, passwords)


@pytest.fixture
async def portal(portals: PortalStore) -> Portal:
    return await portals.create_portal("first", BY)


@pytest.fixture
async def neighbour(portals: PortalStore) -> Portal:
    return await portals.create_portal("second", BY)


@pytest.fixture
async def admin(portals: PortalStore, portal: Portal, passwords: Passwords) -> User:
    """The one administrator, whose password is `PASSWORD`."""
    stored = await passwords.hash(PASSWORD)
    return await portals.create_user(
        portal.id, "admin@example.com", Role.ADMINISTRATOR, stored, BY
    )


@pytest.fixture
async def user(portals: PortalStore, portal: Portal, clock: FakeClock) -> User:
    """A user who is no administrator and has no password."""
    clock.advance(1)
    return await portals.create_user(portal.id, "user@example.com", Role.USER, None, BY)
