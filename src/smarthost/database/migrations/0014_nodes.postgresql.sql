-- Several nodes that deliver together, on an engine that several nodes can share: the tables are the
-- same on both.

-- Which node works a portal's mail, and until when it is left to that one.
ALTER TABLE queue_turns
    ADD COLUMN node TEXT COLLATE "C",
    ADD COLUMN node_until BIGINT NOT NULL DEFAULT 0;

CREATE INDEX queue_turns_of_nodes ON queue_turns (node, portal_id) WHERE node IS NOT NULL;

-- The nodes that deliver: each says now and then that it is there.
CREATE TABLE delivering_nodes (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- Microseconds since 1970-01-01T00:00:00Z.
    seen_at BIGINT NOT NULL
);

-- A handful of rows, each written every second.
ALTER TABLE delivering_nodes SET (
    fillfactor = 20,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_cost_delay = 0
);
