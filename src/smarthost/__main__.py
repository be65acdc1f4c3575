"""Where every start begins, as the command `smarthost` and as `python -m smarthost`.

Loading the commands takes a moment; Ctrl-C in it ends the program as quietly as later.
"""

import gc
import os
import signal

_INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C has ended: 128 and SIGINT's number."""


def main() -> None:
    """Run the program with this process's arguments; always ends in `SystemExit`."""
    # An exception would come out of the middle of an import; nothing has begun that needs an end.
    # A shell may have told the program to ignore SIGINT: then that stays.
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    # What is loaded stays. Looking through it for garbage was a quarter of the moment. A command
    # that has loaded its modules reads its configuration, and switches this on again there.
    gc.disable()
    from smarthost import cli  # noqa: PLC0415 - what takes the moment

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


if __name__ == "__main__":
    main()
