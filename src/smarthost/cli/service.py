"""`serve` and `init`: the installation's start, and its first start."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import UsageError
from smarthost.cli.failure import tell_failure
from smarthost.cli.first_key import refuse_left_over_key, show_first_start, show_submission
from smarthost.cli.installation import read_config, run
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json
from smarthost.cli.sign_in_link import show_sign_in

if TYPE_CHECKING:
    from smarthost.app.first_start import FirstStart
    from smarthost.app.parts import Parts
    from smarthost.app.serve import Serving
    from smarthost.app.sign_in_offer import SignInOffer
    from smarthost.config import Config


def serve(
    *,
    roles: Annotated[
        str,
        typer.Option(
            metavar="ROLE,…",
            help="What this process does: http, submission, delivery.",
        ),
    ] = "http,submission,delivery",
    processes: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=64, help="How many processes of this machine serve together."
        ),
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    With SMARTHOST_ADMIN_EMAIL set, an empty data directory gets its first portal, administrator
    and key. Addresses go to standard output, logs to standard error. Several processes share the
    addresses, and each that dies is started again. Without the role http, its address has
    /healthz, /readyz and /metrics only.
    """
    import socket

    import uvloop
    from msgspec import to_builtins

    from smarthost.app.logs import configure_logs
    from smarthost.app.processes.serving import serve_together
    from smarthost.app.roles import Role, parse_roles
    from smarthost.app.serve import serve as serve_installation
    from smarthost.app.service_manager import manager_of

    does = parse_roles(roles)
    config = read_config(socket.getfqdn)
    configure_logs(config.log_format, config.log_level)
    if config.admin_email is not None and not _has_database(config) and not as_json:
        refuse_left_over_key(config)

    def announce(
        serving: "Serving", first: "FirstStart | None", offer: "SignInOffer | None"
    ) -> None:
        if as_json:
            made = {} if first is None else _made(first, serving.url)
            print_json(made | to_builtins(serving))
            return
        if Role.HTTP in does:
            typer.echo(f"Smarthost is at {serving.url}")
        else:
            typer.echo(f"Smarthost runs. {serving.url} has /healthz, /readyz and /metrics only.")
        show_submission(serving)
        if first is None and Role.HTTP in does:
            typer.echo("For a key: smarthost key create --name NAME --permission '*'")
        elif first is not None:
            show_first_start(config, first, serving.url)
        show_sign_in(config, offer)

    manager = manager_of(os.environ, os.getpid())
    make_link = sys.stdout.isatty() and not as_json
    if processes == 1:
        serving = serve_installation(config, announce, manager, make_link=make_link, roles=does)
        uvloop.run(serving)
        return
    serve_together(
        config,
        does,
        processes,
        announce,
        manager,
        make_link=make_link,
        run=uvloop.run,
        failed=tell_failure,
    )


def init(
    *,
    admin_email: Annotated[
        str | None,
        typer.Option(
            metavar="EMAIL", help="The first administrator. [default: SMARTHOST_ADMIN_EMAIL]"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the first portal, its administrator and a key.

    Run again it changes nothing and exits with 4.
    """
    from smarthost.mail.address import parse_address

    config = read_config()
    email = admin_email or config.admin_email
    if email is None:
        raise UsageError("Say who the administrator is: smarthost init --admin-email EMAIL")
    address = str(parse_address(email))
    if not _has_database(config) and not as_json:
        refuse_left_over_key(config)
    make_link = sys.stdout.isatty() and not as_json
    first, url, offer = run(
        lambda config, parts: _initialise(config, parts, address, make_link=make_link), create=True
    )
    if as_json:
        print_json(_made(first, url))
        return
    show_first_start(config, first, url)
    show_sign_in(config, offer)
    typer.echo("All of it works once the service runs: smarthost serve")


async def _initialise(
    config: "Config", parts: "Parts", email: str, *, make_link: bool
) -> "tuple[FirstStart, str, SignInOffer | None]":
    from smarthost.app.first_start import initialise
    from smarthost.app.serve import service_url
    from smarthost.app.sign_in_offer import offer_sign_in

    first = await initialise(parts, email)
    url = service_url(config, first.portal, config.http_listen.port)
    return first, url, await offer_sign_in(parts, first.portal, url, make_link=make_link)


def _has_database(config: "Config") -> bool:
    # Not `Path.exists`, which raises where a folder is closed; opening the store tells that.
    return config.database_url is not None or os.path.exists(config.database_file)  # noqa: PTH110


def _made(first: "FirstStart", url: str) -> dict[str, str]:
    return {
        "portal": first.portal.name,
        "url": url,
        "adminEmail": first.administrator.email,
        "key": first.key.reveal(),
    }
