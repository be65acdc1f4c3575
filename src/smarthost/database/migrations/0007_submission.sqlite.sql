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
