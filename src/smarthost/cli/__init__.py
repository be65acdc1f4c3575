"""The command line: what an operator types, and what it answers.

Every error that can be expected becomes one line on standard error and a fixed exit code. The
command modules import what is heavy only once they run, so that `--help` comes at once.
"""

import resource
import sys

import typer

from smarthost.cli.exit_codes import exit_code
from smarthost.cli.program import make_program

INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C has ended: 128 and SIGINT's number."""


def main() -> None:
    """Run the program with this process's arguments; always ends in `SystemExit`."""
    # A core dump would hold every password that has just been sealed or opened.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        make_program()(prog_name="smarthost")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # the table says which ones are expected
        code = exit_code(error)
        if code is None:
            raise
        typer.echo(_told(str(error)), err=True)
        sys.exit(code)


def _told(message: str) -> str:
    """Return the lines of a message under the program's name; indented ones stay as they are."""
    lines = message.splitlines()
    return "\n".join(line if line.startswith(" ") else f"smarthost: {line}" for line in lines)
