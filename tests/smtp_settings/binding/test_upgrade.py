"""Revisions that an earlier program has written have no OAuth2, and can get it."""

from pathlib import Path

import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Transaction
from smarthost.database.migrate import migrate, migrations
from smarthost.ids import Ids
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.sealing import KeyRing
from smarthost.smtp_settings.store import SettingsStore
from tests.clocks import START, FakeClock
from tests.engines import ENGINES, executing, open_database
from tests.smtp_settings.binding.bindings import APPLICATION, Known
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.history.test_upgrade import LEDGER, PORTAL, SAVED
from tests.smtp_settings.relays import CANARY, relay

BEFORE_OAUTH2 = 8


@pytest.mark.parametrize("engine", ENGINES)
async def test_settings_from_before_keep_their_password_until_oauth2_takes_its_place(
    engine: str, tmp_path: Path, clock: FakeClock, ring: KeyRing
) -> None:
    database = open_database(engine, tmp_path)
    destination = relay(port=587).destination("p")

    async def work(tx: Transaction) -> None:
        await tx.execute(LEDGER)
        for one in migrations(engine)[:BEFORE_OAUTH2]:
            await tx.execute(one.script)
            row = (one.version, one.name, START)
            await tx.execute("INSERT INTO schema_migrations VALUES ($1, $2, $3)", *row)
        await tx.execute(PORTAL)
        await tx.execute(SAVED, 1, 587, ring.seal(Secret(CANARY), destination))

    await database.transact(work)
    await migrate(database, clock)
    audit = AuditLog(clock, Ids(clock))
    store = SettingsStore(database, audit, clock, ring)
    before = await store.current("p")
    assert (before.settings, before.oauth2_revision) == (relay(port=587), None)
    bindings = BindingStore(database, audit, clock, ring, Known())
    assert (await bindings.status("p")).ended is None
    assert (await bindings.bind("p", APPLICATION, ADMIN)).number == 2
    assert (await store.restore("p", 1, ADMIN)).settings == before.settings
    for column in ("oauth2", "oauth2_revision"):
        change = executing(f"UPDATE smtp_settings_revisions SET {column} = {column}")
        with pytest.raises(Exception, match="never changed"):
            await database.transact(change)
    assert await database.find_damage() is None
    await database.close()
