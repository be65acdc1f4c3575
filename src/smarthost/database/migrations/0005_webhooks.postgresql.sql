-- Where a portal's application is told what became of its mail, and what it is still to be told.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

CREATE TABLE webhooks (
    portal_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES portals (id),
    url TEXT COLLATE "C" NOT NULL,
    -- Sealed to the portal and the URL.
    sealed_secret BYTEA NOT NULL,
    set_at BIGINT NOT NULL,
    -- When the next event is to be delivered, after a failure not before its wait is over; none:
    -- no event waits.
    due_at BIGINT,
    delivered_at BIGINT,
    -- Deliveries that failed, one after the other, up to now.
    failures BIGINT NOT NULL CHECK (failures >= 0),
    -- The last failure, even if deliveries have gone well since.
    failed_at BIGINT,
    failure TEXT COLLATE "C",
    -- The HTTP status, where the receiver answered with one.
    failed_status BIGINT,
    -- Events that were given up.
    dropped BIGINT NOT NULL CHECK (dropped >= 0),
    -- When the receiver said that it wants no more.
    switched_off_at BIGINT,
    CHECK ((failed_at IS NULL) = (failure IS NULL)),
    CHECK (switched_off_at IS NULL OR due_at IS NULL)
);

CREATE INDEX webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL;

-- Events that the receiver has not taken yet; one that it has taken is gone.
CREATE TABLE webhook_events (
    portal_id TEXT COLLATE "C" NOT NULL REFERENCES portals (id),
    id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts_count BIGINT NOT NULL CHECK (attempts_count >= 0),
    -- What is sent, octet for octet at every try: JSON.
    payload BYTEA NOT NULL,
    PRIMARY KEY (portal_id, id)
);

CREATE INDEX webhook_events_due ON webhook_events (portal_id, due_at, id);

-- Written with every message whose end is told, and deleted with every event that was taken.
ALTER TABLE webhooks SET (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500
);
ALTER TABLE webhook_events SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000
);
