"""`doctor`: what is wrong with the installation, and what to do about it."""

import asyncio

import typer

from smarthost.cli.exit_codes import ExitCode
from smarthost.cli.installation import read_config
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json, print_table


def doctor(*, as_json: AsJson = False) -> None:
    """Say what is wrong with the installation and what to do.

    Changes nothing. Exits with 1 if anything is wrong.
    """
    import socket
    from functools import partial

    from smarthost.app.doctor import examine
    from smarthost.app.logs import configure_logs
    from smarthost.clock import SystemClock

    configure_logs("console", "warning")
    findings = asyncio.run(examine(partial(read_config, socket.getfqdn), SystemClock()))
    if as_json:
        print_json(findings)
    else:
        rows = [("ok" if one.ok else "WRONG", one.check, one.message) for one in findings]
        print_table(("", "CHECK", "FINDING"), rows)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(ExitCode.NO)
