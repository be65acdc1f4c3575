-- What became of a portal's mail, counted by the hour as it happens: a chart of a year reads some
-- rows and not a million messages.

CREATE TABLE mail_counts (
    portal_id TEXT NOT NULL REFERENCES portals (id),
    -- When the hour began, in microseconds since 1970-01-01T00:00:00Z.
    hour INTEGER NOT NULL,
    -- What is counted: an outcome, or how long an accepted message took.
    what TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (portal_id, hour, what)
) STRICT, WITHOUT ROWID;
