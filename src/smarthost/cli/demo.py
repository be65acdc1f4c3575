"""`demo`: something to try in a minute that leaves nothing behind.

What is caught is anybody's text, so each line of it is made printable. Key and link are shown
wherever the output goes: they end with the demo.
"""

import json
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import ExitCode
from smarthost.cli.installation import read_config
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json, printable
from smarthost.cli.sign_in_link import HOW_LONG

if TYPE_CHECKING:
    from smarthost.demo.catching_relay import Login
    from smarthost.demo.caught import CaughtMessage
    from smarthost.demo.run import Audience, Scene

_USER_NAME = "demo"
_WRONG_PASSWORD = "not-it"  # noqa: S105 - said to be wrong

Once = Annotated[bool, typer.Option("--once", help="End when the first test message has arrived.")]


def demo(*, once: Once = False, as_json: AsJson = False) -> None:
    """Try Smarthost with a mail server that catches everything.

    Runs until Ctrl-C in a folder that is then removed; nothing leaves this machine. The ports are
    those of SMARTHOST_HTTP_LISTEN and SMARTHOST_SUBMISSION_LISTEN, or free ones. With --once it
    exits with 1 if the test failed.
    """
    import secrets
    import signal
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import uvloop

    from smarthost.app.logs import configure_logs
    from smarthost.clock import SystemClock
    from smarthost.demo.catching_relay import Login
    from smarthost.demo.run import demo_config, demonstrate
    from smarthost.secret import Secret

    own = read_config()
    configure_logs(own.log_format, "warning")
    login = Login(_USER_NAME, Secret(secrets.token_hex(4)))
    # Until the service takes it: the folder is removed before this process ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with TemporaryDirectory(prefix="smarthost-demo-") as folder:
        audience: Audience = _Json() if as_json else _Words(login, folder, once=once)
        smtp_port = own.submission_listen.port if own.submission_listen else 0
        config = demo_config(Path(folder), own.http_listen.port, smtp_port)
        taken = uvloop.run(demonstrate(config, login, audience, SystemClock(), once=once))
    if once and not taken:
        raise typer.Exit(ExitCode.NO)


class _Json:
    """One line of JSON for what was set up, and one for each message."""

    def ready(self, scene: "Scene") -> None:
        print_json(
            {
                "portal": scene.portal,
                "url": scene.url,
                "adminEmail": scene.administrator,
                "key": scene.key.reveal(),
                "smtp": scene.smtp,
                "signIn": scene.sign_in.reveal(),
            }
        )

    def caught(self, message: "CaughtMessage") -> None:
        print_json(message)

    def tested(self, error: str) -> None:
        if error:
            typer.echo(f"smarthost: {error}", err=True)


class _Words:
    """Words for people, and lines to copy."""

    def __init__(self, login: "Login", folder: str, *, once: bool) -> None:
        self._login = login
        self._folder = folder
        self._once = once
        self._scene: Scene | None = None

    def ready(self, scene: "Scene") -> None:
        self._scene = scene
        typer.echo(f"Smarthost is at {scene.url}")
        typer.echo(f"  portal:        {scene.portal}")
        typer.echo(f"  administrator: {scene.administrator}")
        typer.echo(f"  API key:       {scene.key.reveal()}")
        typer.echo(f"  SMTP:          {scene.smtp}, any user name, password: the API key")
        typer.echo(f"  mail server:   127.0.0.1, port {scene.relay_port}; it catches everything")
        typer.echo(f"Open the administrator's page: {scene.sign_in.reveal()}")
        typer.echo(f"  ({HOW_LONG})")
        typer.echo("Sending a test message.")

    def caught(self, message: "CaughtMessage") -> None:
        typer.echo("\nCaught a message:")
        typer.echo(f"  From:    {printable(message.sender)}")
        typer.echo(f"  To:      {printable(', '.join(message.recipients))}")
        typer.echo(f"  Subject: {printable(message.subject)}")
        for line in message.text.rstrip("\n").split("\n"):
            typer.echo(f"  | {printable(line)}".rstrip())

    def tested(self, error: str) -> None:
        typer.echo(f"\n{printable(error) or 'The mail server has taken the test message.'}")
        if self._scene is not None and not self._once:
            self._say_what_next(self._scene)

    def _say_what_next(self, scene: "Scene") -> None:
        from smarthost.demo.run import relay_settings
        from smarthost.demo.visitor import SETTINGS

        right = relay_settings(self._login, scene.relay_port)
        wrong = {**right, "credentialsUserPassword": _WRONG_PASSWORD}
        test = ('curl -H "$KEY" $SMTP/test', 'curl -H "$KEY" $SMTP/test/status')
        typer.echo("\nTo try next, in another terminal:")
        _lines(
            f"KEY='Authorization: Bearer {scene.key.reveal()}'",
            f"SMTP={scene.url}{SETTINGS}",
        )
        typer.echo("Start a test message, and watch it:")
        _lines(*test)
        typer.echo("Save a wrong password, and read what the next test says:")
        _lines(_save(wrong), *test)
        typer.echo("Put it right again:")
        _lines(_save(right), *test)
        typer.echo(
            "The same from the command line, a message of your own, and another link to the page:"
        )
        _lines(
            f"export SMARTHOST_DATA_DIR={shlex.quote(self._folder)}",
            "smarthost settings test",
            "smarthost send --subject Hello --text 'It works.' --wait anna@example.org",
            "smarthost queue",
            f"smarthost user link {scene.administrator} --url {scene.url}",
        )
        typer.echo("Ctrl-C ends the demo and removes all of it.")


def _lines(*lines: str) -> None:
    for line in lines:
        typer.echo(f"  {line}")


def _save(settings: dict[str, str | int | bool]) -> str:
    body = shlex.quote(json.dumps(settings))
    return f'curl -H "$KEY" -H "Content-Type: application/json" -d {body} $SMTP'
