"""How a command that failed ends: its lines on standard error, and its exit code."""

import typer

from smarthost.cli.exit_codes import exit_code


def tell_failure(error: Exception) -> int:
    """Print what an expected error says and return its exit code; raise any other one again."""
    code = exit_code(error)
    if code is None:
        raise error
    typer.echo(_told(str(error)), err=True)
    return code


def _told(message: str) -> str:
    """Return the lines of a message under the program's name; indented ones stay as they are."""
    lines = message.splitlines()
    return "\n".join(line if line.startswith(" ") else f"smarthost: {line}" for line in lines)
