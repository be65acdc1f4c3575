"""Puts the commands together into the program that is called `smarthost`.

The examples stand here, beside each other, so that they are written alike.
"""

from collections.abc import Callable
from typing import Annotated

import typer

from smarthost import __version__
from smarthost.cli import (
    audit,
    database,
    database_copy,
    demo,
    doctor,
    key,
    keyring,
    message_changes,
    messages,
    portal,
    queue_view,
    send,
    service,
    settings,
    settings_check,
    settings_history,
    settings_import,
    settings_oauth2,
    settings_oauth2_authorize,
    settings_suggest,
    settings_test,
    user,
)
from smarthost.cli.exit_codes import MEANINGS

Command = tuple[str, Callable[..., None], tuple[str, ...]]
"""A name, what it runs, and examples of what comes behind the name."""

_WITH_LOGIN = (
    "--host mail.example.com --port 587 --ssl --sender-address notify@example.com "
    "--user-name notify --password-file password.txt"
)
_AS_APPLICATION = (
    "--grant client_credentials --tenant contoso.onmicrosoft.com --client-id ID "
    "--client-secret-file secret.txt --user-name notify@contoso.com"
)
_MESSAGE = "01a20468-4c81-7568-b9c7-f3a45b943b40"

COMMANDS: tuple[Command, ...] = (
    ("serve", service.serve, ("", "--json")),
    ("init", service.init, ("--admin-email admin@example.com", "--json")),
    ("doctor", doctor.doctor, ("", "--json")),
    ("demo", demo.demo, ("", "--once")),
    (
        "send",
        send.send,
        (
            "--subject Report --attach report.pdf anna@example.org < report.txt",
            "--subject Hello --text 'It works.' --wait anna@example.org",
            "-t -i < message.eml",
        ),
    ),
    ("queue", queue_view.queue, ("", "--once", "--json")),
)
# A group within another one has the other's name before its own, and stands behind it.
GROUPS: tuple[tuple[str, str, tuple[Command, ...]], ...] = (
    (
        "portal",
        "Portals, the tenants of the installation.",
        (
            ("create", portal.create, ("acme",)),
            ("list", portal.list_portals, ("",)),
            ("allow-settings", portal.allow_settings, ("acme",)),
            ("deny-settings", portal.deny_settings, ("acme",)),
            ("allow-domain-senders", portal.allow_domain_senders, ("acme",)),
            ("deny-domain-senders", portal.deny_domain_senders, ("acme",)),
            ("suspend", portal.suspend, ("acme",)),
            ("resume", portal.resume, ("acme",)),
        ),
    ),
    (
        "user",
        "The people and applications of a portal.",
        (
            (
                "create",
                user.create,
                (
                    "shop@example.com",
                    "anna@example.com --role administrator --ask-password",
                    "anna@example.com --password-stdin < password.txt",
                ),
            ),
            ("list", user.list_users, ("", "--portal acme")),
            (
                "password",
                user.set_password,
                ("anna@example.com", "anna@example.com --password-file password.txt"),
            ),
            (
                "link",
                user.link,
                ("anna@example.com", "anna@example.com --url https://mail.example.com --json"),
            ),
            ("remove", user.remove, ("shop@example.com",)),
        ),
    ),
    (
        "key",
        "The API keys of a portal's users.",
        (
            (
                "create",
                key.create,
                (
                    "--name admin --permission '*'",
                    "--name shop --permission send --expires-in-days 90 --as shop@example.com",
                ),
            ),
            ("list", key.list_keys, ("", "--json")),
            ("revoke", key.revoke, ("01a20468-4c81-7568-b9c7-f3a45b943b40",)),
        ),
    ),
    (
        "settings",
        "A portal's SMTP settings.",
        (
            ("show", settings.show, ("", "--json")),
            (
                "save",
                settings.save,
                (
                    "--host 192.0.2.25 --sender-address notify@example.com",
                    _WITH_LOGIN,
                ),
            ),
            ("reset", settings.reset, ("", "--if-revision 3")),
            (
                "suggest",
                settings_suggest.suggest,
                ("anna@gmail.com", "anna@example.com --json"),
            ),
            (
                "check",
                settings_check.check,
                ("", f"{_WITH_LOGIN} --save", "--json"),
            ),
            (
                "import",
                settings_import.import_settings,
                (".env --check", "realm-export.json --dry-run", "- --json < smtp-url.txt"),
            ),
            ("history", settings_history.history, ("", "--limit 100 --json")),
            ("restore", settings_history.restore, ("3", "3 --if-revision 5")),
            ("test", settings_test.send_test, ("", "--as anna@example.com", "--json")),
        ),
    ),
    (
        "settings oauth2",
        "OAuth2 in place of a password.",
        (
            ("show", settings_oauth2.show, ("", "--json")),
            (
                "set",
                settings_oauth2.bind,
                (
                    _AS_APPLICATION,
                    "--grant service_account --service-account-file key.json --user-name a@b.test",
                ),
            ),
            ("remove", settings_oauth2.remove, ("", "--if-revision 3")),
            (
                "authorize",
                settings_oauth2_authorize.authorize,
                ("", "--url https://mail.example.com --json"),
            ),
        ),
    ),
    (
        "messages",
        "Messages that were accepted, and what became of them.",
        (
            (
                "list",
                messages.list_messages,
                ("", "--state failed --since '1 day ago'", "--to anna@example.org --json"),
            ),
            ("show", messages.show, (_MESSAGE,)),
            ("retry", message_changes.retry, (_MESSAGE, "--all")),
            ("cancel", message_changes.cancel, (_MESSAGE, "--all", "--restored")),
            ("release", message_changes.release, (_MESSAGE, "--all", "--restored")),
        ),
    ),
    (
        "keyring",
        "The keys that stored passwords are sealed with.",
        (("rotate", keyring.rotate, ("", "--json")),),
    ),
    (
        "database",
        "The database as a whole: back-ups, its form, and the way to PostgreSQL.",
        (
            ("backup", database.backup, ("/var/backups/smarthost.db", "night.db --json")),
            ("restore", database.restore, ("/var/backups/smarthost.db",)),
            ("upgrade", database.upgrade, ("",)),
            (
                "copy",
                database_copy.copy,
                ("--to-file url.txt", "--to postgresql:///smarthost --json"),
            ),
        ),
    ),
    (
        "audit",
        "What was done, by whom, and from where.",
        (
            (
                "list",
                audit.list_events,
                ("", "--since '1 day ago' --by operator", "--action key.created --json"),
            ),
            (
                "export",
                audit.export,
                (f"--after {_MESSAGE} >> audit.jsonl", "--format csv --output audit.csv"),
            ),
        ),
    ),
)


