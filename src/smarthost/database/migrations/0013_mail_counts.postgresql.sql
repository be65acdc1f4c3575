-- What became of a portal's mail, counted by the hour as it happens: a chart of a year reads some
-- rows and not a million messages. One row an hour with all that is counted in it, so that a
-- message's outcomes are one statement, however many recipients it has.

CREATE TABLE mail_counts (
    portal_id TEXT COLLATE "C" NOT NULL REFERENCES portals (id),
    -- When the hour began, in microseconds since 1970-01-01T00:00:00Z.
    hour BIGINT NOT NULL,
    -- Recipients that a relay took, by how many seconds that was behind the moment from which
    -- their sender wanted it: at most so many, and more than the step before.
    sent_in_1 BIGINT NOT NULL,
    sent_in_5 BIGINT NOT NULL,
    sent_in_30 BIGINT NOT NULL,
    sent_in_120 BIGINT NOT NULL,
    sent_in_600 BIGINT NOT NULL,
    sent_in_3600 BIGINT NOT NULL,
    sent_in_21600 BIGINT NOT NULL,
    sent_in_86400 BIGINT NOT NULL,
    sent_later BIGINT NOT NULL,
    -- Attempts behind which a recipient waits for another, or for a person.
    deferred BIGINT NOT NULL,
    -- Recipients that have failed or expired.
    failed BIGINT NOT NULL,
    PRIMARY KEY (portal_id, hour)
);

-- The present hour's row is written with every message.
ALTER TABLE mail_counts SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500
);
