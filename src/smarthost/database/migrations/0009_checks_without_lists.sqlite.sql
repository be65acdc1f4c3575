-- The same tables with other words for their checks. For a list of three or more SQLite fills a
-- table of its own whenever it looks at a row, which was a thirteenth of all that sending a message
-- costs. A CHECK cannot be changed, so the tables are made anew, from the leaves up; a message's
-- content, which is most of the store, stays where it is.

DROP TRIGGER attempts_are_immutable;
DROP INDEX recipients_due;
DROP INDEX recipients_sending;
DROP INDEX recipients_held;
ALTER TABLE recipients RENAME TO old_recipients;
ALTER TABLE attempts RENAME TO old_attempts;
ALTER TABLE failure_notices RENAME TO old_failure_notices;

CREATE TABLE recipients (
    portal_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    address TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind = 'mail' OR kind = 'test' OR kind = 'notice'),
    state TEXT NOT NULL CHECK (
        state = 'queued' OR state = 'sending' OR state = 'sent' OR state = 'failed'
        OR state = 'expired' OR state = 'cancelled' OR state = 'held'
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
    held_for TEXT CHECK (
        held_for = 'in_doubt' OR held_for = 'worker_deaths' OR held_for = 'restored'
    ),
    -- When it reached the state that it stays in.
    ended_at INTEGER,
    PRIMARY KEY (portal_id, message_id, address),
    FOREIGN KEY (portal_id, message_id) REFERENCES messages (portal_id, id) ON DELETE CASCADE,
    CHECK ((state = 'sending') = (claim IS NOT NULL)),
    CHECK ((state IN ('queued', 'sending')) = (due_at IS NOT NULL)),
    CHECK ((state = 'held') = (held_for IS NOT NULL)),
    CHECK (
        (state = 'sent' OR state = 'failed' OR state = 'expired' OR state = 'cancelled')
        = (ended_at IS NOT NULL)
    ),
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
    result TEXT NOT NULL CHECK (
        result = 'accepted' OR result = 'deferred' OR result = 'refused'
    ),
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

CREATE TABLE failure_notices (
    portal_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (portal_id, message_id, address),
    FOREIGN KEY (portal_id, message_id, address)
        REFERENCES recipients (portal_id, message_id, address) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO recipients
SELECT portal_id, message_id, address, kind, state, due_at, scheduled_at, attempts_count, deaths,
       claim, claimed_at, step, in_doubt, held_for, ended_at
FROM old_recipients;
INSERT INTO attempts
SELECT portal_id, message_id, address, attempt, started_at, microseconds, result, in_doubt, step,
       code, permanent, reply, revision, relay_host, relay_port, default_relay, relay_address, tls,
       warnings
FROM old_attempts;
INSERT INTO failure_notices SELECT portal_id, message_id, address FROM old_failure_notices;

DROP TABLE old_failure_notices;
DROP TABLE old_attempts;
DROP TABLE old_recipients;

CREATE TRIGGER attempts_are_immutable BEFORE UPDATE ON attempts
BEGIN SELECT raise(ABORT, 'an attempt is never changed'); END;
