-- The ways into a portal's mail that its log is asked for, however much else there is: by recipient,
-- and what ended otherwise than well. Both have ended recipients alone. What still waits is found by
-- the indexes that the queue needs, so that accepting a message writes nothing for the log; and an
-- index of addresses is written all over, a page for each message.

CREATE INDEX recipients_of_address ON recipients (portal_id, address, message_id, ended_at)
WHERE ended_at IS NOT NULL;

CREATE INDEX recipients_not_sent ON recipients (portal_id, state, message_id)
WHERE state IN ('failed', 'expired', 'cancelled');
