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
# Which portals' counts by the hour say otherwise than their attempts, which are all still there.
# What expires in the queue is counted as failed and is no attempt.
COUNTED = """
SELECT p.id, p.attempted, p.accepted, c.attempted, c.sent
FROM (
    SELECT p.id, count(a.attempt) AS attempted,
           count(CASE WHEN a.result = 'accepted' THEN 1 END) AS accepted
    FROM portals p
    LEFT JOIN messages m ON m.portal_id = p.id AND m.kind = 'mail'
    LEFT JOIN attempts a ON a.portal_id = p.id AND a.message_id = m.id
    GROUP BY p.id
) p
LEFT JOIN (
    SELECT portal_id, sum(sent) AS sent, sum(sent + deferred + failed) AS attempted
    FROM (
        SELECT portal_id, deferred, failed,
               sent_in_1 + sent_in_5 + sent_in_30 + sent_in_120 + sent_in_600 + sent_in_3600
               + sent_in_21600 + sent_in_86400 + sent_later AS sent
        FROM mail_counts
    ) s GROUP BY portal_id
) c ON c.portal_id = p.id
WHERE p.accepted <> coalesce(c.sent, 0) OR p.attempted > coalesce(c.attempted, 0)"""


async def check(database: Database) -> None:
    """Raise unless the ledger closes."""
    for question in (COUNTS, SENT, DOUBT, TURNS, WITHOUT_TURN, COUNTED):
        assert await database.fetch(question) == [], question
