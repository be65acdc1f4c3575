"""What an operator does with the database as a whole: back-up, the way back, a new form.

None of it needs the key ring, and none of it looks at what the rows mean. A back-up is taken of
the database as it is, so that it can be made with a new program before that changes anything.
"""

from pathlib import Path

import msgspec

from smarthost.app.delivery import file_lock
from smarthost.app.opening import open_database, prepare_folder, refuse_if_empty
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.database import backup
from smarthost.database.backup import Copied, Show
from smarthost.database.backup_mark import MAKE_MARK, MARK_NOW
from smarthost.database.migrate import migrate, schema_version

_DUMP = "The database is PostgreSQL's. Back it up with: pg_dump --format=custom --file=FILE URL"
_RESTORE = (
    "The database is PostgreSQL's. Put a dump into an empty database with pg_restore. Then, "
    "before anything is started, so that what waited is held and not sent once more, type:\n"
    f'  psql URL -c "{MAKE_MARK}" -c "{MARK_NOW}"'
)


class NotAFileError(Exception):
    """The database is a server's, which has means of its own for this."""


class InUseError(Exception):
    """The installation is in use, and this cannot be done meanwhile."""


class Upgraded(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the tables before and after; equal where there was nothing to do."""

    before: int
    after: int


def back_up(config: Config, target: Path, clock: Clock, show: Show) -> Copied:
    """Copy the database to `target`, while the service runs or not.

    Raises `NotInitialisedError`, `TargetExistsError`, `StoreUnavailableError`, `NotAFileError`.
    """
    if config.database_url is not None:
        raise NotAFileError(_DUMP)
    prepare_folder(config, create=False)
    return backup.back_up(config.database_file, target, clock.now(), show)


def restore(config: Config, source: Path, show: Show) -> Copied:
    """Put a back-up where the database was.

    Raises `InUseError`, `TargetExistsError`, `StoreUnavailableError`, `NotAFileError`; nothing is
    changed then.
    """
    if config.database_url is not None:
        raise NotAFileError(_RESTORE)
    prepare_folder(config, create=True)
    lock = file_lock(config)
    # A service whose files were moved away while it runs goes on with them, and writes there.
    if not lock.acquire():
        raise InUseError(f"Smarthost runs on {config.data_dir}. Stop it first.")
    try:
        return backup.restore(source, config.database_file, show)
    finally:
        lock.release()


async def upgrade(config: Config, clock: Clock) -> Upgraded:
    """Bring the tables to the form that this program knows.

    Raises `NotInitialisedError`, and `StoreUnavailableError` where a newer program made them.
    """
    prepare_folder(config, create=False)
    database = open_database(config)
    try:
        if config.database_url is not None:
            await refuse_if_empty(config, database)
        before = await schema_version(database) or 0
        await migrate(database, clock)
        return Upgraded(before=before, after=await schema_version(database) or 0)
    finally:
        await database.close()
