"""A store that the program before the history has filled: its revisions are told and restored."""

from pathlib import Path

import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, Transaction, Work
from smarthost.database.migrate import migrate, migrations
from smarthost.ids import Ids
from smarthost.secret import Secret
from smarthost.smtp_settings.model import RevisionAction
from smarthost.smtp_settings.resealing.store import PasswordResealing, Resealed
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from tests.clocks import START, FakeClock
from tests.engines import ENGINES, executing, open_database
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import CANARY, RELAY, relay

BEFORE_THE_HISTORY = 7
LEDGER = """
CREATE TABLE schema_migrations (
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"""
PORTAL = "INSERT INTO portals (id, name, created_at, settings_allowed) VALUES ('p', 'p', 1, 1)"
SAVED = """
INSERT INTO smtp_settings_revisions
    (portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
     sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, sealed_password)
VALUES ('p', $1, 'save', $1, 'admin@example.com', 'mail.example.com', $2, 'notify@example.com',
        'Postman', 'notify', 1, 1, 0, $3)"""
RESET = """
INSERT INTO smtp_settings_revisions (portal_id, revision, action, saved_at, saved_by)
VALUES ('p', 3, 'reset', 3, 'operator')"""
REVISIONS = "SELECT * FROM smtp_settings_revisions ORDER BY revision"


@pytest.mark.parametrize("engine", ENGINES)
async def test_revisions_from_before_are_told_and_restored_after_the_upgrade(
    engine: str, tmp_path: Path, clock: FakeClock, ring: KeyRing
) -> None:
    database = open_database(engine, tmp_path)
    await database.transact(_filled_before(database, ring))
    before = await database.fetch(REVISIONS)
    assert await migrate(database, clock) == len(migrations(engine)) - BEFORE_THE_HISTORY
    assert await database.fetch(REVISIONS) == [(*row, None, None, None) for row in before]
    audit = AuditLog(clock, Ids(clock))
    store = SettingsStore(database, audit, clock, ring)
    told = await store.history("p", limit=10)
    fields = tuple(name for name in RELAY.__struct_fields__ if name != "oauth2")
    assert [past.changed for past in told] == [fields, ("port",), fields]
    restored = await store.restore("p", 1, ADMIN)
    assert (restored.number, restored.action) == (4, RevisionAction.RESTORE)
    assert restored.settings == relay(port=25)
    (newest,) = await store.history("p", limit=1)
    assert newest.changed == (*fields, "password")
    with pytest.raises(Exception, match="never changed"):
        await database.transact(executing("UPDATE smtp_settings_revisions SET changed = '[]'"))
    new = b"n" * KEY_OCTETS
    both = KeyRing({key_id(key): key for key in (bytes(range(KEY_OCTETS)), new)}, key_id(new))
    resealing = PasswordResealing(database, audit, clock, both)
    assert await resealing.reseal("p", ADMIN) == Resealed(sealed=3)
    assert await database.find_damage() is None
    await database.close()


def _filled_before(database: Database, ring: KeyRing) -> Work[None]:
    async def work(tx: Transaction) -> None:
        await tx.execute(LEDGER)
        for one in migrations(database.dialect)[:BEFORE_THE_HISTORY]:
            await tx.execute(one.script)
            row = (one.version, one.name, START)
            await tx.execute("INSERT INTO schema_migrations VALUES ($1, $2, $3)", *row)
        await tx.execute(PORTAL)
        for number, port in ((1, 25), (2, 587)):
            sealed = ring.seal(Secret(CANARY), relay(port=port).destination("p"))
            await tx.execute(SAVED, number, port, sealed)
        await tx.execute(RESET)

    return work
