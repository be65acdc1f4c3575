-- Accepted mail until every recipient has its outcome: messages and bodies never change,
-- recipients hold the state, attempts are only added.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

CREATE TABLE messages (
    portal_id TEXT NOT NULL REFERENCES portals (id),
    id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('test', 'mail')),
    -- A test proves one revision of the settings and no other.
    revision INTEGER,
    accepted_at INTEGER NOT NULL,
    accepted_by TEXT NOT NULL,
    sender TEXT NOT NULL,
    needs_smtputf8 INTEGER NOT NULL CHECK (needs_smtputf8 IN (0, 1)),
    needs_8bit INTEGER NOT NULL CHECK (needs_8bit IN (0, 1)),
    size INTEGER NOT NULL,
    PRIMARY KEY (portal_id, id),
    CHECK ((kind = 'test') = (revision IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Apart from the messages, so that those stay small to list, and a body can go before its
-- message does. With a rowid: large values make the tree of a table without one slow.
CREATE TABLE message_bodies (
    portal_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (portal_id, message_id),
    FOREIGN KEY (portal_id, message_id) REFERENCES messages (portal_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE recipients (
    portal_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    address TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('test', 'mail')),
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'sending', 'sent', 'failed', 'expired', 'cancelled', 'held')
    ),
    -- When the worker has to look at it: for the next try, or because the lease has ended.
    due_at INTEGER,
    attempts_count INTEGER NOT NULL,
    -- The fencing token: whoever writes names the claim that it holds.
    claim TEXT,
    claimed_at INTEGER,
    -- The last step recorded of the attempt under way, or of the last one.
    step TEXT,
    -- An attempt of which nobody knows whether the relay has the message.
    in_doubt INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
    PRIMARY KEY (portal_id, message_id, address),
    FOREIGN KEY (portal_id, message_id) REFERENCES messages (portal_id, id) ON DELETE CASCADE,
    CHECK ((state = 'sending') = (claim IS NOT NULL)),
    CHECK ((state IN ('queued', 'sending')) = (due_at IS NOT NULL)),
    CHECK ((attempts_count > 0) = (claimed_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX recipients_due ON recipients (portal_id, kind, due_at, message_id)
WHERE due_at IS NOT NULL;

CREATE TABLE attempts (
    portal_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    address TEXT NOT NULL,
    attempt INTEGER NOT NULL CHECK (attempt > 0),
    started_at INTEGER NOT NULL,
    -- How long it took; unknown where the worker died.
    microseconds INTEGER,
    result TEXT NOT NULL CHECK (result IN ('accepted', 'deferred', 'refused')),
    in_doubt INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
    step TEXT NOT NULL,
    code TEXT,
    permanent INTEGER NOT NULL CHECK (permanent IN (0, 1)),
    reply TEXT,
    -- Which relay it was and whose settings named it; unknown where the worker died.
    revision INTEGER,
    relay_host TEXT,
    relay_port INTEGER,
    default_relay INTEGER CHECK (default_relay IN (0, 1)),
    relay_address TEXT,
    tls TEXT,
    -- Codes, parted by commas.
    warnings TEXT NOT NULL,
    PRIMARY KEY (portal_id, message_id, address, attempt),
    FOREIGN KEY (portal_id, message_id, address)
        REFERENCES recipients (portal_id, message_id, address) ON DELETE CASCADE,
    CHECK ((result = 'accepted') = (code IS NULL))
) STRICT, WITHOUT ROWID;

-- Which test message is the portal's last: its result stays readable until the next.
CREATE TABLE last_tests (
    portal_id TEXT NOT NULL PRIMARY KEY,
    message_id TEXT NOT NULL,
    FOREIGN KEY (portal_id, message_id) REFERENCES messages (portal_id, id)
) STRICT, WITHOUT ROWID;

-- Which portals have something due, and since when: the worker's way in, so that neither many
-- idle portals nor many rows of one portal slow down the others. It tells nothing of any mail.
CREATE TABLE queue_turns (
    portal_id TEXT NOT NULL REFERENCES portals (id),
    kind TEXT NOT NULL CHECK (kind IN ('test', 'mail')),
    -- The earliest of the portal's recipients of that kind; none: nothing waits.
    due_at INTEGER,
    PRIMARY KEY (portal_id, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX queue_turns_due ON queue_turns (kind, due_at) WHERE due_at IS NOT NULL;

CREATE TRIGGER messages_are_immutable BEFORE UPDATE ON messages
BEGIN SELECT raise(ABORT, 'an accepted message is never changed'); END;

CREATE TRIGGER message_bodies_are_immutable BEFORE UPDATE ON message_bodies
BEGIN SELECT raise(ABORT, 'an accepted message is never changed'); END;

CREATE TRIGGER attempts_are_immutable BEFORE UPDATE ON attempts
BEGIN SELECT raise(ABORT, 'an attempt is never changed'); END;
