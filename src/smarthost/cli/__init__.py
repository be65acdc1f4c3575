"""The command line: what an operator types, and what it answers.

Every error that can be expected becomes one line on standard error and a fixed exit code. The
command modules import what is heavy only once they run, so that `--help` comes at once.
"""

import resource
import sys

from smarthost.cli.failure import tell_failure
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
    except Exception as error:  # noqa: BLE001 - the table says which ones are expected
        sys.exit(tell_failure(error))
