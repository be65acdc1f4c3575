"""An installation with something in every table, written by SQL: two portals, all kinds of mail.

Text and octets are of the kinds in which two engines might differ: beyond ASCII and the BMP,
empty, with a NUL, and whole numbers as large as they get.
"""

import asyncio
from pathlib import Path

import apsw

from smarthost.clock import Clock
from smarthost.database.migrate import migrate
from smarthost.database.sqlite import SqliteDatabase

TEXT = "'Grüße \U0001f600 \uffff ' || char(9)"
_NUMBERS = """
CREATE TEMP TABLE n AS WITH RECURSIVE
n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) SELECT i FROM n"""
_LARGEST = 2**63 - 1
_SCRIPT = f"""
INSERT INTO portals SELECT 'p1', 'first', 1, 1, 0, NULL, NULL;
INSERT INTO portals SELECT 'p2', {TEXT}, {_LARGEST}, 0, 1, 5, 6;
INSERT INTO users SELECT id, 'u', 'anna@example.com', 'administrator', '$argon', 1 FROM portals;
INSERT INTO users SELECT id, 'v', 'bernd@bücher.example', 'user', NULL, 1 FROM portals;
INSERT INTO api_keys
SELECT portal_id, 'k' || id, id, {TEXT}, '*', zeroblob(32), 'abc', 1, NULL, 7 FROM users;
INSERT INTO sessions SELECT portal_id, 's' || id, id, randomblob(32), 1, 2 FROM users;
INSERT INTO sign_in_links SELECT portal_id, 'l' || id, id, randomblob(32), 1, 2 FROM users;
INSERT INTO test_requests SELECT portal_id, id, 't', 1 FROM users;
INSERT INTO sign_in_failures VALUES ('192.0.2.1', 1, 2), ('\uffff', 1, 2), ('\U0001f600', 1, 2);
INSERT INTO sealing_keys VALUES ('a key', 1);
INSERT INTO smtp_settings_revisions
SELECT id, 1, 'save', 1, 'anna', 'mail.example.com', 587, 'a@example.com', {TEXT}, 'u',
       randomblob(60), 1, 1, 0, '["password"]', NULL, NULL FROM portals;
INSERT INTO smtp_settings_revisions (portal_id, revision, action, saved_at, saved_by)
SELECT id, 2, 'reset', 2, 'anna' FROM portals;
INSERT INTO smtp_settings_revisions
SELECT id, 3, 'save', 3, 'anna', 'mail.example.com', 587, 'a@example.com', '', 'u', x'00ff', 1,
       1, 0, NULL, '{{}}', 3 FROM portals;
INSERT INTO oauth2_tokens SELECT id, 3, 1, NULL, 'refused', {TEXT}, x'00', 4 FROM portals;
INSERT INTO oauth2_authorizations
SELECT portal_id, randomblob(32), 3, id, 'anna', 'https://example.com', x'01', 9 FROM users;
INSERT INTO tests_without_relay SELECT id, 't', 1 FROM portals;
INSERT INTO hold_notices SELECT id, 1 FROM portals;
INSERT INTO queue_turns SELECT id, 'mail', 9, NULL, NULL, 0 FROM portals;
INSERT INTO delivering_nodes VALUES ('a node', 1);
INSERT INTO relay_holds
SELECT id, 3, 0, 'mail.example.com', 587, 1, 'login', 'login_refused', 1, {TEXT}, NULL, 1, 1, 2,
       NULL FROM portals;
INSERT INTO webhooks
SELECT id, 'https://example.com/x', x'00', 1, NULL, NULL, 0, NULL, NULL, NULL, 0, 4 FROM portals;
"""
_MAIL = """
INSERT INTO messages
SELECT p.id, printf('m%06d', i), iif(i = 0, 'test', 'mail'), iif(i = 0, 3, NULL), i, 'anna',
       iif(i % 2, NULL, 'key:k'), 'a@example.com', 0, 1, i * 7, '{"subject": "' || i || '"}', 0,
       NULL, iif(i % 3, NULL, '{}') FROM n, portals p;
INSERT INTO message_bodies SELECT portal_id, id, randomblob(size % 900) FROM messages;
INSERT INTO recipients
SELECT portal_id, id, a, kind, s, iif(s IN ('queued', 'sending'), 9, NULL), NULL, 1, 0,
       iif(s = 'sending', 'c', NULL), 3, 'data', 0, iif(s = 'held', 'restored', NULL),
       iif(s IN ('sent', 'failed', 'expired', 'cancelled'), 8, NULL)
FROM (SELECT portal_id, id, kind, a, CASE (accepted_at + o) % 7 WHEN 0 THEN 'queued'
          WHEN 1 THEN 'sending' WHEN 2 THEN 'sent' WHEN 3 THEN 'failed' WHEN 4 THEN 'expired'
          WHEN 5 THEN 'cancelled' ELSE 'held' END AS s
      FROM messages,
           (SELECT 'bob@example.org' AS a, 0 AS o UNION ALL SELECT 'jürg@bücher.example', 3));
INSERT INTO attempts
SELECT portal_id, message_id, address, 1, 3, NULL, iif(state = 'sent', 'accepted', 'deferred'), 0,
       'data', iif(state = 'sent', NULL, 'timed_out'), 0, '250 Ok', NULL, NULL, NULL, NULL, NULL,
       NULL, '' FROM recipients;
INSERT INTO failure_notices
SELECT portal_id, message_id, address FROM recipients WHERE state = 'failed';
INSERT INTO last_tests SELECT portal_id, id FROM messages WHERE kind = 'test';
INSERT INTO idempotency_keys
SELECT p.id, 'key:k', 'i' || i, randomblob(32), x'', i FROM n, portals p;
INSERT INTO webhook_events SELECT p.id, 'e' || i, 1, 2, 0, x'7b7d00' FROM n, portals p;
INSERT INTO mail_counts SELECT p.id, i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 FROM n, portals p;
INSERT INTO audit_events
SELECT i * 2 + 1, 'p1', 'e' || i, 1, 'operator', NULL, NULL, 'x.y', 'a' || char(0) || 'b', '{}'
FROM n;
"""


def write_installation(path: Path, clock: Clock, messages: int = 8) -> None:
    """Make it, with so many messages in each portal."""

    async def make() -> None:
        database = SqliteDatabase(path)
        await migrate(database, clock)
        await database.close()

    asyncio.run(make())
    connection = apsw.Connection(str(path))
    connection.pragma("foreign_keys", True)
    with connection:
        connection.execute(_NUMBERS, (messages,))
        connection.execute(_SCRIPT)
        connection.execute(_MAIL)
    connection.close()


def execute(path: Path, sql: str) -> None:
    """Change something in the file by hand."""
    connection = apsw.Connection(str(path))
    connection.pragma("foreign_keys", True)
    connection.execute(sql)
    connection.close()