def make_program() -> typer.Typer:
    """Return the program."""
    program = _group("\n".join(["\b", "Exit codes:", *_exit_codes()]))
    program.callback()(_about)
    _add(program, COMMANDS, "smarthost")
    groups = {"": program}
    for name, what, commands in GROUPS:
        above, _, last = name.rpartition(" ")
        group = groups[name] = _group()
        _add(group, commands, f"smarthost {name}")
        groups[above].add_typer(group, name=last, help=what)
    return program


def _group(epilog: str | None = None) -> typer.Typer:
    # Plain help looks the same on a terminal and in a pipe, and comes three times as fast.
    return typer.Typer(
        epilog=epilog,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _exit_codes() -> list[str]:
    return [f"  {code.value}  {meaning}" for code, meaning in MEANINGS.items()]


def _add(group: typer.Typer, commands: tuple[Command, ...], prefix: str) -> None:
    for name, run, examples in commands:
        lines = [f"  {prefix} {name} {example}".rstrip() for example in examples]
        # The mark keeps the lines as they are.
        group.command(name, epilog="\n".join(["\b", "Examples:", *lines]))(run)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"smarthost {__version__}")
        raise typer.Exit


def _about(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Keep each portal's mail settings, and send its mail through them.

    Settings of the program itself come from SMARTHOST_… variables and smarthost.toml.
    """
