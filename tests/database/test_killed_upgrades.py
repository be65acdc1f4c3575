"""A store of the first schema, with data, whose upgrade is killed at every step of the way."""

import asyncio
from pathlib import Path

import pytest

from smarthost.audit.store import AuditLog
from smarthost.clock import SystemClock
from smarthost.database.engine import Database
from smarthost.database.migrate import migrate
from smarthost.ids import Ids
from smarthost.smtp_settings.live_key_ring import LiveKeyRing
from smarthost.smtp_settings.store import SettingsStore
from tests.database.dying import kill_upgrades
from tests.database.first_store import (
    PORTAL,
    RELAYS_PASSWORD,
    write_key_ring,
)
from tests.database.shape import shape_of
from tests.engines import ENGINES, migrated_database, open_database

EVERY = 4
"""Statements from one kill to the next; `make soak` kills at each."""
KILLS = 40


@pytest.mark.parametrize("engine", ENGINES)
async def test_nothing_is_lost_and_it_comes_to_its_end(engine: str, tmp_path: Path) -> None:
    kills = await asyncio.to_thread(kill_upgrades, engine, tmp_path, EVERY)
    assert kills >= KILLS
    database = open_database(engine, tmp_path)
    assert await migrate(database, SystemClock()) == 0
    (tmp_path / "new").mkdir()
    async with migrated_database(engine, tmp_path / "new") as new:
        assert await shape_of(database) == await shape_of(new)
    assert await database.find_damage() is None
    if engine == "sqlite":  # PostgreSQL looks at each while it is made
        assert await database.fetch("PRAGMA foreign_key_check") == []
    assert await relays_password(database, tmp_path / "keyring.json") == RELAYS_PASSWORD
    await database.close()


async def relays_password(database: Database, path: Path) -> str:
    """Open what the first program has sealed."""
    write_key_ring(path)
    clock, ring = SystemClock(), LiveKeyRing(path)
    store = SettingsStore(database, AuditLog(clock, Ids(clock)), clock, ring)
    in_force = await store.current(PORTAL)
    assert in_force.settings is not None
    assert in_force.sealed_password is not None
    return ring.open(in_force.sealed_password, in_force.settings.destination(PORTAL)).reveal()
