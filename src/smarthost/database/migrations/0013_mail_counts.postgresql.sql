-- What became of a portal's mail, counted by the hour as it happens: a chart of a year reads some
-- rows and not a million messages.

CREATE TABLE mail_counts (
    portal_id TEXT COLLATE "C" NOT NULL REFERENCES portals (id),
    -- When the hour began, in microseconds since 1970-01-01T00:00:00Z.
    hour BIGINT NOT NULL,
    -- What is counted: an outcome, or how long an accepted message took.
    what TEXT COLLATE "C" NOT NULL,
    count BIGINT NOT NULL CHECK (count > 0),
    PRIMARY KEY (portal_id, hour, what)
);

-- The present hour's rows are written with every message.
ALTER TABLE mail_counts SET (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500
);
