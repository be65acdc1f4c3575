-- The ways into a portal's mail that its log is asked for: by recipient, and what ended otherwise
-- than well, however much else there is.

CREATE INDEX recipients_of_address ON recipients (portal_id, address, message_id);

CREATE INDEX recipients_not_sent ON recipients (portal_id, message_id)
WHERE state IN ('failed', 'expired', 'cancelled');
