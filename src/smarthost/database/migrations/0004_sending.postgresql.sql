-- What sending mail needs besides one test at a time: whose a message is and what people see of it,
-- schedules, holds of a relay, idempotency keys.
-- Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7 text.

ALTER TABLE portals ADD COLUMN domain_senders_allowed SMALLINT NOT NULL DEFAULT 0
CHECK (domain_senders_allowed IN (0, 1));

-- A notice is the installation's own word to a portal's administrators.
ALTER TABLE messages
    DROP CONSTRAINT messages_kind_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN ('test', 'mail', 'notice')),
    -- The credential it came with, `key:<id>` or `user:<id>`; none: the operator or Smarthost.
    ADD COLUMN owner TEXT COLLATE "C",
    -- What lists show without the body: from, to, subject, tags; JSON.
    ADD COLUMN details TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    -- Rather not at all than twice.
    ADD COLUMN at_most_once SMALLINT NOT NULL DEFAULT 0 CHECK (at_most_once IN (0, 1)),
    -- Of no use to anybody afterwards; none: as long as the queue keeps trying.
    ADD COLUMN expires_at BIGINT;
ALTER TABLE messages ALTER COLUMN details DROP DEFAULT, ALTER COLUMN at_most_once DROP DEFAULT;

-- With the kind, so that an owner's messages are found in the index alone.
CREATE INDEX messages_of_owner ON messages (portal_id, owner, id, kind) WHERE owner IS NOT NULL;

ALTER TABLE recipients
    DROP CONSTRAINT recipients_kind_check,
    ADD CONSTRAINT recipients_kind_check CHECK (kind IN ('test', 'mail', 'notice')),
    -- The moment that the sender chose for the first try; none: at once.
    ADD COLUMN scheduled_at BIGINT,
    -- How many workers have ended in the middle of it, one after the other.
    ADD COLUMN deaths BIGINT NOT NULL DEFAULT 0,
    -- Why a person has to release it.
    ADD COLUMN held_for TEXT COLLATE "C"
        CHECK (held_for IN ('in_doubt', 'worker_deaths', 'restored')),
    -- When it reached the state that it stays in.
    ADD COLUMN ended_at BIGINT;
ALTER TABLE recipients ALTER COLUMN deaths DROP DEFAULT;
UPDATE recipients SET held_for = 'in_doubt' WHERE state = 'held';
UPDATE recipients SET ended_at = coalesce(claimed_at, 0)
WHERE state IN ('sent', 'failed', 'expired', 'cancelled');
ALTER TABLE recipients
    ADD CHECK ((state = 'held') = (held_for IS NOT NULL)),
    ADD CHECK ((state IN ('sent', 'failed', 'expired', 'cancelled')) = (ended_at IS NOT NULL));

-- With the moment chosen by the sender, so that waiting mail is counted in the index alone.
DROP INDEX recipients_due;
CREATE INDEX recipients_due ON recipients (portal_id, kind, due_at, message_id, scheduled_at)
WHERE due_at IS NOT NULL;

-- What a worker that died leaves behind is found here, however much is due.
CREATE INDEX recipients_sending ON recipients (portal_id, kind, message_id)
WHERE state = 'sending';

CREATE INDEX recipients_held ON recipients (portal_id, message_id) WHERE state = 'held';

ALTER TABLE queue_turns
    DROP CONSTRAINT queue_turns_kind_check,
    ADD CONSTRAINT queue_turns_kind_check CHECK (kind IN ('test', 'mail', 'notice')),
    -- When a relay last took one of them.
    ADD COLUMN last_sent_at BIGINT;

-- A portal whose relay takes no mail at all just now: nothing goes there but a probe.
CREATE TABLE relay_holds (
    portal_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES portals (id),
    -- Of the settings that failed; a newer revision ends the hold.
    revision BIGINT NOT NULL,
    default_relay SMALLINT NOT NULL CHECK (default_relay IN (0, 1)),
    relay_host TEXT COLLATE "C",
    relay_port BIGINT,
    since BIGINT NOT NULL,
    -- The failure that was met last.
    step TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    permanent SMALLINT NOT NULL CHECK (permanent IN (0, 1)),
    reply TEXT COLLATE "C",
    tls TEXT COLLATE "C",
    -- Tries that failed, the first one included.
    failures BIGINT NOT NULL CHECK (failures > 0),
    tried_at BIGINT NOT NULL,
    probe_at BIGINT NOT NULL,
    -- When the administrators were written to.
    told_at BIGINT
);

CREATE INDEX relay_holds_of_default ON relay_holds (default_relay, tried_at)
WHERE default_relay = 1;

-- The first answer to a request that names a key, for whoever asks again.
CREATE TABLE idempotency_keys (
    portal_id TEXT COLLATE "C" NOT NULL REFERENCES portals (id),
    owner TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the path and the body.
    digest BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    accepted_at BIGINT NOT NULL,
    PRIMARY KEY (portal_id, owner, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (portal_id, accepted_at);
