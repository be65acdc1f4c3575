"""A store as the first program has left it, at the first schema: two portals with all they had.

The rows and the key ring are its own, written by its commands and by a session of its service. The
mail is of the schema that came third, before the tables of the queue were made anew.
"""

import json
from pathlib import Path

from smarthost.database.engine import Database, Transaction, Value
from smarthost.database.migrate import migrations
from tests.clocks import START

PORTAL = "01a207b9-d298-7742-bb88-f1fb486fb049"
ADMIN = "admin@example.com"
ADMINS_PASSWORD = "Tr0ub4dor and 3"
KEY = "sh_01a207b9-d298-750e-b7ed-f6f9f4cae9e5_HQ6R-pfCrdpg7inoUs608QjmUKkpwWZxcSEKhKKaSEs"
RELAYS_PASSWORD = "sealed by the first"
"""In the first portal's settings."""

MAIL_AT = 3
"""The schema that `write_mail` is for."""

_WRITTEN = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_LEDGER = (
    "CREATE TABLE schema_migrations (version INTEGER NOT NULL PRIMARY KEY, "
    "name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
)
ADD_PORTAL = (
    "INSERT INTO portals (id, name, created_at, settings_allowed) VALUES ('p', 'first', 1, 1)"
)
_MESSAGE = """
INSERT INTO messages (portal_id, id, kind, revision, accepted_at, accepted_by, sender,
                      needs_smtputf8, needs_8bit, size)
VALUES ('p', $1, $2, $3, 10, 'admin@example.com', 'portal@example.com', 0, 1, 3)"""
_BODY = "INSERT INTO message_bodies (portal_id, message_id, content) VALUES ('p', $1, $2)"
_RECIPIENT = """
INSERT INTO recipients (portal_id, message_id, address, kind, state, due_at, attempts_count, claim,
                        claimed_at, step, in_doubt)
VALUES ('p', $1, 'anna@example.org', $2, $3, $4, $5, $6, $7, $8, $9)"""
_ATTEMPT = """
INSERT INTO attempts (portal_id, message_id, address, attempt, started_at, microseconds, result,
                      in_doubt, step, code, permanent, reply, revision, relay_host, relay_port,
                      default_relay, relay_address, tls, warnings)
VALUES ('p', $1, 'anna@example.org', 1, 20, 5, $2, 0, 'data', $3, 0, '250 OK', 7,
        'mail.example.com', 587, 0, '192.0.2.1', 'TLSv1.3', 'not_encrypted')"""
_LAST_TEST = "INSERT INTO last_tests (portal_id, message_id) VALUES ('p', $1)"
_TURN = "INSERT INTO queue_turns (portal_id, kind, due_at) VALUES ('p', $1, $2)"
SENT, HELD, QUEUED, TEST = "sent", "held", "queued", "test"


async def write_tables(tx: Transaction, engine: str, schema: int) -> None:
    """Make the tables of an earlier schema in an empty store."""
    await tx.execute(_LEDGER)
    for one in migrations(engine)[:schema]:
        await tx.execute(one.script)
        row = (one.version, one.name, START)
        await tx.execute("INSERT INTO schema_migrations VALUES ($1, $2, $3)", *row)


async def write_first_store(database: Database) -> None:
    """Make the store in an empty one."""

    async def work(tx: Transaction) -> None:
        await write_tables(tx, database.dialect, 1)
        for table, written in _WRITTEN["tables"].items():
            columns = ", ".join(written["columns"])
            places = ", ".join(f"${number}" for number in range(1, len(written["columns"]) + 1))
            for row in written["rows"]:
                sql = f"INSERT INTO {table} ({columns}) VALUES ({places})"
                await tx.execute(sql, *map(_value, row))

    await database.transact(work)


def write_key_ring(path: Path) -> None:
    path.write_text(json.dumps(_WRITTEN["keyring"]))
    path.chmod(0o600)


async def write_mail(tx: Transaction) -> None:
    """Put mail of every kind into a store of the schema `MAIL_AT`."""
    await tx.execute(ADD_PORTAL)
    for name, kind, state, due_at, tried, claim, step, in_doubt in (
        (SENT, "mail", "sent", None, 1, None, "data", 0),
        (HELD, "mail", "held", None, 1, None, "data", 1),
        (QUEUED, "mail", "queued", 99, 0, None, None, 0),
        (TEST, "test", "sending", 60, 1, "a claim", "tls", 0),
    ):
        await tx.execute(_MESSAGE, name, kind, 7 if kind == "test" else None)
        await tx.execute(_BODY, name, b"\0\xff\n")
        claimed_at = 20 if tried else None
        row = (name, kind, state, due_at, tried, claim, claimed_at, step, in_doubt)
        await tx.execute(_RECIPIENT, *row)
    await tx.execute(_ATTEMPT, SENT, "accepted", None)
    await tx.execute(_ATTEMPT, HELD, "deferred", "timed_out")
    await tx.execute(_LAST_TEST, TEST)
    await tx.execute(_TURN, "mail", 99)
    await tx.execute(_TURN, "test", 60)


def _value(written: object) -> Value:
    if isinstance(written, dict):
        return bytes.fromhex(written["hex"])
    assert written is None or isinstance(written, str | int)
    return written
