"""`settings suggest`: what could be right for an e-mail address, and the line to prove it with.

It needs no installation: only the configuration counts, which says where relays may be.
"""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import ExitCode
from smarthost.cli.installation import read_config
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json, print_table, printable

if TYPE_CHECKING:
    from smarthost.relay_check.suggestions.model import Suggestion

Email = Annotated[
    str,
    typer.Argument(
        metavar="EMAIL", help="The address that mail is to be sent from; its domain alone will do."
    ),
]


def suggest(email: Email, *, as_json: AsJson = False) -> None:
    """Suggest settings for an e-mail address, best first.

    Known providers are told at once. Otherwise the domain's records and web servers are asked,
    for 8 seconds at most. Exits with 1 if nothing is found.
    """
    import asyncio

    from smarthost.app.logs import configure_logs
    from smarthost.app.suggesting import suggest as made_of
    from smarthost.clock import SystemClock
    from smarthost.mail.address import parse_address

    alone = "@" not in email
    address = parse_address(f"postmaster@{email}" if alone else email)
    config = read_config()
    configure_logs(config.log_format, "warning")

    async def find() -> "Sequence[Suggestion]":
        suggesting = made_of(config, SystemClock())
        return await suggesting.of(address.domain, None if alone else address.local_part)

    found = asyncio.run(find())
    if as_json:
        from smarthost.web.api.smtp_suggest import suggestion_dto

        print_json([suggestion_dto(one) for one in found])
    else:
        _show(found, None if alone else str(address), address.domain)
    if not found:
        raise typer.Exit(ExitCode.NO)


def _show(found: "Sequence[Suggestion]", sender: str | None, domain: str) -> None:
    if not found:
        typer.echo(
            f"Nothing is known about {domain}. Ask whoever runs its mail for the outgoing mail "
            "server (SMTP): host, port, user name."
        )
        return
    rows = [
        (one.host, str(one.port), _login(one), one.provider or "", one.source, one.confidence)
        for one in found
    ]
    print_table(("HOST", "PORT", "LOG IN", "PROVIDER", "SOURCE", "CONFIDENCE"), rows)
    for one in found:
        typer.echo(f"\n{one.host}, port {one.port}:")
        if one.first is not None:
            typer.echo(f"  First: {printable(one.first)}")
        typer.echo(f"  {printable(_line(one, sender))}")


def _login(one: "Suggestion") -> str:
    if not one.enable_auth:
        return "no"
    return f"as {one.user_name or '?'}" + (" with NTLM" if one.use_ntlm else "")


def _line(one: "Suggestion", sender: str | None) -> str:
    """Return the command that saves it if it works; words in capitals are to be filled in."""
    words = ["smarthost", "settings", "check", "--save"]
    words += ["--host", one.host, "--port", str(one.port)]
    if one.enable_ssl:
        words.append("--ssl")
    words += ["--sender-address", sender or "EMAIL"]
    if one.enable_auth:
        words += ["--user-name", one.user_name or "NAME"]
    if one.use_ntlm:
        words.append("--ntlm")
    return shlex.join(words)
