-- Portals, who may ask, each portal's relay as immutable revisions, and what was done.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

CREATE TABLE portals (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    settings_allowed INTEGER NOT NULL CHECK (settings_allowed IN (0, 1))
) STRICT;

CREATE TABLE users (
    portal_id TEXT NOT NULL REFERENCES portals (id),
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('administrator', 'user')),
    password_hash TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (portal_id, id),
    UNIQUE (portal_id, email)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    portal_id TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    permissions TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    postfix TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    PRIMARY KEY (portal_id, id),
    FOREIGN KEY (portal_id, user_id) REFERENCES users (portal_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_of_user ON api_keys (portal_id, user_id);

CREATE TABLE sessions (
    portal_id TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (portal_id, id),
    FOREIGN KEY (portal_id, user_id) REFERENCES users (portal_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_user ON sessions (portal_id, user_id);

-- Counts that protect the whole installation; no portal's data.
CREATE TABLE sign_in_failures (
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (subject, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE smtp_settings_revisions (
    portal_id TEXT NOT NULL REFERENCES portals (id),
    revision INTEGER NOT NULL CHECK (revision > 0),
    action TEXT NOT NULL CHECK (action IN ('save', 'reset', 'restore')),
    saved_at INTEGER NOT NULL,
    saved_by TEXT NOT NULL,
    host TEXT,
    port INTEGER CHECK (port BETWEEN 1 AND 65535),
    sender_address TEXT,
    sender_display_name TEXT,
    user_name TEXT,
    sealed_password BLOB,
    enable_ssl INTEGER CHECK (enable_ssl IN (0, 1)),
    enable_auth INTEGER CHECK (enable_auth IN (0, 1)),
    use_ntlm INTEGER CHECK (use_ntlm IN (0, 1)),
    PRIMARY KEY (portal_id, revision),
    -- A reset holds no relay; anything else holds a whole one.
    CHECK ((action = 'reset') = (host IS NULL)),
    CHECK ((host IS NULL) = (port IS NULL) AND (host IS NULL) = (sender_address IS NULL)),
    CHECK ((sealed_password IS NULL) = (coalesce(enable_auth, 0) = 0))
) STRICT, WITHOUT ROWID;

-- Which keys of the ring this database's passwords were sealed with: a ring without them is
-- the wrong one.
CREATE TABLE sealing_keys (
    key_id TEXT NOT NULL PRIMARY KEY,
    first_used_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_events (
    portal_id TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    address TEXT,
    request_id TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (portal_id, id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER smtp_settings_revisions_are_immutable BEFORE UPDATE ON smtp_settings_revisions
BEGIN SELECT raise(ABORT, 'a settings revision is never changed'); END;

CREATE TRIGGER audit_events_are_immutable BEFORE UPDATE ON audit_events
BEGIN SELECT raise(ABORT, 'an audit event is never changed'); END;
