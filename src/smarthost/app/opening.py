"""Opens the store that the configuration names: SQLite in a file, or a PostgreSQL server."""

import contextlib
from pathlib import Path

from smarthost.config import Config
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.database.group_commit import Measured
from smarthost.database.migrate import schema_version
from smarthost.database.sqlite import SqliteDatabase


class NotInitialisedError(Exception):
    """There is no installation in the data directory yet; the message holds the line to type."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"There is no installation in {data_dir} yet. Make one with:\n"
            "  smarthost init --admin-email you@example.com"
        )


def open_database(config: Config, measured: Measured = contextlib.nullcontext) -> Database:
    """Open the store, whatever is in it.

    `measured` gives what is entered for the time of each commit. Raises `StoreUnavailableError`;
    a server that cannot be reached says so at the first call.
    """
    if config.database_url is not None:
        # Its driver is loaded where there is a server for it to talk to.
        from smarthost.database.postgresql import PostgresqlDatabase  # noqa: PLC0415

        return PostgresqlDatabase(config.database_url, measured=measured)
    return SqliteDatabase(config.database_file, measured=measured)


async def refuse_if_empty(config: Config, database: Database) -> None:
    """Return if there is an installation in the store. Raises `NotInitialisedError`."""
    if await schema_version(database) is None:
        raise NotInitialisedError(config.data_dir)


def prepare_folder(config: Config, *, create: bool) -> None:
    """Make the data directory with `create`; without it a database file has to be there.

    What is in a server's database shows when that is open. Raises `NotInitialisedError`,
    `StoreUnavailableError`.
    """
    try:
        there = config.database_url is not None or config.database_file.exists()
    except OSError as error:
        raise StoreUnavailableError(
            f"The data directory {config.data_dir} cannot be used: {error.strerror}. "
            "Run this as the user that runs Smarthost."
        ) from error
    if not create and not there:
        raise NotInitialisedError(config.data_dir)
    try:
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"The data directory {config.data_dir} cannot be made: {error.strerror}."
        ) from error
