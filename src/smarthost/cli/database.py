"""`database`: back-ups of it and the way back, and the form of its tables."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.installation import read_config
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json
from smarthost.cli.progress_bar import share_bar

if TYPE_CHECKING:
    from smarthost.config import Config
    from smarthost.database.backup import Copied, Show


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy the database into a new file, while the service runs or not.

    The key ring is not in it: keep that elsewhere. A file that is there is never replaced (4).
    """
    from smarthost.app.database_file import back_up
    from smarthost.clock import SystemClock

    config = read_config()
    copied = _with_bar(
        "backing up", lambda show: back_up(config, file, SystemClock(), show), as_json=as_json
    )
    if as_json:
        _print_json(copied)
        return
    typer.echo(f"Backed up to {copied.path}: {copied.octets} octets.")
    typer.echo("Without the key ring nobody can open its passwords. Keep that elsewhere:")
    typer.echo(f"  {config.keyring_file}")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The back-up.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Put a back-up where the database was, which has to be out of the way (4).

    Nothing that waited then is sent by itself: the next start holds it.
    """
    from smarthost.app.database_file import restore as restore_database

    config = read_config()
    copied = _with_bar(
        "restoring", lambda show: restore_database(config, file, show), as_json=as_json
    )
    if as_json:
        _print_json(copied)
        return
    typer.echo(f"Restored {copied.path}.")
    for line in _what_next(config):
        typer.echo(line)


def upgrade(*, as_json: AsJson = False) -> None:
    """Bring the tables to the form that this program knows; any start does it too."""
    import asyncio

    from smarthost.app.database_file import upgrade as upgrade_database
    from smarthost.app.logs import configure_logs
    from smarthost.clock import SystemClock

    config = read_config()
    configure_logs(config.log_format, config.log_level)
    upgraded = asyncio.run(upgrade_database(config, SystemClock()))
    if as_json:
        print_json({"from": upgraded.before, "to": upgraded.after})
    elif upgraded.before == upgraded.after:
        typer.echo(f"The database has schema version {upgraded.after} already.")
    else:
        typer.echo(f"Upgraded from schema version {upgraded.before} to {upgraded.after}.")


def _with_bar(words: str, copy: "Callable[[Show], Copied]", *, as_json: bool) -> "Copied":
    with share_bar(words, shown=sys.stdout.isatty() and not as_json) as show:
        return copy(show)


def _print_json(copied: "Copied") -> None:
    from smarthost.clock import moment

    print_json(
        {
            "path": str(copied.path),
            "octets": copied.octets,
            "takenAt": moment(copied.taken_at),
            "schemaVersion": copied.schema_version,
            "rows": copied.rows,
        }
    )


def _what_next(config: "Config") -> list[str]:
    from smarthost.app.restored import CANCEL, RELEASE

    ring = config.keyring_file
    missing = [] if ring.is_file() else [f"The key ring is missing. Put it back first: {ring}"]
    return [
        *missing,
        "Start with: smarthost serve",
        "Mail that waited when the back-up was taken is held then. To send it, or to forget it:",
        f"  {RELEASE}",
        f"  {CANCEL}",
    ]
