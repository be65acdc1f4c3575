"""`settings`: a portal's SMTP settings, by the rules of the API.

`save` takes the whole of the settings, as the API's POST does: the same line typed again gives
the same settings, whatever was there before.
"""

from functools import partial
from typing import TYPE_CHECKING

import typer

from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, OnBehalf, PortalName
from smarthost.cli.password_input import PasswordFile, PasswordStdin, given_password
from smarthost.cli.printing import print_json, print_table
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
    from smarthost.smtp_settings.model import Revision, SettingsInput, SmtpSettings
    from smarthost.web.api.smtp_settings_dto import SmtpSettingsDto

    Shown = tuple[Revision, SmtpSettings | None, SmtpSettingsDto]
    """A revision, the default relay, and what the portal itself may see of the two."""


def show(*, portal: PortalName = None, as_json: AsJson = False) -> None:
    """Show the settings in force; the password is never shown."""
    print_shown(run(partial(_current, portal)), as_json=as_json)


def save(  # noqa: PLR0913 - one option for each field
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
    if_revision: IfRevision = None,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Save SMTP settings in place of all that there were.

    No connection is made; the next message uses them. What is not given is not kept, but for
    the password: without one, the stored one stays if host, port, TLS, NTLM and user name are
    the same. On a terminal it is asked for.
    """
    from smarthost.smtp_settings.model import SettingsInput

    typed = SettingsInput(
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
    with faults_by_option():
        typed = with_password(typed, portal)
        saved = run(partial(save_typed, typed, portal, as_user, only(if_revision)))
    print_shown(saved, as_json=as_json)


def reset(
    *,
    if_revision: IfRevision = None,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the installation's default relay, or to none."""

    async def work(config: "Config", parts: "Parts") -> "Shown":
        from smarthost.cli.choices import actor, chosen_portal

        chosen = await chosen_portal(config, parts, portal)
        by = await actor(parts, chosen, as_user)
        revision = await parts.settings.reset(chosen.id, by, only(if_revision))
        return shown(revision, config, parts)

    print_shown(run(work), as_json=as_json)


async def _current(portal: str | None, config: "Config", parts: "Parts") -> "Shown":
    from smarthost.cli.choices import chosen_portal

    chosen = await chosen_portal(config, parts, portal)
    return shown(await parts.settings.current(chosen.id), config, parts)


async def save_typed(
    typed: "SettingsInput",
    portal: str | None,
    as_user: str | None,
    if_match: frozenset[int] | None,
    config: "Config",
    parts: "Parts",
) -> "Shown":
    """Save settings by the rules of the API, and return what is in force then.

    Raises `InvalidSettingsError`, `RevisionConflictError`, and what finding the portal and the
    user raises.
    """
    from smarthost.cli.choices import actor, chosen_portal
    from smarthost.smtp_settings.rules import check

    chosen = await chosen_portal(config, parts, portal)
    by = await actor(parts, chosen, as_user)
    in_force = await parts.settings.current(chosen.id)
    draft = check(typed, in_force.settings)
    change = await parts.settings.put(chosen.id, draft, by, if_match)
    if change.ends_oauth2:
        typer.echo("The OAuth2 sign-in has ended.", err=True)
    return shown(change.after, config, parts)


def shown(revision: "Revision", config: "Config", parts: "Parts") -> "Shown":
    """Return a revision with what there is to show of it."""
    from smarthost.app.relays import shown_default_relay
    from smarthost.web.api.smtp_settings_dto import settings_dto

    answer = settings_dto(revision, shown_default_relay(config))
    return revision, parts.default_relay, answer


def print_shown(what: "Shown", *, as_json: bool) -> None:
    """Print settings for people, or as the API answers them."""
    revision, default, answer = what
    if as_json:
        print_json(answer)
    else:
        print_table(("SETTING", "VALUE"), _rows(revision, revision.settings or default))


def _rows(revision: "Revision", settings: "SmtpSettings | None") -> list[tuple[str, str]]:
    from smarthost.cli.rows import shown_time
    from smarthost.clock import moment

    rows = [("revision", str(revision.number))]
    if revision.number:
        rows.append(("saved", f"{shown_time(moment(revision.saved_at))} by {revision.saved_by}"))
    if revision.settings is None:
        rows.append(("in force", "the installation's default relay" if settings else "nothing"))
    if settings is None:
        return rows
    password = revision.sealed_password is not None and settings.oauth2 is None
    return [*rows, *settings_rows(settings, "stored" if password else "")]


def settings_rows(settings: "SmtpSettings", password: str) -> list[tuple[str, str]]:
    """Return the rows of a table of settings; `password` is what there is to say of it."""
    return [
        ("host", settings.host),
        ("port", str(settings.port)),
        ("sender address", settings.sender_address),
        ("sender display name", settings.sender_display_name or ""),
        ("TLS", "required" if settings.enable_ssl else "when offered"),
        ("log in", _login(settings)),
        ("password", password),
    ]


def _login(settings: "SmtpSettings") -> str:
    if not settings.enable_auth:
        return "no"
    if settings.oauth2 is not None:
        return f"as {settings.user_name} with OAuth2"
    return f"as {settings.user_name}" + (" with NTLM" if settings.use_ntlm else "")
