-- One-time links that sign a user in: what the operator's commands print for people who have no
-- password yet. A row goes when its link is used, and when it has ended.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

CREATE TABLE sign_in_links (
    portal_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    secret_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (portal_id, id),
    FOREIGN KEY (portal_id, user_id) REFERENCES users (portal_id, id) ON DELETE CASCADE
);

CREATE INDEX sign_in_links_of_user ON sign_in_links (portal_id, user_id);
