"""`settings test`: sends the test message and follows it to its end.

It goes through the queue, as the API's does. A running service delivers it; where there is none,
this command does so itself, since it waits for the same lock.
"""

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import ExitCode
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, PortalName
from smarthost.cli.printing import print_json, printable
from smarthost.cli.progress_bar import Show, delivering, progress_bar

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config
    from smarthost.relay_check.model import TrialState

_LOOK_SECONDS = 0.2

As = Annotated[
    str | None,
    typer.Option("--as", metavar="EMAIL", help="Who gets it. [default: the first administrator]"),
]


def send_test(*, portal: PortalName = None, as_user: As = None, as_json: AsJson = False) -> None:
    """Send a test message through the settings in force.

    It takes at most 40 seconds. Exits with 1 if the message was not taken, and says why.
    """
    import socket

    with progress_bar(shown=sys.stdout.isatty() and not as_json) as show:
        to, state = run(partial(_test, portal, as_user, show), machine_name=socket.getfqdn)
    if as_json:
        from smarthost.web.api.smtp_test import operation_dto

        print_json(operation_dto(state))
    else:
        typer.echo(printable(state.error or f"The test message to {to} was taken."))
    if state.error:
        raise typer.Exit(ExitCode.NO)


async def _test(
    portal: str | None, as_user: str | None, show: Show, config: "Config", parts: "Parts"
) -> "tuple[str, TrialState]":
    """Return whom the message went to, and the state in which the test ended."""
    from smarthost.audit.model import OPERATOR, Actor
    from smarthost.cli.choices import acting_user, open_portal

    chosen = await open_portal(config, parts, portal)
    user = await acting_user(parts, chosen, as_user)
    async with delivering(parts):
        state = await parts.trial.start(chosen, user.email, Actor(name=OPERATOR))
        show(state.percents, state.status)
        while not state.completed:  # 40 seconds at most: then a test reads as completed
            await parts.clock.sleep(_LOOK_SECONDS)
            state = await parts.trial.status(chosen.id) or state
            show(state.percents, state.status)
    return user.email, state
