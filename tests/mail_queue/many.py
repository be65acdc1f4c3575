"""A great many portals, and how often a store is asked about them."""

from collections.abc import Sequence

from smarthost.database.engine import Database, Row, T, Transaction, Value, Work
from tests.engines import executing
from tests.mail_queue.scripted import Faltering

_NUMBERS = """
WITH RECURSIVE numbers (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < CAST($2 AS BIGINT)
)"""
_PORTALS = f"""{_NUMBERS}
INSERT INTO portals (id, name, created_at, settings_allowed, domain_senders_allowed)
SELECT id || n, name || n, created_at, settings_allowed, domain_senders_allowed
FROM portals, numbers WHERE id = $1"""
# All that is kept of the one portal's mail, its settings and its hold, the others have too.
_BEHIND = "p.id > $1 AND p.id < CAST($1 AS TEXT) || '~'"
_COPIES = (
    f"""
INSERT INTO queue_turns (portal_id, kind, due_at, last_sent_at, node, node_until)
SELECT p.id, kind, due_at, last_sent_at, node, node_until
FROM queue_turns, portals p WHERE portal_id = $1 AND {_BEHIND}""",
    f"""
INSERT INTO messages (portal_id, id, kind, revision, accepted_at, accepted_by, owner, sender,
                      needs_smtputf8, needs_8bit, size, details, at_most_once, expires_at, dsn)
SELECT p.id, m.id, kind, revision, accepted_at, accepted_by, owner, sender, needs_smtputf8,
       needs_8bit, size, details, at_most_once, expires_at, dsn
FROM messages m, portals p WHERE portal_id = $1 AND {_BEHIND}""",
    f"""
INSERT INTO message_bodies (portal_id, message_id, content)
SELECT p.id, message_id, content FROM message_bodies, portals p
WHERE portal_id = $1 AND {_BEHIND}""",
    f"""
INSERT INTO recipients (portal_id, message_id, address, kind, state, due_at, scheduled_at,
                        attempts_count, deaths, claim, claimed_at, step, in_doubt, held_for,
                        ended_at)
SELECT p.id, message_id, address, kind, state, due_at, scheduled_at, attempts_count, deaths,
       claim, claimed_at, step, in_doubt, held_for, ended_at
FROM recipients, portals p WHERE portal_id = $1 AND {_BEHIND}""",
    f"""
INSERT INTO relay_holds (portal_id, revision, default_relay, relay_host, relay_port, since, step,
                         code, permanent, reply, tls, failures, tried_at, probe_at, told_at)
SELECT p.id, revision, default_relay, relay_host, relay_port, since, step, code, permanent, reply,
       tls, failures, tried_at, probe_at, told_at
FROM relay_holds, portals p WHERE portal_id = $1 AND {_BEHIND}""",
    f"""
INSERT INTO smtp_settings_revisions (
    portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
    sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, oauth2, oauth2_revision,
    sealed_password, changed)
SELECT p.id, revision, action, saved_at, saved_by, host, port, sender_address,
       sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, oauth2, oauth2_revision,
       sealed_password, changed
FROM smtp_settings_revisions, portals p WHERE portal_id = $1 AND {_BEHIND}""",
)


async def more_portals(database: Database, like: str, count: int) -> None:
    """Make portals without anything, whose ids begin with the one's, so that they come behind."""
    await database.transact(executing(_PORTALS, like, count))


async def more_alike(database: Database, like: str, count: int) -> None:
    """Make portals that have all that the one has of mail, settings and holds."""
    await more_portals(database, like, count)
    for sql in _COPIES:
        await database.transact(executing(sql, like))


class Asked(Faltering):
    """Counts what is asked of a store: reads, and statements in units of work."""

    asked = 0

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        self.asked += 1
        return await super().fetch(sql, *values)

    async def execute(self, sql: str, *values: Value) -> int:
        self.asked += 1
        return await super().execute(sql, *values)

    async def transact(self, work: Work[T]) -> T:
        async def counted(tx: Transaction) -> T:
            return await work(_Counted(tx, self))

        return await super().transact(counted)


class _Counted:
    """A unit of work's transaction."""

    def __init__(self, tx: Transaction, asked: Asked) -> None:
        self._tx = tx
        self._asked = asked

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        self._asked.asked += 1
        return await self._tx.fetch(sql, *values)

    async def fetch_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        self._asked.asked += 1
        return await self._tx.fetch_each(sql, rows)

    async def execute(self, sql: str, *values: Value) -> int:
        self._asked.asked += 1
        return await self._tx.execute(sql, *values)

    async def lock(self, subject: str) -> None:
        self._asked.asked += 1
        await self._tx.lock(subject)
