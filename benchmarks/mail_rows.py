"""Mail that has been, written by SQL: a million messages through the queue would take an hour.

Of twenty messages one has failed, the newest three of all wait, and the others were sent at the
first try: the smallest portal that is measured fills a page with what failed, as the largest
does. The ids are those of a message every ten seconds. Each has its row in every table that the
log reads.
"""

from datetime import UTC, datetime
from pathlib import Path

import apsw

SEARCHED = "Invoice 4711"
"""The subject of one message in twenty."""
ADDRESS = "reader7@example.org"
"""One of twenty recipients."""

_EVERY_MILLISECONDS = 10_000
_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $count)"
# A UUIDv7: 48 bits of milliseconds, then the message's number in place of random bits.
_ID = """
substr(printf('%012x', $first + i * $every), 1, 8) || '-'
|| substr(printf('%012x', $first + i * $every), 9) || '-7000-8000-' || printf('%012x', i)"""
_AT = "($first + i * $every) * 1000"
_STATE = """
CASE WHEN i >= $count - 3 THEN 'queued' WHEN i % 20 = 10 THEN 'failed' ELSE 'sent' END"""
_ENDED = "i < $count - 3"

_SCRIPTS = (
    f"""
{_NUMBERS}
INSERT INTO messages (portal_id, id, kind, accepted_at, accepted_by, owner, sender,
                      needs_smtputf8, needs_8bit, size, details, at_most_once)
SELECT $portal, {_ID}, 'mail', {_AT}, 'admin@example.com', NULL, 'notify@example.com', 0, 0, 2048,
       json_object('message_id', '<' || i || '@example.com>', 'from', 'Shop <notify@example.com>',
                   'to', json_array('reader' || (i % 20) || '@example.org'), 'subject',
                   CASE WHEN i % 20 = 5 THEN $searched ELSE 'Your order ' || i END), 0
FROM n""",
    f"""
{_NUMBERS}
INSERT INTO recipients (portal_id, message_id, address, kind, state, due_at, attempts_count,
                        deaths, claimed_at, in_doubt, ended_at)
SELECT $portal, {_ID}, 'reader' || (i % 20) || '@example.org', 'mail', {_STATE},
       CASE WHEN {_ENDED} THEN NULL ELSE 9000000000000000 END, {_ENDED}, 0,
       CASE WHEN {_ENDED} THEN {_AT} END, 0, CASE WHEN {_ENDED} THEN {_AT} + 1000000 END
FROM n""",
    f"""
{_NUMBERS}
INSERT INTO attempts (portal_id, message_id, address, attempt, started_at, microseconds, result,
                      in_doubt, step, code, permanent, reply, revision, relay_host, relay_port,
                      default_relay, relay_address, tls, warnings)
SELECT $portal, {_ID}, 'reader' || (i % 20) || '@example.org', 1, {_AT}, 120000,
       CASE WHEN i % 20 = 10 THEN 'refused' ELSE 'accepted' END, 0, 'data',
       CASE WHEN i % 20 = 10 THEN 'message_refused' END, i % 20 = 10,
       CASE WHEN i % 20 = 10 THEN '554 5.7.1 Spam' ELSE '250 2.0.0 Ok' END, 1,
       'mail.example.com', 587, 0, '192.0.2.1', 'TLSv1.3', ''
FROM n WHERE {_ENDED}""",
    f"""
{_NUMBERS}
INSERT INTO mail_counts (portal_id, hour, sent_in_1, sent_in_5, sent_in_30, sent_in_120,
                         sent_in_600, sent_in_3600, sent_in_21600, sent_in_86400, sent_later,
                         deferred, failed)
SELECT $portal, {_AT} - {_AT} % 3600000000, sum(i % 20 <> 10), 0, 0, 0, 0, 0, 0, 0, 0, 0,
       sum(i % 20 = 10)
FROM n WHERE {_ENDED} GROUP BY 2""",
)


def write_mail(database: Path, portal_id: str, count: int) -> str:
    """Write `count` messages of a portal, the newest of today; return the id of a failed one."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    values = {
        "portal": portal_id,
        "count": count,
        "first": now - count * _EVERY_MILLISECONDS,
        "every": _EVERY_MILLISECONDS,
        "searched": SEARCHED,
    }
    connection = apsw.Connection(str(database))
    with connection:
        for script in _SCRIPTS:
            connection.execute(script, values)
    rows = connection.execute(
        "SELECT message_id FROM recipients WHERE portal_id = ? AND state = 'failed' "
        "ORDER BY message_id DESC LIMIT 1",
        (portal_id,),
    ).fetchall()
    connection.close()
    return str(rows[0][0])
