"""`key`: the API keys of a portal's users."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import UsageError
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, PortalName
from smarthost.cli.printing import print_json, print_table
from smarthost.portals.model import Permission

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config
    from smarthost.web.api.keys import ApiKeyResponseDto, CreateApiKeyRequestDto

_OPTIONS = {"name": "--name", "permissions": "--permission", "expiresInDays": "--expires-in-days"}


def create(
    *,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What the key is for, at most 30 characters.")
    ],
    permission: Annotated[
        list[Permission],
        typer.Option(
            metavar="read|write|send|*",
            help="What it may be used for, '*' for all. May be given several times.",
        ),
    ],
    expires_in_days: Annotated[
        int | None, typer.Option(metavar="DAYS", help="1 to 365. [default: it never expires]")
    ] = None,
    portal: PortalName = None,
    as_user: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="EMAIL",
            help="Whose key it is. [default: the portal's first administrator]",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and show it this once.

    The key acts as its user. Where the output is no terminal, the key alone is printed.
    """
    asked = _checked(name, permission, expires_in_days)

    async def work(config: "Config", parts: "Parts") -> "ApiKeyResponseDto":
        from smarthost.cli.choices import BY_OPERATOR, acting_user, chosen_portal
        from smarthost.portals.access import authorize_key_permissions
        from smarthost.portals.model import Caller, CredentialKind
        from smarthost.web.api.keys import key_dto

        user = await acting_user(parts, await chosen_portal(config, parts, portal), as_user)
        permissions = frozenset(asked.permissions)
        everything = frozenset({Permission.ALL})
        asking = Caller(
            user=user, kind=CredentialKind.KEY, credential_id=None, permissions=everything
        )
        authorize_key_permissions(permissions, asking)
        now = parts.clock.now()
        key, token = await parts.keys.create(
            user, asked.name, permissions, asked.expires_at(now), BY_OPERATOR
        )
        return key_dto(key, now, token.text().reveal())

    made = run(work)
    if as_json:
        print_json(made)
    elif sys.stdout.isatty():
        typer.echo(f"Made a key for {made.create_by.display_name}:\n  {made.key}")
        typer.echo("Keep it: it is not shown again.")
    else:
        typer.echo(made.key)


def list_keys(*, portal: PortalName = None, as_json: AsJson = False) -> None:
    """List all keys of a portal, oldest first; of each the last four characters."""

    async def work(config: "Config", parts: "Parts") -> "list[ApiKeyResponseDto]":
        from smarthost.cli.choices import chosen_portal
        from smarthost.web.api.keys import key_dto

        chosen = await chosen_portal(config, parts, portal)
        now = parts.clock.now()
        return [key_dto(key, now) for key in await parts.keys.of_portal(chosen.id)]

    keys = run(work)
    if as_json:
        print_json(keys)
        return
    print_table(
        ("ID", "NAME", "USER", "PERMISSIONS", "ENDS IN", "CREATED", "EXPIRES", "LAST USED"),
        [_cells(key) for key in keys],
    )


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as listed.")],
    *,
    portal: PortalName = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key: it is refused from the next request on."""
    from uuid import UUID

    from smarthost.portals.model import NotFoundError

    try:
        parsed = str(UUID(key_id))
    except ValueError:
        raise NotFoundError("There is no such key. See: smarthost key list") from None

    async def work(config: "Config", parts: "Parts") -> None:
        from smarthost.cli.choices import BY_OPERATOR, chosen_portal

        chosen = await chosen_portal(config, parts, portal)
        await parts.keys.revoke(chosen.id, parsed, BY_OPERATOR, None)

    run(work)
    if as_json:
        print_json(True)
    else:
        typer.echo("Revoked the key.")


def _checked(
    name: str, permissions: list[Permission], expires_in_days: int | None
) -> "CreateApiKeyRequestDto":
    """Read what was typed by the rules of the API. Raises `UsageError` with every fault."""
    import msgspec

    from smarthost.web.api.keys import CreateApiKeyRequestDto, name_faults
    from smarthost.web.decoding import BodyDecoder

    body = {"name": name, "permissions": permissions, "expiresInDays": expires_in_days}
    try:
        encoded = msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise UsageError("--name: This is not UTF-8 text.") from None
    decoded = BodyDecoder(CreateApiKeyRequestDto).decode(encoded)
    faults = decoded.faults or {"name": name_faults(decoded.value.name)}
    lines = [f"{_OPTIONS[field]}: {' '.join(told)}" for field, told in faults.items() if told]
    if lines:
        raise UsageError("\n".join(lines))
    return decoded.value


def _cells(key: "ApiKeyResponseDto") -> tuple[str, ...]:
    from datetime import datetime

    from smarthost.cli.rows import shown_time

    return (
        str(key.id),
        key.name,
        key.create_by.display_name,
        " ".join(key.permissions),
        key.key_postfix,
        shown_time(key.create_on),
        shown_time(key.expires_at) if isinstance(key.expires_at, datetime) else "never",
        shown_time(key.last_used) if isinstance(key.last_used, datetime) else "never",
    )
