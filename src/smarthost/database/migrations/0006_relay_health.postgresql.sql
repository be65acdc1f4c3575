-- When a portal's administrators were last written to because its mail waits: the hold itself is
-- gone as soon as its relay takes mail again, and may be back within the hour.
-- Times are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE hold_notices (
    portal_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES portals (id),
    told_at BIGINT NOT NULL
);
