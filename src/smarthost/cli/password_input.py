"""Takes secrets from a file, from standard input, or passwords from a person at a terminal.

Never from an argument: every user of a machine can read the arguments of its processes.
"""

import getpass
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from smarthost.cli.exit_codes import UsageError
from smarthost.secret import Secret

STDIN = Path("-")
"""Stands for standard input, as everywhere."""

_MOST_OCTETS = 65_536
"""Far above any password, far below what would fill memory."""

PasswordFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Take the password from this file."),
]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Take the password from standard input."),
]


def given_password(file: Path | None, *, stdin: bool) -> Secret | None:
    """Return the password of a file or of standard input, None where neither is asked for.

    One line end at the end does not belong to it. Raises `UsageError`.
    """
    if file is not None and stdin:
        raise UsageError("Give --password-file or --password-stdin, not both.")
    if stdin and can_ask():
        raise UsageError(
            "--password-stdin: standard input is a terminal, which would show the password. "
            "Pipe it in, or let the command ask for it."
        )
    if stdin:
        return _text(sys.stdin.buffer, "--password-stdin")
    return None if file is None else _in_file(file, "--password-file")


def secret_in(file: Path | None, option: str) -> Secret | None:
    """Return the secret in a file, or on standard input for `-`; None where there is no file.

    One line end at the end does not belong to it. Raises `UsageError`.
    """
    if file != STDIN:
        return None if file is None else _in_file(file, option)
    if can_ask():
        raise UsageError(
            f"{option}: standard input is a terminal, which would show the secret. Pipe it in."
        )
    return _text(sys.stdin.buffer, option)


def can_ask() -> bool:
    """Whether there is a person at standard input."""
    return sys.stdin.isatty()


def ask_password(prompt: str) -> Secret:
    """Ask for a password without showing it."""
    return Secret(getpass.getpass(f"{prompt}: "))


def ask_new_password(whose: str) -> Secret:
    """Ask twice for a new password. Raises `UsageError` when the answers differ."""
    password = ask_password(f"New password of {whose}")
    if password != ask_password("The same again"):
        raise UsageError("The two passwords are not the same. Nothing was changed.")
    return password


def _in_file(file: Path, option: str) -> Secret:
    try:
        with file.open("rb") as opened:
            return _text(opened, option)
    except OSError as error:
        # The path is left out: whoever mistook the option has put the secret itself there.
        raise UsageError(f"{option}: the file cannot be read: {error.strerror}.") from error


def _text(source: BinaryIO, option: str) -> Secret:
    content = source.read(_MOST_OCTETS + 1)
    if len(content) > _MOST_OCTETS:
        raise UsageError(f"{option}: this is too long for a password or a key.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{option}: this is not UTF-8 text.") from None
    return Secret(text.removesuffix("\n").removesuffix("\r"))
