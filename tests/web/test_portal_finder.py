from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.audit.model import OPERATOR, Actor
from smarthost.audit.store import AuditLog
from smarthost.clock import SystemClock
from smarthost.database.migrate import migrate
from smarthost.database.sqlite import SqliteDatabase
from smarthost.ids import Ids
from smarthost.portals.store import PortalStore
from smarthost.web.errors import RequestError
from smarthost.web.portal_finder import PortalFinder


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[PortalStore]:
    """A store with the portals `a` and `b`."""
    clock = SystemClock()
    ids = Ids(clock)
    database = SqliteDatabase(tmp_path / "smarthost.db")
    await migrate(database, clock)
    store = PortalStore(database, AuditLog(clock, ids), clock, ids)
    for name in ("a", "b"):
        await store.create_portal(name, Actor(name=OPERATOR))
    yield store
    await database.close()


@pytest.mark.parametrize("base", ["portals.example", "Portals.Example"])
@pytest.mark.parametrize(
    "host",
    ["a.portals.example", "A.PORTALS.example:1", "a.portals.example.", "a.portals.example.:9"],
)
async def test_the_label_names_the_portal(store: PortalStore, base: str, host: str) -> None:
    finder = PortalFinder(store, base, standalone="b")

    assert (await finder.find(host)).name == "a"


@pytest.mark.parametrize(
    "host",
    ["", "portals.example", ".portals.example", "c.portals.example", "a.b.portals.example",
     "aportals.example", "a", "a.portals.example.evil.example", "a.portals.example..",
     "[::1]", "192.0.2.1:80", "b.portals.example.portals.example"],
)  # fmt: skip
async def test_any_other_host_is_404(store: PortalStore, host: str) -> None:
    finder = PortalFinder(store, "portals.example", standalone="b")

    with pytest.raises(RequestError) as caught:
        await finder.find(host)
    assert caught.value.status == 404


@pytest.mark.parametrize("host", ["", "a.portals.example", "anything:80", "[::1]"])
async def test_a_standalone_installation_has_one_portal(store: PortalStore, host: str) -> None:
    assert (await PortalFinder(store, None, standalone="b").find(host)).name == "b"
