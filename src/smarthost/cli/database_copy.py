"""`database copy`: from SQLite to PostgreSQL.

The server's URL comes from a file or standard input where it holds a password: every user of a
machine can read the arguments of its processes.
"""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from smarthost.cli.exit_codes import ExitCode, UsageError
from smarthost.cli.installation import read_config
from smarthost.cli.options import AsJson
from smarthost.cli.password_input import secret_in
from smarthost.cli.printing import print_json, print_table
from smarthost.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from smarthost.config import Config
    from smarthost.database.copy.model import Copied, Progress
    from smarthost.secret import Secret


def copy(
    *,
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="postgresql://user@host/database, without a password."),
    ] = None,
    to_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the URL from this file; - is standard input."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy the SQLite database to an empty one of a PostgreSQL server, and compare both.

    Stop the service first. Broken off at any point, it goes on where it was when typed again. The
    file stays as it is. A table that differs at the end is named (1).
    """
    from smarthost.app.database_copy import copy_to_server
    from smarthost.app.logs import configure_logs
    from smarthost.clock import SystemClock

    url = _given_url(to, to_file)
    config = read_config()
    configure_logs(config.log_format, "warning")
    with progress_bar(shown=sys.stdout.isatty() and not as_json) as bar:
        copied = asyncio.run(
            copy_to_server(
                config,
                url,
                SystemClock(),
                lambda progress: bar(100 * progress.share, _words(progress)),
            )
        )
    if as_json:
        _print_json(copied)
    else:
        _print_words(config, copied)
    if copied.finished_at is None:
        raise typer.Exit(ExitCode.NO)


def _given_url(to: str | None, to_file: Path | None) -> "Secret":
    from smarthost.config.database_url import parse_database
    from smarthost.config.faults import InvalidValueError
    from smarthost.secret import Secret

    if (to is None) == (to_file is None):
        raise UsageError("Say where to copy to, by --to URL or by --to-file FILE.")
    option = "--to" if to_file is None else "--to-file"
    text = secret_in(to_file, option) if to is None else Secret(to)
    assert text is not None  # noqa: S101 - one of the two was given
    try:
        url = parse_database(text.reveal().strip())
    except InvalidValueError as error:
        raise UsageError("\n".join(f"{option}: {fault}" for fault in error.messages)) from error
    if not isinstance(url, Secret):
        raise UsageError(f"{option}: the URL of a PostgreSQL server starts with postgresql://.")
    if to is not None and urlsplit(url.reveal()).password is not None:
        raise UsageError(
            "--to: a password does not belong on the command line, where every user of this "
            "machine can read it. Write the URL into a file and name that with --to-file."
        )
    return url


def _words(progress: "Progress") -> str:
    doing = "comparing" if progress.comparing else "copying"
    return f"{doing} {progress.table}: {progress.rows:,} of {progress.of:,}"


def _print_json(copied: "Copied") -> None:
    from smarthost.clock import moment

    finished_at = copied.finished_at
    print_json(
        {
            "to": copied.target,
            "finishedAt": None if finished_at is None else moment(finished_at),
            "already": copied.already,
            "rows": copied.rows,
            "tables": [
                {
                    "table": one.table,
                    "rows": one.rows,
                    "sha256": one.sha256,
                    "alike": one.alike,
                }
                for one in copied.tables
            ],
        }
    )


def _print_words(config: "Config", copied: "Copied") -> None:
    from smarthost.clock import moment

    if copied.tables:
        print_table(
            ("Table", "Rows", "SHA-256", ""),
            [
                (one.table, str(one.rows), one.sha256, "alike" if one.alike else "differs")
                for one in copied.tables
            ],
        )
    if copied.finished_at is None:
        differing = [one.table for one in copied.tables if not one.alike]
        typer.echo(f"{copied.target} differs in: {', '.join(differing)}.")
        typer.echo("Nothing opens it as it is. Type the same again: it is copied anew.")
        return
    if copied.already:
        when = moment(copied.finished_at).isoformat(timespec="seconds")
        typer.echo(f"{copied.target} holds this installation since {when}. Nothing was done.")
    else:
        typer.echo(f"{copied.target} holds this installation, alike in every table.")
    for line in _what_next(config):
        typer.echo(line)


def _what_next(config: "Config") -> list[str]:
    return [
        "1. Set SMARTHOST_DATABASE_URL, or SMARTHOST_DATABASE_URL_FILE, to its URL on every node.",
        "2. Every node needs the key ring, as SMARTHOST_KEYRING_FILE or here:",
        f"   {config.keyring_file}",
        "3. Look it over and start: smarthost doctor; smarthost serve",
        "The old file is as it was. Start nothing on it any more: its mail would go out twice.",
        f"   {config.database_file}",
    ]
