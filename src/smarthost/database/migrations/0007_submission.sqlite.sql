-- Submission by SMTP, and what running an installation needs.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

-- A key that is shown by SMTP says by itself whose it is: there is no host name to tell a portal.
CREATE INDEX api_keys_by_id ON api_keys (id);

-- What the sender asked to be told (RFC 3461), as JSON, of a message that came by SMTP; none: it
-- came otherwise, and nobody is told by mail.
ALTER TABLE messages ADD COLUMN dsn TEXT;

-- A portal that the operator has suspended: nobody gets in, nothing goes out.
ALTER TABLE portals ADD COLUMN suspended_at INTEGER;

-- Recipients of whom a sender is still to be told by mail: they failed, or the relay that took the
-- message for them tells nobody of success. What is to be told stands with the recipient and its
-- attempts; the row goes in the transaction that brings the notice into the queue.
CREATE TABLE failure_notices (
    portal_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (portal_id, message_id, address),
    FOREIGN KEY (portal_id, message_id, address)
        REFERENCES recipients (portal_id, message_id, address) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
