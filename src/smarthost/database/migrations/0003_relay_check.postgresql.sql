-- What the test message needs besides the queue: who has asked for one, and the one case in which
-- there is no message to keep the result.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

CREATE TABLE test_requests (
    portal_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (portal_id, user_id, id),
    FOREIGN KEY (portal_id, user_id) REFERENCES users (portal_id, id) ON DELETE CASCADE
);

-- The portal's last test that ended before it began, since no relay was in force.
CREATE TABLE tests_without_relay (
    portal_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES portals (id),
    id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL
);
