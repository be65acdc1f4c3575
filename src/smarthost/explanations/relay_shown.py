"""Which relay a portal may read about: its own, or the installation's where that is not hidden."""

from smarthost.explanations.failure import RelayShown
from smarthost.smtp_settings.model import Revision, SmtpSettings


def relay_shown(revision: Revision, shown_default: SmtpSettings | None) -> RelayShown | None:
    """Return what may be said about the relay that this revision of the settings names.

    `shown_default` is what portals may see of the installation's relay, None for nothing.
    """
    settings = revision.settings or shown_default
    return None if settings is None else shown(settings)


def shown(settings: SmtpSettings) -> RelayShown:
    """Return what may be said about a relay to whoever may see its settings."""
    return RelayShown(
        host=settings.host,
        port=settings.port,
        enable_ssl=settings.enable_ssl,
        enable_auth=settings.enable_auth,
        use_ntlm=settings.use_ntlm,
        oauth2=settings.oauth2 is not None,
    )
