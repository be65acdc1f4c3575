-- OAuth2: how tokens for a portal's relay are come by, as a part of each revision of its settings.
-- Times are microseconds since 1970-01-01T00:00:00Z.

-- What may be shown of it, as JSON. The same is sealed in `sealed_password`, with the secrets; where
-- the two differ, neither is used.
ALTER TABLE smtp_settings_revisions ADD COLUMN oauth2 TEXT COLLATE "C"
    CHECK (oauth2 IS NULL OR (enable_auth = 1 AND enable_ssl = 1 AND use_ntlm = 0));

-- The revision that its tokens are kept under: later ones that leave the sign-in as it is go on with
-- the same refresh token.
ALTER TABLE smtp_settings_revisions ADD COLUMN oauth2_revision BIGINT
    CHECK ((oauth2 IS NULL) = (oauth2_revision IS NULL)
           AND (oauth2_revision IS NULL OR oauth2_revision BETWEEN 1 AND revision));

-- Finds where OAuth2 was last in force, past any number of revisions without it.
CREATE INDEX smtp_settings_revisions_with_oauth2
    ON smtp_settings_revisions (portal_id, revision) WHERE oauth2 IS NOT NULL;

-- That, too, is never changed.
DROP TRIGGER smtp_settings_revisions_are_immutable ON smtp_settings_revisions;
CREATE TRIGGER smtp_settings_revisions_are_immutable
BEFORE UPDATE OF portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
    sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, changed, oauth2,
    oauth2_revision ON smtp_settings_revisions
FOR EACH ROW EXECUTE FUNCTION refuse_change('a settings revision is never changed');

-- What the last request for a token came to, and the refresh token to be used from now on: a
-- provider may give a new one with each access token. Access tokens are not kept.
CREATE TABLE oauth2_tokens (
    portal_id TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    fetched_at BIGINT NOT NULL,
    expires_at BIGINT,
    error TEXT COLLATE "C" CHECK (error IN ('refused', 'consent_needed', 'unavailable')),
    said TEXT COLLATE "C",
    sealed_refresh_token BYTEA,
    refreshed_at BIGINT,
    PRIMARY KEY (portal_id, revision),
    FOREIGN KEY (portal_id, revision) REFERENCES smtp_settings_revisions (portal_id, revision),
    CHECK ((sealed_refresh_token IS NULL) = (refreshed_at IS NULL))
);

-- Who has been sent to a provider's page to consent, and has not come back yet.
CREATE TABLE oauth2_authorizations (
    portal_id TEXT COLLATE "C" NOT NULL,
    state_hash BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    user_id TEXT COLLATE "C",
    actor TEXT COLLATE "C" NOT NULL,
    redirect_uri TEXT COLLATE "C" NOT NULL,
    sealed_verifier BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (portal_id, state_hash),
    FOREIGN KEY (portal_id, revision) REFERENCES smtp_settings_revisions (portal_id, revision),
    FOREIGN KEY (portal_id, user_id) REFERENCES users (portal_id, id) ON DELETE CASCADE
);

CREATE INDEX oauth2_authorizations_by_age ON oauth2_authorizations (portal_id, expires_at);
CREATE INDEX oauth2_authorizations_of_user ON oauth2_authorizations (portal_id, user_id);
CREATE INDEX oauth2_authorizations_of_revision ON oauth2_authorizations (portal_id, revision);
