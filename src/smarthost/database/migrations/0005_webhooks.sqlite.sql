-- Where a portal's application is told what became of its mail, and what it is still to be told.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

CREATE TABLE webhooks (
    portal_id TEXT NOT NULL PRIMARY KEY REFERENCES portals (id),
    url TEXT NOT NULL,
    -- Sealed to the portal and the URL.
    sealed_secret BLOB NOT NULL,
    set_at INTEGER NOT NULL,
    -- When the next event is to be delivered, after a failure not before its wait is over; none:
    -- no event waits.
    due_at INTEGER,
    delivered_at INTEGER,
    -- Deliveries that failed, one after the other, up to now.
    failures INTEGER NOT NULL CHECK (failures >= 0),
    -- The last failure, even if deliveries have gone well since.
    failed_at INTEGER,
    failure TEXT,
    -- The HTTP status, where the receiver answered with one.
    failed_status INTEGER,
    -- Events that were given up.
    dropped INTEGER NOT NULL CHECK (dropped >= 0),
    -- When the receiver said that it wants no more.
    switched_off_at INTEGER,
    CHECK ((failed_at IS NULL) = (failure IS NULL)),
    CHECK (switched_off_at IS NULL OR due_at IS NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL;

-- Events that the receiver has not taken yet; one that it has taken is gone.
CREATE TABLE webhook_events (
    portal_id TEXT NOT NULL REFERENCES portals (id),
    id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts_count INTEGER NOT NULL CHECK (attempts_count >= 0),
    -- What is sent, octet for octet at every try: JSON.
    payload BLOB NOT NULL,
    PRIMARY KEY (portal_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_events_due ON webhook_events (portal_id, due_at, id);
