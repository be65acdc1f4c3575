-- Submission by SMTP, and what running an installation needs.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

-- A key that is shown by SMTP says by itself whose it is: there is no host name to tell a portal.
CREATE INDEX api_keys_by_id ON api_keys (id);

-- What the sender asked to be told (RFC 3461), as JSON, of a message that came by SMTP; none: it
-- came otherwise, and nobody is told by mail.
ALTER TABLE messages ADD COLUMN dsn TEXT;

-- A portal that the operator has suspended: nobody gets in, nothing goes out.
ALTER TABLE portals ADD COLUMN suspended_at INTEGER;

-- When that last ended: what waited meanwhile gets older only from then on.
ALTER TABLE portals ADD COLUMN resumed_at INTEGER;

-- A settings revision is still never changed, but what seals its password may be: a new key of the
-- ring. That a password is there exactly with a login is the table's own check.
DROP TRIGGER smtp_settings_revisions_are_immutable;
CREATE TRIGGER smtp_settings_revisions_are_immutable
BEFORE UPDATE OF portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
    sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm ON smtp_settings_revisions
BEGIN SELECT raise(ABORT, 'a settings revision is never changed'); END;

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

-- The audit in the order of commits, which ids are not: they follow a clock that may be set back,
-- and several processes write within one millisecond. Who reads on behind an event misses none.
DROP TRIGGER audit_events_are_immutable;
ALTER TABLE audit_events RENAME TO old_audit_events;

CREATE TABLE audit_events (
    number INTEGER PRIMARY KEY,
    portal_id TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    address TEXT,
    request_id TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;

CREATE INDEX audit_events_of_portal ON audit_events (portal_id, number);

INSERT INTO audit_events
    (portal_id, id, at, actor, address, request_id, action, subject, details)
SELECT portal_id, id, at, actor, address, request_id, action, subject, details
FROM old_audit_events ORDER BY at, id;

DROP TABLE old_audit_events;

CREATE TRIGGER audit_events_are_immutable BEFORE UPDATE ON audit_events
BEGIN SELECT raise(ABORT, 'an audit event is never changed'); END;
