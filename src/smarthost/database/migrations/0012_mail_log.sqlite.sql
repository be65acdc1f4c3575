-- The ways into a portal's mail that its log is asked for: by recipient, and what ended otherwise
-- than well, however much else there is. Mail that goes out well is never in the second.

CREATE INDEX recipients_of_address ON recipients (portal_id, address, message_id);

CREATE INDEX recipients_not_sent ON recipients (portal_id, state, message_id)
WHERE state IN ('failed', 'expired', 'cancelled');
