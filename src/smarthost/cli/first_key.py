"""Shows what a first start has made: the key once, and lines that try it.

On a terminal the key is shown and kept nowhere. Without one, output may end in a log that many
can read, so the key goes to a file that its owner alone can.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from smarthost.cli.exit_codes import AlreadyThereError

if TYPE_CHECKING:
    from smarthost.app.first_start import FirstStart
    from smarthost.app.serve import Serving
    from smarthost.config import Config

_EXAMPLE = (
    '{"host": "mail.example.com", "port": 587, "enableSSL": true,'
    ' "senderAddress": "notify@example.com"}'
)


def refuse_left_over_key(config: "Config") -> None:
    """Raise `AlreadyThereError` where a first key could not be written down.

    To be asked before anything is made: afterwards the key would be lost.
    """
    path = key_file(config)
    if not sys.stdout.isatty() and os.path.lexists(path):
        raise AlreadyThereError(
            f"{path} is left from an earlier installation. Remove it and try again."
        )


def show_first_start(config: "Config", first: "FirstStart", url: str) -> None:
    """Print what was made, the key or where it is, and `curl` lines to go on with."""
    typer.echo(f"Made the portal {first.portal.name} and its administrator.")
    typer.echo(f"  administrator: {first.administrator.email}")
    key = first.key.reveal()
    if sys.stdout.isatty():
        typer.echo(f"  API key:       {key}")
        typer.echo("Keep the key: it is not shown again.")
    else:
        path = key_file(config)
        _write_new(path, key)
        typer.echo(f"  API key:       in {path}")
        key = f"$(cat {shlex.quote(str(path))})"
    typer.echo("Save the portal's mail settings, for example:")
    request = f'curl {_options(config, url)}-H "Authorization: Bearer {key}"'
    settings = f"{url}/api/2.0/smtpsettings/smtp"
    body = f'-H "Content-Type: application/json" -d {shlex.quote(_EXAMPLE)}'
    typer.echo(f"  {request} {body} {settings}")
    typer.echo("Send yourself a test message through them, and watch it:")
    typer.echo(f"  {request} {settings}/test")
    typer.echo(f"  {request} {settings}/test/status")


def show_submission(serving: "Serving") -> None:
    """Print where applications submit mail by SMTP, and how they log in."""
    for name, place in (("SMTP", serving.smtp), ("SMTP with TLS", serving.smtps)):
        if place is not None:
            typer.echo(f"{name}: {place}, any user name, password: an API key")


def key_file(config: "Config") -> Path:
    """Return where a first key goes that no terminal shows."""
    return config.data_dir / "first-key"


def _write_new(path: Path, key: str) -> None:
    try:
        with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            try:
                file.write(f"{key}\n")
                file.flush()
            except OSError:
                # A part of a key is worse than none: it looks like one.
                path.unlink()
                raise
    except OSError as error:
        raise AlreadyThereError(
            f"The first key could not be written to {path}: {error.strerror}. "
            "Make another one with: smarthost key create --name first --permission '*'"
        ) from error


def _options(config: "Config", url: str) -> str:
    """Return what `curl` needs to find the portal, with a blank behind it."""
    if config.base_domain is None:
        return ""
    # The portal's name need not be in the DNS yet.
    there = urlsplit(url).netloc
    return f"--connect-to {there}:{_local(config)}:{urlsplit(url).port} "


def _local(config: "Config") -> str:
    host = config.http_listen.reached_at
    return f"[{host}]" if ":" in host else host
