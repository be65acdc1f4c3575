"""`portal`: the tenants of the installation."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.installation import run
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from smarthost.app.parts import Parts
    from smarthost.audit.model import Actor
    from smarthost.config import Config
    from smarthost.portals.model import Portal

    Change = Callable[[Parts], Callable[[Portal, Actor], Awaitable[None]]]
    """Finds what changes a portal."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The portal's name, one DNS label.")]


def create(name: Name, *, as_json: AsJson = False) -> None:
    """Create a portal; it is reached at NAME under SMARTHOST_BASE_DOMAIN."""
    portal = run(lambda config, parts: _create(config, parts, name))
    _tell(
        portal,
        f"Created the portal {portal.name}. Next, its administrator:",
        f"  smarthost user create --portal {portal.name} --role administrator EMAIL",
        as_json=as_json,
    )


def list_portals(*, as_json: AsJson = False) -> None:
    """List the portals, by name."""
    from smarthost.cli.rows import portal_row, shown_time

    rows = [portal_row(portal) for portal in run(lambda _, parts: parts.portals.portals())]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NAME", "STATE", "SETTINGS", "SENDERS", "CREATED", "ID"),
        [
            (
                row.name,
                "open" if row.suspended_at is None else "suspended",
                "allowed" if row.settings_allowed else "denied",
                "of the domain" if row.domain_senders_allowed else "the portal's own",
                shown_time(row.created_at),
                row.id,
            )
            for row in rows
        ],
    )


def allow_settings(name: Name, *, as_json: AsJson = False) -> None:
    """Let a portal have SMTP settings of its own, which is how it starts."""
    portal = _changed(name, lambda parts: partial(parts.portals.allow_settings, allowed=True))
    _tell(portal, f"The portal {portal.name} may have SMTP settings of its own.", as_json=as_json)


def deny_settings(name: Name, *, as_json: AsJson = False) -> None:
    """Refuse a portal its SMTP settings: the API answers 402, and what is saved stays."""
    portal = _changed(name, lambda parts: partial(parts.portals.allow_settings, allowed=False))
    told = f"The portal {portal.name} can no longer see or change its SMTP settings."
    _tell(portal, told, as_json=as_json)


def allow_domain_senders(name: Name, *, as_json: AsJson = False) -> None:
    """Let mail of a portal come from every address of its sender's domain."""
    portal = _changed(
        name, lambda parts: partial(parts.portals.allow_domain_senders, allowed=True)
    )
    told = f"Mail of {portal.name} may come from any address of its sender's domain."
    _tell(portal, told, as_json=as_json)


def deny_domain_senders(name: Name, *, as_json: AsJson = False) -> None:
    """Let mail of a portal come from its sender address alone, which is how it starts."""
    portal = _changed(
        name, lambda parts: partial(parts.portals.allow_domain_senders, allowed=False)
    )
    told = f"Mail of {portal.name} may come from its sender address alone."
    _tell(portal, told, as_json=as_json)


def suspend(name: Name, *, as_json: AsJson = False) -> None:
    """Let nobody of a portal in and none of its mail out; all of it is kept.

    A portal that is suspended already is left as it is; the exit code is 4.
    """
    portal = _changed(name, lambda parts: parts.suspensions.suspend)
    _tell(
        portal,
        f"The portal {portal.name} is suspended. Its mail is kept and waits.",
        f"To let it go on: smarthost portal resume {portal.name}",
        as_json=as_json,
    )


def resume(name: Name, *, as_json: AsJson = False) -> None:
    """Let a suspended portal go on where it stood.

    One that is not suspended is left as it is; the exit code is 4.
    """
    portal = _changed(name, lambda parts: parts.suspensions.resume)
    told = f"The portal {portal.name} goes on, and so does its mail."
    _tell(portal, told, as_json=as_json)


async def _create(config: "Config", parts: "Parts", name: str) -> "Portal":
    from smarthost.cli.choices import BY_OPERATOR
    from smarthost.portals.rules import parse_portal_name, refuse_second_portal

    admit = partial(refuse_second_portal, config.base_domain)
    return await parts.portals.create_portal(parse_portal_name(name), BY_OPERATOR, admit)


def _changed(name: str, change: "Change") -> "Portal":
    """Change a portal, and return it as it is then."""

    async def work(_config: "Config", parts: "Parts") -> "Portal":
        from smarthost.cli.choices import BY_OPERATOR, named_portal

        await change(parts)(await named_portal(parts, name), BY_OPERATOR)
        return await named_portal(parts, name)

    return run(work)


def _tell(portal: "Portal", *lines: str, as_json: bool) -> None:
    if as_json:
        from smarthost.cli.rows import portal_row

        print_json(portal_row(portal))
        return
    for line in lines:
        typer.echo(line)
