"""A great many portals, made by SQL: through the door they would take minutes.

They have nothing, or all that one of them has of mail, settings and holds. Their ids begin with
that one's, so that they come behind it.
"""

from smarthost.database.engine import Database, Transaction

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
    """Make portals without anything."""

    async def work(tx: Transaction) -> None:
        await tx.execute(_PORTALS, like, count)

    await database.transact_long(work)


async def more_alike(database: Database, like: str) -> None:
    """Give those that were made all that the one has of mail, settings and holds."""

    async def work(tx: Transaction) -> None:
        for sql in _COPIES:
            await tx.execute(sql, like)

    await database.transact_long(work)
