"""A revision as it stands in a row, for every statement that reads or writes one.

All of them name the columns in one order, that of the store's first statement, so that one
function reads whatever any of them finds.
"""

from smarthost.database.engine import Row, Value
from smarthost.smtp_settings.model import Revision, RevisionAction, SmtpSettings


def revision_row(revision: Revision) -> tuple[Value, ...]:
    """Return the columns of a revision in their order."""
    settings = revision.settings
    return (
        revision.portal_id,
        revision.number,
        revision.action.value,
        revision.saved_at,
        revision.saved_by,
        *((None,) * 8 if settings is None else _columns(settings)),
        revision.sealed_password,
    )


def _columns(settings: SmtpSettings) -> tuple[Value, ...]:
    return (
        settings.host,
        settings.port,
        settings.sender_address,
        settings.sender_display_name,
        settings.user_name,
        int(settings.enable_ssl),
        int(settings.enable_auth),
        int(settings.use_ntlm),
    )


def read_revision(row: Row) -> Revision:
    """Make a revision from its columns in their order; what stands behind them is not read."""
    settings = None
    if row[5] is not None:
        settings = SmtpSettings(
            host=row[5],
            port=row[6],
            sender_address=row[7],
            sender_display_name=row[8],
            user_name=row[9],
            enable_ssl=bool(row[10]),
            enable_auth=bool(row[11]),
            use_ntlm=bool(row[12]),
        )
    return Revision(
        portal_id=row[0],
        number=row[1],
        action=RevisionAction(row[2]),
        saved_at=row[3],
        saved_by=row[4],
        settings=settings,
        sealed_password=row[13],
    )
