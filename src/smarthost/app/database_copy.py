"""Moves an installation from its SQLite file to a PostgreSQL server, while nobody uses it.

The file stays as it is, and so does the key ring: what is sealed goes over sealed.
"""

from smarthost.app.database_file import InUseError, NotAFileError
from smarthost.app.delivery import file_lock
from smarthost.app.opening import prepare_folder
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.database.copy.model import Copied, Show
from smarthost.database.copy.run import copy
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret

_SOURCE = (
    "SMARTHOST_DATABASE_URL names a PostgreSQL server already. What is copied is an SQLite file: "
    "leave the setting as it was for that."
)


async def copy_to_server(config: Config, url: Secret, clock: Clock, show: Show) -> Copied:
    """Copy the database to the server that `url` names, or go on with a copy begun there.

    Raises `NotAFileError`, `NotInitialisedError`, `InUseError`, `SourceInUseError`,
    `SourceNotReadyError`, `TargetTakenError`, `StoreUnavailableError`.
    """
    if config.database_url is not None:
        raise NotAFileError(_SOURCE)
    prepare_folder(config, create=False)
    lock = file_lock(config)
    if not lock.acquire():
        raise InUseError(f"Smarthost runs on {config.data_dir}. Stop it first.")
    database = PostgresqlDatabase(url)
    try:
        return await copy(config.database_file, database, clock, show)
    finally:
        await database.close()
        lock.release()
