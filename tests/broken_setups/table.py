"""All broken set-ups, by what they are about."""

from collections.abc import Mapping, Sequence

from tests.broken_setups.encryption_rows import ENCRYPTION_ROWS
from tests.broken_setups.host_rows import HOST_ROWS
from tests.broken_setups.login_rows import LOGIN_ROWS
from tests.broken_setups.mail_rows import MAIL_ROWS
from tests.broken_setups.port_rows import PORT_ROWS
from tests.broken_setups.provider_rows import PROVIDER_ROWS
from tests.broken_setups.set_up import BrokenSetUp
from tests.broken_setups.sign_in_rows import SIGN_IN_ROWS
from tests.broken_setups.warned_rows import WARNED_ROWS

CHAPTERS: Mapping[str, Sequence[BrokenSetUp]] = {
    "The host": HOST_ROWS,
    "The port": PORT_ROWS,
    "TLS and certificates": ENCRYPTION_ROWS,
    "The login": LOGIN_ROWS,
    "A sign-in with OAuth2": SIGN_IN_ROWS,
    "Sender, recipient and message": MAIL_ROWS,
    "What providers say": PROVIDER_ROWS,
    "What works, with a warning": WARNED_ROWS,
}

TABLE = [row for rows in CHAPTERS.values() for row in rows]
