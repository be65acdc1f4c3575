-- Several nodes that deliver together, on an engine that several nodes can share: the tables are the
-- same on both.

-- Which node works a portal's mail, and until when it is left to that one.
ALTER TABLE queue_turns ADD COLUMN node TEXT;
ALTER TABLE queue_turns ADD COLUMN node_until INTEGER NOT NULL DEFAULT 0;

CREATE INDEX queue_turns_of_nodes ON queue_turns (node, portal_id) WHERE node IS NOT NULL;

-- The nodes that deliver: each says now and then that it is there.
CREATE TABLE delivering_nodes (
    name TEXT NOT NULL PRIMARY KEY,
    -- Microseconds since 1970-01-01T00:00:00Z.
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
