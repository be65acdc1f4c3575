"""`settings check`: tries settings out, typed or stored, and shows each step as it happens.

It connects by itself, whether a service runs or not, and sends no message.
"""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from smarthost.cli.exit_codes import ExitCode, UsageError
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, PortalName
from smarthost.cli.password_input import PasswordFile, PasswordStdin, given_password
from smarthost.cli.printing import print_json, print_table, printable, table
from smarthost.cli.typed_settings import (
    Auth,
    Host,
    IfRevision,
    Ntlm,
    Port,
    SenderAddress,
    SenderDisplayName,
    Ssl,
    UserName,
    faults_by_option,
    only,
    with_password,
)

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config
    from smarthost.relay_check.model import Checked, StepTold
    from smarthost.smtp_settings.model import SettingsInput

    TellStep = Callable[[StepTold], Awaitable[None]]

Save = Annotated[bool, typer.Option("--save", help="Save the settings if the check has passed.")]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="EMAIL",
        help="On whose behalf it is done: the relay is asked whether it takes mail to them. "
        "[default: the first administrator]",
    ),
]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked, and for whom."""

    typed: "SettingsInput | None"
    save: bool
    if_match: frozenset[int] | None
    portal: str | None
    as_user: str | None


def check(  # noqa: PLR0913 - one option for each field
    *,
    host: Host = None,
    port: Port = None,
    sender_address: SenderAddress = None,
    sender_display_name: SenderDisplayName = None,
    user_name: UserName = None,
    password_file: PasswordFile = None,
    password_stdin: PasswordStdin = False,
    ssl: Ssl = False,
    auth: Auth = None,
    ntlm: Ntlm = False,
    save: Save = False,
    if_revision: IfRevision = None,
    portal: PortalName = None,
    as_user: As = None,
    as_json: AsJson = False,
) -> None:
    """Check SMTP settings before they are saved, or those in force if none are given.

    It goes as far as a message would, up to the recipient, and sends none; it takes at most half
    a minute. Exits with 1 if the check failed, and says why. The settings are given as to `save`.
    """
    from smarthost.smtp_settings.model import SettingsInput

    typed: SettingsInput | None = SettingsInput(
        host=host,
        port=port,
        sender_address=sender_address,
        sender_display_name=sender_display_name,
        user_name=user_name,
        password=given_password(password_file, stdin=password_stdin),
        enable_ssl=ssl,
        enable_auth=bool(user_name) if auth is None else auth,
        use_ntlm=ntlm,
    )
    if typed == SettingsInput():
        typed = None
    if save and typed is None:
        raise UsageError("--save: there is nothing to save. Give the settings with it.")
    with faults_by_option():
        asked = Asked(
            typed=None if typed is None else with_password(typed, portal),
            save=save,
            if_match=only(if_revision),
            portal=portal,
            as_user=as_user,
        )
        run_check(asked, as_json=as_json)


def run_check(asked: Asked, *, as_json: bool) -> None:
    """Check settings, show each step, and exit with 1 if the check failed.

    Raises `InvalidSettingsError`, and what the check's preparation raises.
    """
    import socket

    with _live_table(shown=sys.stdout.isatty() and not as_json) as show:
        checked = run(partial(_check, asked, show), machine_name=socket.getfqdn)
    _print(checked, typed=asked.typed is not None, as_json=as_json)
    if not checked.ok:
        raise typer.Exit(ExitCode.NO)


async def _check(
    asked: Asked, show: "Callable[[StepTold], None]", config: "Config", parts: "Parts"
) -> "Checked":
    from smarthost.cli.choices import acting_user, actor, open_portal

    chosen = await open_portal(config, parts, asked.portal)
    user = await acting_user(parts, chosen, asked.as_user)
    prepared = await parts.check.prepare(
        chosen,
        asked.typed,
        user.email,
        by=await actor(parts, chosen, asked.as_user),
        save_when_proven=asked.save,
        if_match=asked.if_match,
    )

    async def told(step: "StepTold") -> None:
        show(step)

    return await parts.check.run(prepared, told)


@contextmanager
def _live_table(*, shown: bool) -> "Iterator[Callable[[StepTold], None]]":
    """Give what shows a step in a table on the terminal, or nothing at all."""
    if not shown:
        yield lambda _step: None
        return
    from rich.live import Live

    from smarthost.cli.check_words import HEADINGS, cells

    rows: list[tuple[str, str, str, str]] = []
    running = False

    def show(step: "StepTold") -> None:
        nonlocal running
        if running:
            rows.pop()
        running = step.milliseconds is None
        rows.append(cells(step))
        live.update(table(HEADINGS, rows), refresh=True)

    with Live(auto_refresh=False) as live:
        yield show


def _print(checked: "Checked", *, typed: bool, as_json: bool) -> None:
    if as_json:
        from smarthost.web.api.smtp_check_dto import check_dto

        print_json(check_dto(checked))
        return
    from smarthost.cli.check_words import HEADINGS, cells, words

    if not sys.stdout.isatty():
        print_table(HEADINGS, [cells(step) for step in checked.steps])
    typer.echo()
    for line in words(checked, typed=typed):
        typer.echo(printable(line))
