"""`settings import`: takes over what another program's file says, by the rules of `settings save`.

A file holds a password, so it is read from where the shell leads, and nothing of it is ever an
argument. What was recognised and what was left out is said on standard error.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from smarthost.cli.exit_codes import UsageError
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, OnBehalf, PortalName
from smarthost.cli.password_input import (
    STDIN,
    PasswordFile,
    PasswordStdin,
    can_ask,
    given_password,
)
from smarthost.cli.printing import print_json, print_table, printable
from smarthost.cli.settings import save_typed, settings_rows
from smarthost.cli.settings_check import Asked, run_check
from smarthost.cli.typed_settings import (
    IfRevision,
    SenderAddress,
    SenderDisplayName,
    faults_by_option,
    only,
    with_password,
)

if TYPE_CHECKING:
    from smarthost.smtp_settings.importing.model import Given, Imported
    from smarthost.smtp_settings.model import SettingsInput, SmtpSettings

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file; - is standard input.", show_default=False)
]
Ssl = Annotated[
    bool | None,
    typer.Option(help="Require verified TLS, or not. [default: as the file has it]"),
]
Check = Annotated[
    bool, typer.Option("--check", help="Check the settings, and save them only if they work.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be saved, and change nothing.")
]

_NAMES = {
    "host": "host",
    "port": "port",
    "sender_address": "--sender-address",
    "sender_display_name": "--sender-display-name",
    "user_name": "user name",
    "password": "--password-stdin or --password-file",
    "enable_ssl": "--ssl",
    "enable_auth": "login",
    "use_ntlm": "NTLM",
}
"""What a field of `SettingsInput` is called that the file does not have."""


def import_settings(  # noqa: PLR0913 - one option for each thing that a file may lack
    file: File,
    *,
    sender_address: SenderAddress = None,
    sender_display_name: SenderDisplayName = None,
    password_file: PasswordFile = None,
    password_stdin: PasswordStdin = False,
    ssl: Ssl = None,
    check: Check = False,
    dry_run: DryRun = False,
    if_revision: IfRevision = None,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Save the SMTP settings that another program's file has, in place of all that there were.

    It may be a URL smtp://…, a .env file (of Laravel, Symfony, Django, Rails, Discourse, Ghost,
    Gitea and others), or a realm of Keycloak as JSON. What an option gives counts before the file.
    """
    from smarthost.smtp_settings.importing.model import Given

    if check and dry_run:
        raise UsageError("Give --check or --dry-run, not both.")
    if file == STDIN and password_stdin:
        raise UsageError("Standard input is the file already: give --password-file.")
    given = Given(
        sender_address=sender_address,
        sender_display_name=sender_display_name,
        password=given_password(password_file, stdin=password_stdin),
        enable_ssl=ssl,
    )
    imported = _imported(_content(file), given)
    _tell(imported)
    with faults_by_option(_names(imported.places, given)):
        settings = _but_for_the_password(imported)
        if not as_json:
            print_table(("SETTING", "VALUE"), settings_rows(settings, _password(imported.typed)))
        elif dry_run:
            _print_settings(settings)
        if dry_run:
            return
        typed = with_password(imported.typed, portal)
        match = only(if_revision)
        if check:
            run_check(
                Asked(typed=typed, save=True, if_match=match, portal=portal, as_user=as_user),
                as_json=as_json,
            )
            return
        revision, _, answer = run(partial(save_typed, typed, portal, as_user, match))
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"Saved as revision {revision.number}.")


def _imported(content: bytes, given: "Given") -> "Imported":
    from smarthost.smtp_settings.importing.model import NotImportableError
    from smarthost.smtp_settings.importing.reading import read_settings

    try:
        return read_settings(content, given)
    except NotImportableError as error:
        raise UsageError("\n".join(map(printable, error.faults))) from None


def _tell(imported: "Imported") -> None:
    typer.echo(f"This is {imported.recognised}.", err=True)
    for note in imported.notes:
        typer.echo(f"- {printable(note)}", err=True)


def _password(typed: "SettingsInput") -> str:
    if not typed.enable_auth:
        return ""
    return "known" if typed.password else "not known"


def _names(places: Mapping[str, str], given: "Given") -> dict[str, str]:
    """Return what each field is called in a fault: where the file has it, or the option."""
    typed = {name for name in given.__struct_fields__ if getattr(given, name) is not None}
    return {
        field: name if field in typed else places.get(field, name)
        for field, name in _NAMES.items()
    }


def _but_for_the_password(imported: "Imported") -> "SmtpSettings":
    """Return the settings as they would be saved. Raises `InvalidSettingsError`.

    Whether a password that the file does not have is needed is asked later.
    """
    from smarthost.smtp_settings.rules import check

    return check(imported.typed, None, unread=frozenset({"password"})).settings


def _print_settings(settings: "SmtpSettings") -> None:
    from smarthost.web.api.smtp_settings_dto import values_dto

    print_json(values_dto(settings, is_default=False))


def _content(file: Path) -> bytes:
    if file == STDIN:
        if can_ask():
            raise UsageError(
                "FILE: standard input is a terminal, which would show the password. Pipe it in, "
                "or name a file."
            )
        return _bounded(sys.stdin.buffer)
    try:
        with file.open("rb") as opened:
            return _bounded(opened)
    except OSError as error:
        # What was typed is not repeated: it may be the URL itself, with its password.
        raise UsageError(
            f"FILE: the file cannot be read: {error.strerror}. A URL is not typed here, where "
            "every user of the machine can read its password; put it into a file or pipe it in."
        ) from error


def _bounded(source: BinaryIO) -> bytes:
    """Read as much as is ever looked at, and one octet more to show that it is too much."""
    from smarthost.smtp_settings.importing.reading import LARGEST_REALM

    return source.read(LARGEST_REALM + 1)
