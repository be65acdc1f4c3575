"""`portal`: the tenants of the installation."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.installation import run
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config
    from smarthost.portals.model import Portal

Name = Annotated[str, typer.Argument(metavar="NAME", help="The portal's name, one DNS label.")]


def create(name: Name, *, as_json: AsJson = False) -> None:
    """Create a portal; it is reached at NAME under SMARTHOST_BASE_DOMAIN."""
    portal = run(lambda config, parts: _create(config, parts, name))
    if as_json:
        _print_json(portal)
        return
    typer.echo(f"Created the portal {portal.name}. Next, its administrator:")
    typer.echo(f"  smarthost user create --portal {portal.name} --role administrator EMAIL")


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
    portal = run(lambda _, parts: _switch_settings(parts, name, allowed=True))
    if as_json:
        _print_json(portal)
    else:
        typer.echo(f"The portal {portal.name} may have SMTP settings of its own.")


def deny_settings(name: Name, *, as_json: AsJson = False) -> None:
    """Refuse a portal its SMTP settings: the API answers 402, and what is saved stays."""
    portal = run(lambda _, parts: _switch_settings(parts, name, allowed=False))
    if as_json:
        _print_json(portal)
    else:
        typer.echo(f"The portal {portal.name} can no longer see or change its SMTP settings.")


def allow_domain_senders(name: Name, *, as_json: AsJson = False) -> None:
    """Let mail of a portal come from every address of its sender's domain."""
    portal = run(lambda _, parts: _switch_domain_senders(parts, name, allowed=True))
    if as_json:
        _print_json(portal)
    else:
        typer.echo(f"Mail of {portal.name} may come from any address of its sender's domain.")


def deny_domain_senders(name: Name, *, as_json: AsJson = False) -> None:
    """Let mail of a portal come from its sender address alone, which is how it starts."""
    portal = run(lambda _, parts: _switch_domain_senders(parts, name, allowed=False))
    if as_json:
        _print_json(portal)
    else:
        typer.echo(f"Mail of {portal.name} may come from its sender address alone.")


def suspend(name: Name, *, as_json: AsJson = False) -> None:
    """Let nobody of a portal in and none of its mail out; all of it is kept.

    A portal that is suspended already is left as it is; the exit code is 4.
    """
    portal = run(lambda _, parts: _suspend(parts, name))
    if as_json:
        _print_json(portal)
        return
    typer.echo(f"The portal {portal.name} is suspended. Its mail is kept and waits.")
    typer.echo(f"To let it go on: smarthost portal resume {portal.name}")


def resume(name: Name, *, as_json: AsJson = False) -> None:
    """Let a suspended portal go on where it stood.

    One that is not suspended is left as it is; the exit code is 4.
    """
    portal = run(lambda _, parts: _resume(parts, name))
    if as_json:
        _print_json(portal)
    else:
        typer.echo(f"The portal {portal.name} goes on, and so does its mail.")


async def _create(config: "Config", parts: "Parts", name: str) -> "Portal":
    from smarthost.cli.choices import BY_OPERATOR
    from smarthost.portals.rules import parse_portal_name, refuse_second_portal

    admit = partial(refuse_second_portal, config.base_domain)
    return await parts.portals.create_portal(parse_portal_name(name), BY_OPERATOR, admit)


async def _switch_settings(parts: "Parts", name: str, *, allowed: bool) -> "Portal":
    from smarthost.cli.choices import BY_OPERATOR, named_portal

    portal = await named_portal(parts, name)
    await parts.portals.allow_settings(portal, BY_OPERATOR, allowed=allowed)
    return await named_portal(parts, name)


async def _switch_domain_senders(parts: "Parts", name: str, *, allowed: bool) -> "Portal":
    from smarthost.cli.choices import BY_OPERATOR, named_portal

    portal = await named_portal(parts, name)
    await parts.portals.allow_domain_senders(portal, BY_OPERATOR, allowed=allowed)
    return await named_portal(parts, name)


async def _suspend(parts: "Parts", name: str) -> "Portal":
    from smarthost.cli.choices import BY_OPERATOR, named_portal

    await parts.suspensions.suspend(await named_portal(parts, name), BY_OPERATOR)
    return await named_portal(parts, name)


async def _resume(parts: "Parts", name: str) -> "Portal":
    from smarthost.cli.choices import BY_OPERATOR, named_portal

    await parts.suspensions.resume(await named_portal(parts, name), BY_OPERATOR)
    return await named_portal(parts, name)


def _print_json(portal: "Portal") -> None:
    from smarthost.cli.rows import portal_row

    print_json(portal_row(portal))
