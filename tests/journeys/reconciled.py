"""The ledger of a store, read from its file: each accepted recipient is in exactly one state.

What is read here is the file itself, by another program than the service: so it can be read while
the service runs, and after it was killed.
"""

import contextlib
from pathlib import Path
from typing import Any

import apsw

# Each finds rows that contradict others; in a ledger that closes, all find none.
_CONTRADICTIONS = {
    "a message to nobody": """
SELECT id FROM messages m WHERE NOT EXISTS (
    SELECT 1 FROM recipients r WHERE r.portal_id = m.portal_id AND r.message_id = m.id)""",
    "sent without a 250, or a 250 and not sent": """
SELECT message_id FROM recipients r WHERE (state = 'sent') != EXISTS (
    SELECT 1 FROM attempts a WHERE a.portal_id = r.portal_id AND a.message_id = r.message_id
    AND a.address = r.address AND a.result = 'accepted')""",
    "an attempt that nobody has told the end of": """
SELECT message_id FROM recipients r WHERE attempts_count - (state = 'sending') != (
    SELECT count(*) FROM attempts a WHERE a.portal_id = r.portal_id
    AND a.message_id = r.message_id AND a.address = r.address)""",
    "still to be sent, and its content gone": """
SELECT message_id FROM recipients r WHERE state IN ('queued', 'sending', 'held')
AND NOT EXISTS (SELECT 1 FROM message_bodies b
    WHERE b.portal_id = r.portal_id AND b.message_id = r.message_id)""",
    "waiting, and no worker will look": """
SELECT r.message_id FROM recipients r LEFT JOIN queue_turns t
    ON t.portal_id = r.portal_id AND t.kind = r.kind
LEFT JOIN relay_holds h ON h.portal_id = r.portal_id AND r.kind = 'mail'
WHERE r.due_at IS NOT NULL
AND (t.due_at IS NULL OR t.due_at > max(r.due_at, coalesce(h.probe_at, 0)))""",
    "sent, and not counted once": """
SELECT p.id, sum(p.sent) AS sent, sum(p.counted) AS counted FROM (
    SELECT portal_id AS id, 1 AS sent, 0 AS counted FROM recipients
    WHERE kind = 'mail' AND state = 'sent'
    UNION ALL
    SELECT portal_id, 0, sent_in_1 + sent_in_5 + sent_in_30 + sent_in_120 + sent_in_600
        + sent_in_3600 + sent_in_21600 + sent_in_86400 + sent_later FROM mail_counts
) p GROUP BY p.id HAVING sum(p.sent) != sum(p.counted)""",
}


def assert_ledger_closes(data_dir: Path) -> None:
    """Read everything at one moment, and look for what contradicts something else."""
    with contextlib.closing(_opened(data_dir)) as store, store:
        for what, query in _CONTRADICTIONS.items():
            found = store.execute(query).fetchall()
            assert not found, f"{what}: {found[:5]}"


def assert_file_is_whole(data_dir: Path) -> None:
    with contextlib.closing(_opened(data_dir)) as store:
        assert store.pragma("integrity_check") == "ok"
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []


def rows(data_dir: Path, query: str, *values: object) -> list[Any]:
    """Return what the store says at this moment."""
    with contextlib.closing(_opened(data_dir)) as store:
        return store.execute(query, values).fetchall()


def _opened(data_dir: Path) -> apsw.Connection:
    store = apsw.Connection(str(data_dir / "smarthost.db"))
    store.set_busy_timeout(30_000)
    return store
