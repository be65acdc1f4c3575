-- What each revision of the settings has changed, so that the history tells it at one look.

-- The names of the fields as JSON, `password` among them; none: the revision was written before
-- this was kept, and its neighbour tells all but the password.
ALTER TABLE smtp_settings_revisions ADD COLUMN changed TEXT COLLATE "C";

-- That, too, is never changed; what seals the password may be.
DROP TRIGGER smtp_settings_revisions_are_immutable ON smtp_settings_revisions;
CREATE TRIGGER smtp_settings_revisions_are_immutable
BEFORE UPDATE OF portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
    sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, changed ON smtp_settings_revisions
FOR EACH ROW EXECUTE FUNCTION refuse_change('a settings revision is never changed');
