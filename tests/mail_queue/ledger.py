"""What holds of the queue's rows at any moment, as questions that have no rows for an answer."""

from smarthost.database.engine import Database

# Which recipients have not exactly one attempt for each one counted, the one under way left out.
COUNTS = """
SELECT r.portal_id, r.message_id, r.address, r.state, r.attempts_count
FROM recipients r
WHERE r.attempts_count <> (
    SELECT count(*) FROM attempts a
    WHERE a.portal_id = r.portal_id AND a.message_id = r.message_id AND a.address = r.address
) + CASE WHEN r.state = 'sending' THEN 1 ELSE 0 END"""
# Which are sent without a relay's word for it, or have that and are not.
SENT = """
SELECT r.portal_id, r.message_id, r.address, r.state
FROM recipients r
WHERE (r.state = 'sent') <> ((
    SELECT count(*) FROM attempts a
    WHERE a.portal_id = r.portal_id AND a.message_id = r.message_id AND a.address = r.address
      AND a.result = 'accepted'
) = 1)"""
# Which may have arrived and are not marked, or the other way round.
DOUBT = """
SELECT r.portal_id, r.message_id, r.address, r.in_doubt
FROM recipients r
WHERE (r.in_doubt = 1) <> EXISTS (
    SELECT 1 FROM attempts a
    WHERE a.portal_id = r.portal_id AND a.message_id = r.message_id AND a.address = r.address
      AND a.in_doubt = 1
)"""
# Whose turn is another than its recipients and its hold make it.
TURNS = """
SELECT t.portal_id, t.kind, t.due_at, d.due_at, h.probe_at
FROM queue_turns t
LEFT JOIN (
    SELECT portal_id, kind, min(due_at) AS due_at FROM recipients GROUP BY portal_id, kind
) d ON d.portal_id = t.portal_id AND d.kind = t.kind
LEFT JOIN relay_holds h ON h.portal_id = t.portal_id AND t.kind = 'mail'
WHERE t.due_at IS DISTINCT FROM
      CASE WHEN h.probe_at > d.due_at THEN h.probe_at ELSE d.due_at END"""
WITHOUT_TURN = """
SELECT DISTINCT r.portal_id, r.kind FROM recipients r
WHERE NOT EXISTS (
    SELECT 1 FROM queue_turns t WHERE t.portal_id = r.portal_id AND t.kind = r.kind
)"""


async def check(database: Database) -> None:
    """Raise unless the ledger closes."""
    for question in (COUNTS, SENT, DOUBT, TURNS, WITHOUT_TURN):
        assert await database.fetch(question) == [], question
