-- What sending mail needs besides one test at a time: whose a message is and what people see of it,
-- schedules, holds of a relay, idempotency keys. The queue's tables are made anew, since a CHECK
-- cannot be changed: old ones are renamed, copied and dropped from the leaves up.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

ALTER TABLE portals ADD COLUMN domain_senders_allowed INTEGER NOT NULL DEFAULT 0
CHECK (domain_senders_allowed IN (0, 1));

DROP TRIGGER messages_are_immutable;
DROP TRIGGER message_bodies_are_immutable;
DROP TRIGGER attempts_are_immutable;
DROP INDEX recipients_due;
DROP INDEX queue_turns_due;
ALTER TABLE messages RENAME TO old_messages;
ALTER TABLE message_bodies RENAME TO old_message_bodies;
ALTER TABLE recipients RENAME TO old_recipients;
ALTER TABLE attempts RENAME TO old_attempts;
ALTER TABLE last_tests RENAME TO old_last_tests;
ALTER TABLE queue_turns RENAME TO old_queue_turns;

CREATE TABLE messages (
    portal_id TEXT NOT NULL REFERENCES portals (id),
    id TEXT NOT NULL,
    -- A notice is the installation's own word to a portal's administrators.
    kind TEXT NOT NULL CHECK (kind IN ('test', 'mail', 'notice')),
    -- A test proves one revision of the settings and no other.
    revision INTEGER,
    accepted_at INTEGER NOT NULL,
    accepted_by TEXT NOT NULL,
    -- The credential it came with, `key:<id>` or `user:<id>`; none: the operator or Smarthost.
    owner TEXT,
    sender TEXT NOT NULL,
    needs_smtputf8 INTEGER NOT NULL CHECK (needs_smtputf8 IN (0, 1)),
    needs_8bit INTEGER NOT NULL CHECK (needs_8bit IN (0, 1)),
    size INTEGER NOT NULL,
    -- What lists show without the body: from, to, subject, tags; JSON.
    details TEXT NOT NULL,
    -- Rather not at all than twice.
    at_most_once INTEGER NOT NULL CHECK (at_most_once IN (0, 1)),
    -- Of no use to anybody afterwards; none: as long as the queue keeps trying.
    expires_at INTEGER,
    PRIMARY KEY (portal_id, id),
    CHECK ((kind = 'test') = (revision IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- With the kind, so that an owner's messages are found in the index alone.
CREATE INDEX messages_of_owner ON messages (portal_id, owner, id, kind) WHERE owner IS NOT NULL;

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
    kind TEXT NOT NULL CHECK (kind IN ('test', 'mail', 'notice')),
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'sending', 'sent', 'failed', 'expired', 'cancelled', 'held')
    ),
    -- When the worker has to look at it: for the next try, or because the lease has ended.
    due_at INTEGER,
    -- The moment that the sender chose for the first try; none: at once.
    scheduled_at INTEGER,
    attempts_count INTEGER NOT NULL,
    -- How many workers have ended in the middle of it, one after the other.
    deaths INTEGER NOT NULL,
    -- The fencing token: whoever writes names the claim that it holds.
    claim TEXT,
    claimed_at INTEGER,
    -- The last step recorded of the attempt under way, or of the last one.
    step TEXT,
    -- An attempt of which nobody knows whether the relay has the message.
    in_doubt INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
    -- Why a person has to release it.
    held_for TEXT CHECK (held_for IN ('in_doubt', 'worker_deaths', 'restored')),
    -- When it reached the state that it stays in.
    ended_at INTEGER,
    PRIMARY KEY (portal_id, message_id, address),
    FOREIGN KEY (portal_id, message_id) REFERENCES messages (portal_id, id) ON DELETE CASCADE,
    CHECK ((state = 'sending') = (claim IS NOT NULL)),
    CHECK ((state IN ('queued', 'sending')) = (due_at IS NOT NULL)),
    CHECK ((state = 'held') = (held_for IS NOT NULL)),
    CHECK ((state IN ('sent', 'failed', 'expired', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK ((attempts_count > 0) = (claimed_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- With the moment chosen by the sender, so that waiting mail is counted in the index alone.
CREATE INDEX recipients_due ON recipients (portal_id, kind, due_at, message_id, scheduled_at)
WHERE due_at IS NOT NULL;

-- What a worker that died leaves behind is found here, however much is due.
CREATE INDEX recipients_sending ON recipients (portal_id, kind, message_id)
WHERE state = 'sending';

CREATE INDEX recipients_held ON recipients (portal_id, message_id) WHERE state = 'held';

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
    kind TEXT NOT NULL CHECK (kind IN ('test', 'mail', 'notice')),
    -- The earliest of the portal's recipients of that kind, and for mail of a portal on hold not
    -- before its probe; none: nothing waits.
    due_at INTEGER,
    -- When a relay last took one of them.
    last_sent_at INTEGER,
    PRIMARY KEY (portal_id, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX queue_turns_due ON queue_turns (kind, due_at) WHERE due_at IS NOT NULL;

INSERT INTO messages
SELECT portal_id, id, kind, revision, accepted_at, accepted_by, NULL, sender, needs_smtputf8,
       needs_8bit, size, '{}', 0, NULL
FROM old_messages;
INSERT INTO message_bodies SELECT portal_id, message_id, content FROM old_message_bodies;
INSERT INTO recipients
SELECT portal_id, message_id, address, kind, state, due_at, NULL, attempts_count, 0, claim,
       claimed_at, step, in_doubt, CASE WHEN state = 'held' THEN 'in_doubt' END,
       CASE WHEN state IN ('sent', 'failed', 'expired', 'cancelled')
            THEN coalesce(claimed_at, 0) END
FROM old_recipients;
INSERT INTO attempts
SELECT portal_id, message_id, address, attempt, started_at, microseconds, result, in_doubt, step,
       code, permanent, reply, revision, relay_host, relay_port, default_relay, relay_address, tls,
       warnings
FROM old_attempts;
INSERT INTO last_tests SELECT portal_id, message_id FROM old_last_tests;
INSERT INTO queue_turns SELECT portal_id, kind, due_at, NULL FROM old_queue_turns;

DROP TABLE old_queue_turns;
DROP TABLE old_last_tests;
DROP TABLE old_attempts;
DROP TABLE old_recipients;
DROP TABLE old_message_bodies;
DROP TABLE old_messages;

CREATE TRIGGER messages_are_immutable BEFORE UPDATE ON messages
BEGIN SELECT raise(ABORT, 'an accepted message is never changed'); END;

CREATE TRIGGER message_bodies_are_immutable BEFORE UPDATE ON message_bodies
BEGIN SELECT raise(ABORT, 'an accepted message is never changed'); END;

CREATE TRIGGER attempts_are_immutable BEFORE UPDATE ON attempts
BEGIN SELECT raise(ABORT, 'an attempt is never changed'); END;

-- A portal whose relay takes no mail at all just now: nothing goes there but a probe.
CREATE TABLE relay_holds (
    portal_id TEXT NOT NULL PRIMARY KEY REFERENCES portals (id),
    -- Of the settings that failed; a newer revision ends the hold.
    revision INTEGER NOT NULL,
    default_relay INTEGER NOT NULL CHECK (default_relay IN (0, 1)),
    relay_host TEXT,
    relay_port INTEGER,
    since INTEGER NOT NULL,
    -- The failure that was met last.
    step TEXT NOT NULL,
    code TEXT NOT NULL,
    permanent INTEGER NOT NULL CHECK (permanent IN (0, 1)),
    reply TEXT,
    tls TEXT,
    -- Tries that failed, the first one included.
    failures INTEGER NOT NULL CHECK (failures > 0),
    tried_at INTEGER NOT NULL,
    probe_at INTEGER NOT NULL,
    -- When the administrators were written to.
    told_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX relay_holds_of_default ON relay_holds (default_relay, tried_at)
WHERE default_relay = 1;

-- The first answer to a request that names a key, for whoever asks again.
CREATE TABLE idempotency_keys (
    portal_id TEXT NOT NULL REFERENCES portals (id),
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of the path and the body.
    digest BLOB NOT NULL,
    answer BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (portal_id, owner, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (portal_id, accepted_at);
