-- Accepted mail until every recipient has its outcome: messages and bodies never change,
-- recipients hold the state, attempts are only added.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

CREATE TABLE messages (
    portal_id TEXT COLLATE "C" NOT NULL REFERENCES portals (id),
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('test', 'mail')),
    -- A test proves one revision of the settings and no other.
    revision BIGINT,
    accepted_at BIGINT NOT NULL,
    accepted_by TEXT COLLATE "C" NOT NULL,
    sender TEXT COLLATE "C" NOT NULL,
    needs_smtputf8 SMALLINT NOT NULL CHECK (needs_smtputf8 IN (0, 1)),
    needs_8bit SMALLINT NOT NULL CHECK (needs_8bit IN (0, 1)),
    size BIGINT NOT NULL,
    PRIMARY KEY (portal_id, id),
    CHECK ((kind = 'test') = (revision IS NOT NULL))
);

-- Apart from the messages, so that those stay small to list, and a body can go before its
-- message does.
CREATE TABLE message_bodies (
    portal_id TEXT COLLATE "C" NOT NULL,
    message_id TEXT COLLATE "C" NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (portal_id, message_id),
    FOREIGN KEY (portal_id, message_id) REFERENCES messages (portal_id, id) ON DELETE CASCADE
);

CREATE TABLE recipients (
    portal_id TEXT COLLATE "C" NOT NULL,
    message_id TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('test', 'mail')),
    state TEXT COLLATE "C" NOT NULL CHECK (
        state IN ('queued', 'sending', 'sent', 'failed', 'expired', 'cancelled', 'held')
    ),
    -- When the worker has to look at it: for the next try, or because the lease has ended.
    due_at BIGINT,
    attempts_count BIGINT NOT NULL,
    -- The fencing token: whoever writes names the claim that it holds.
    claim TEXT COLLATE "C",
    claimed_at BIGINT,
    -- The last step recorded of the attempt under way, or of the last one.
    step TEXT COLLATE "C",
    -- An attempt of which nobody knows whether the relay has the message.
    in_doubt SMALLINT NOT NULL CHECK (in_doubt IN (0, 1)),
    PRIMARY KEY (portal_id, message_id, address),
    FOREIGN KEY (portal_id, message_id) REFERENCES messages (portal_id, id) ON DELETE CASCADE,
    CHECK ((state = 'sending') = (claim IS NOT NULL)),
    CHECK ((state IN ('queued', 'sending')) = (due_at IS NOT NULL)),
    CHECK ((attempts_count > 0) = (claimed_at IS NOT NULL))
);

CREATE INDEX recipients_due ON recipients (portal_id, kind, due_at, message_id)
WHERE due_at IS NOT NULL;

CREATE TABLE attempts (
    portal_id TEXT COLLATE "C" NOT NULL,
    message_id TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    attempt BIGINT NOT NULL CHECK (attempt > 0),
    started_at BIGINT NOT NULL,
    -- How long it took; unknown where the worker died.
    microseconds BIGINT,
    result TEXT COLLATE "C" NOT NULL CHECK (result IN ('accepted', 'deferred', 'refused')),
    in_doubt SMALLINT NOT NULL CHECK (in_doubt IN (0, 1)),
    step TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C",
    permanent SMALLINT NOT NULL CHECK (permanent IN (0, 1)),
    reply TEXT COLLATE "C",
    -- Which relay it was and whose settings named it; unknown where the worker died.
    revision BIGINT,
    relay_host TEXT COLLATE "C",
    relay_port BIGINT,
    default_relay SMALLINT CHECK (default_relay IN (0, 1)),
    relay_address TEXT COLLATE "C",
    tls TEXT COLLATE "C",
    -- Codes, parted by commas.
    warnings TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (portal_id, message_id, address, attempt),
    FOREIGN KEY (portal_id, message_id, address)
        REFERENCES recipients (portal_id, message_id, address) ON DELETE CASCADE,
    CHECK ((result = 'accepted') = (code IS NULL))
);

-- Which test message is the portal's last: its result stays readable until the next.
CREATE TABLE last_tests (
    portal_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    message_id TEXT COLLATE "C" NOT NULL,
    FOREIGN KEY (portal_id, message_id) REFERENCES messages (portal_id, id)
);

-- Which portals have something due, and since when: the worker's way in, so that neither many
-- idle portals nor many rows of one portal slow down the others. It tells nothing of any mail.
CREATE TABLE queue_turns (
    portal_id TEXT COLLATE "C" NOT NULL REFERENCES portals (id),
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('test', 'mail')),
    -- The earliest of the portal's recipients of that kind; none: nothing waits.
    due_at BIGINT,
    PRIMARY KEY (portal_id, kind)
);

CREATE INDEX queue_turns_due ON queue_turns (kind, due_at) WHERE due_at IS NOT NULL;

CREATE TRIGGER messages_are_immutable
BEFORE UPDATE ON messages
FOR EACH ROW EXECUTE FUNCTION refuse_change('an accepted message is never changed');

CREATE TRIGGER message_bodies_are_immutable
BEFORE UPDATE ON message_bodies
FOR EACH ROW EXECUTE FUNCTION refuse_change('an accepted message is never changed');

CREATE TRIGGER attempts_are_immutable
BEFORE UPDATE ON attempts
FOR EACH ROW EXECUTE FUNCTION refuse_change('an attempt is never changed');

-- A recipient is written five times between its arrival and its end, each time as a new version
-- of its row. With room on its page a change of the step alone touches no index, and the versions
-- that are dead go before a look for what is due has to step over many of them.
ALTER TABLE recipients SET (
    fillfactor = 75,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);

-- Few rows, each written with every message of its portal: mostly dead versions, were they left.
ALTER TABLE queue_turns SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0
);

-- What is kept of a message is never changed, and goes a month later: a part in fifty is much.
ALTER TABLE messages SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE message_bodies SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.02);

-- A message is most often octets that were packed before: it is kept as it came.
ALTER TABLE message_bodies ALTER COLUMN content SET STORAGE EXTERNAL;
