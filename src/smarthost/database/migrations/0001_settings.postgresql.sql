-- Portals, who may ask, each portal's relay as immutable revisions, and what was done.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text. Flags are 0 and 1, as SQLite
-- has them, so that one text of a statement serves both. Text is compared octet by octet whatever
-- language the database was made for: pages of ids rest on it.

CREATE TABLE portals (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    settings_allowed SMALLINT NOT NULL CHECK (settings_allowed IN (0, 1))
);

CREATE TABLE users (
    portal_id TEXT COLLATE "C" NOT NULL REFERENCES portals (id),
    id TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('administrator', 'user')),
    password_hash TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    PRIMARY KEY (portal_id, id),
    UNIQUE (portal_id, email)
);

CREATE TABLE api_keys (
    portal_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    permissions TEXT COLLATE "C" NOT NULL,
    secret_hash BYTEA NOT NULL,
    postfix TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    PRIMARY KEY (portal_id, id),
    FOREIGN KEY (portal_id, user_id) REFERENCES users (portal_id, id) ON DELETE CASCADE
);

CREATE INDEX api_keys_of_user ON api_keys (portal_id, user_id);

CREATE TABLE sessions (
    portal_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    secret_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (portal_id, id),
    FOREIGN KEY (portal_id, user_id) REFERENCES users (portal_id, id) ON DELETE CASCADE
);

CREATE INDEX sessions_of_user ON sessions (portal_id, user_id);

-- Counts that protect the whole installation; no portal's data.
CREATE TABLE sign_in_failures (
    subject TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    PRIMARY KEY (subject, at)
);

CREATE TABLE smtp_settings_revisions (
    portal_id TEXT COLLATE "C" NOT NULL REFERENCES portals (id),
    revision BIGINT NOT NULL CHECK (revision > 0),
    action TEXT COLLATE "C" NOT NULL CHECK (action IN ('save', 'reset', 'restore')),
    saved_at BIGINT NOT NULL,
    saved_by TEXT COLLATE "C" NOT NULL,
    host TEXT COLLATE "C",
    port BIGINT CHECK (port BETWEEN 1 AND 65535),
    sender_address TEXT COLLATE "C",
    sender_display_name TEXT COLLATE "C",
    user_name TEXT COLLATE "C",
    sealed_password BYTEA,
    enable_ssl SMALLINT CHECK (enable_ssl IN (0, 1)),
    enable_auth SMALLINT CHECK (enable_auth IN (0, 1)),
    use_ntlm SMALLINT CHECK (use_ntlm IN (0, 1)),
    PRIMARY KEY (portal_id, revision),
    -- A reset holds no relay; anything else holds a whole one.
    CHECK ((action = 'reset') = (host IS NULL)),
    CHECK ((host IS NULL) = (port IS NULL) AND (host IS NULL) = (sender_address IS NULL)),
    CHECK ((sealed_password IS NULL) = (coalesce(enable_auth, 0) = 0))
);

-- Which keys of the ring this database's passwords were sealed with: a ring without them is
-- the wrong one.
CREATE TABLE sealing_keys (
    key_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    first_used_at BIGINT NOT NULL
);

CREATE TABLE audit_events (
    portal_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    action TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    details TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (portal_id, id)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;

CREATE TRIGGER smtp_settings_revisions_are_immutable
BEFORE UPDATE ON smtp_settings_revisions
FOR EACH ROW EXECUTE FUNCTION refuse_change('a settings revision is never changed');

CREATE TRIGGER audit_events_are_immutable
BEFORE UPDATE ON audit_events
FOR EACH ROW EXECUTE FUNCTION refuse_change('an audit event is never changed');
