"""SMTP settings as they are typed on the command line: the options, and what is wrong with them.

`settings save` and `settings check` take the same ones, so that a line which was checked is saved
by changing one word.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import UsageError
from smarthost.cli.installation import run
from smarthost.cli.password_input import ask_password, can_ask

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config
    from smarthost.smtp_settings.model import SettingsInput, SmtpSettings

Host = Annotated[
    str | None, typer.Option(metavar="HOST", help="The relay's host name or address.")
]
Port = Annotated[int | None, typer.Option(metavar="PORT", help="1 to 65535. [default: 25]")]
SenderAddress = Annotated[
    str | None, typer.Option(metavar="EMAIL", help="The address that mail is sent from.")
]
SenderDisplayName = Annotated[
    str | None, typer.Option(metavar="NAME", help="The name beside that address.")
]
UserName = Annotated[str | None, typer.Option(metavar="NAME", help="The login at the relay.")]
Ssl = Annotated[
    bool,
    typer.Option(help="Send over verified TLS or not at all. Ports 465 and 2465 begin with it."),
]
Auth = Annotated[bool | None, typer.Option(help="Log in. [default: if there is a --user-name]")]
Ntlm = Annotated[bool, typer.Option(help="Log in with NTLM and nothing else.")]
IfRevision = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Only if revision N is in force, as `settings show` tells; else exit 4."
    ),
]

_OPTIONS = MappingProxyType(
    {
        "host": "--host",
        "port": "--port",
        "sender_address": "--sender-address",
        "sender_display_name": "--sender-display-name",
        "user_name": "--user-name",
        "password": "--password-stdin or --password-file",
        "enable_ssl": "--ssl",
        "enable_auth": "--auth",
        "use_ntlm": "--ntlm",
    }
)
"""The fields of `SettingsInput` by the options that give them."""


def with_password(typed: "SettingsInput", portal: str | None) -> "SettingsInput":
    """Ask for a password that is missing, if there is anybody to ask.

    Raises `InvalidSettingsError` where something else is wrong.
    """
    if not typed.enable_auth or typed.password is not None or not can_ask():
        return typed
    import msgspec

    from smarthost.smtp_settings.model import InvalidSettingsError
    from smarthost.smtp_settings.rules import check

    whose = f"Password of {typed.user_name} at {typed.host}"
    prompt = f"{whose} (empty: the stored one stays)"
    try:
        check(typed, _in_force(portal))
    except InvalidSettingsError as error:
        if set(error.faults) != {"password"}:
            raise
        prompt = whose
    return msgspec.structs.replace(typed, password=ask_password(prompt))


def only(revision: int | None) -> frozenset[int] | None:
    """Return the revisions that `--if-revision` allows, None for any."""
    return None if revision is None else frozenset({revision})


@contextmanager
def faults_by_option(options: Mapping[str, str] = _OPTIONS) -> Iterator[None]:
    """Turn faults of the settings into a `UsageError` that names what gave them.

    `options` has a name for each field of `SettingsInput`.
    """
    from smarthost.smtp_settings.model import InvalidSettingsError

    try:
        yield
    except InvalidSettingsError as error:
        lines = (
            f"{options[field]}: {' '.join(messages)}" for field, messages in error.faults.items()
        )
        raise UsageError("\n".join(lines)) from None


def _in_force(portal: str | None) -> "SmtpSettings | None":
    async def work(config: "Config", parts: "Parts") -> "SmtpSettings | None":
        from smarthost.cli.choices import chosen_portal

        chosen = await chosen_portal(config, parts, portal)
        return (await parts.settings.current(chosen.id)).settings

    return run(work)
