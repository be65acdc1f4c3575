"""A revision as it stands in a row, for every statement that reads or writes one.

All of them name the columns in one order, that of the store's first statement, so that one
function reads whatever any of them finds.
"""

import msgspec

from smarthost.database.engine import Row, Value
from smarthost.smtp_settings.model import Revision, RevisionAction, SmtpSettings
from smarthost.smtp_settings.oauth2 import Grant, OAuth2

_ALTERED = OAuth2(grant=Grant.CLIENT_CREDENTIALS, client_id="", token_url="", scope="")


def revision_row(revision: Revision) -> tuple[Value, ...]:
    """Return the columns of a revision in their order."""
    settings = revision.settings
    return (
        revision.portal_id,
        revision.number,
        revision.action.value,
        revision.saved_at,
        revision.saved_by,
        *((None,) * 9 if settings is None else _columns(settings)),
        revision.oauth2_revision,
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
        None if settings.oauth2 is None else msgspec.json.encode(settings.oauth2).decode(),
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
            oauth2=None if row[13] is None else _oauth2(row[13]),
        )
    return Revision(
        portal_id=row[0],
        number=row[1],
        action=RevisionAction(row[2]),
        saved_at=row[3],
        saved_by=row[4],
        settings=settings,
        oauth2_revision=row[14],
        sealed_password=row[15],
    )


def _oauth2(text: str) -> OAuth2:
    """Read the column; what somebody has altered is something that was never sealed."""
    try:
        return msgspec.json.decode(text, type=OAuth2)
    except msgspec.MsgspecError:
        return _ALTERED
