"""`user`: the people and applications of a portal."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import UsageError
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, PortalName
from smarthost.cli.password_input import (
    PasswordFile,
    PasswordStdin,
    ask_new_password,
    can_ask,
    given_password,
)
from smarthost.cli.printing import print_json, print_table
from smarthost.cli.sign_in_link import HOW_LONG
from smarthost.cli.typed_origin import Url, origin_of
from smarthost.portals.model import Role
from smarthost.secret import Secret

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config
    from smarthost.portals.model import User
    from smarthost.portals.sign_in.links.model import SignInLink

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]


def create(
    email: Email,
    *,
    role: Annotated[
        Role, typer.Option(metavar="administrator|user", help="What the user is in the portal.")
    ] = Role.USER,
    portal: PortalName = None,
    password_file: PasswordFile = None,
    password_stdin: PasswordStdin = False,
    ask: Annotated[
        bool, typer.Option("--ask-password", help="Ask for the password on the terminal.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a user; without a password they come in with API keys alone."""
    password = given_password(password_file, stdin=password_stdin)
    if ask:
        if password is not None:
            raise UsageError("Give --ask-password or a password from elsewhere, not both.")
        password = _asked(email)

    async def work(config: "Config", parts: "Parts") -> "User":
        from smarthost.cli.choices import BY_OPERATOR, chosen_portal
        from smarthost.mail.address import parse_address

        address = str(parse_address(email))
        chosen = await chosen_portal(config, parts, portal)
        hashed = None if password is None else await _hash(parts, password)
        return await parts.portals.create_user(chosen.id, address, role, hashed, BY_OPERATOR)

    user = run(work)
    _print(user, f"Created the {user.role} {user.email}.", as_json=as_json)


def list_users(*, portal: PortalName = None, as_json: AsJson = False) -> None:
    """List a portal's users, oldest first."""
    from smarthost.cli.rows import shown_time, user_row

    async def work(config: "Config", parts: "Parts") -> "list[User]":
        from smarthost.cli.choices import chosen_portal

        return await parts.portals.users((await chosen_portal(config, parts, portal)).id)

    rows = [user_row(user) for user in run(work)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("EMAIL", "ROLE", "PASSWORD", "CREATED", "ID"),
        [
            (
                row.email,
                row.role,
                "yes" if row.has_password else "no",
                shown_time(row.created_at),
                row.id,
            )
            for row in rows
        ],
    )


def set_password(
    email: Email,
    *,
    portal: PortalName = None,
    password_file: PasswordFile = None,
    password_stdin: PasswordStdin = False,
    as_json: AsJson = False,
) -> None:
    """Set a user's password and end their sessions and link; asked for twice on a terminal."""
    given = given_password(password_file, stdin=password_stdin)
    password = _asked(email) if given is None else given

    async def work(config: "Config", parts: "Parts") -> "User":
        from smarthost.cli.choices import BY_OPERATOR, chosen_portal, named_user

        chosen = await chosen_portal(config, parts, portal)
        user = await named_user(parts, chosen, email)
        await parts.portals.set_password(user, await _hash(parts, password), BY_OPERATOR)
        return await named_user(parts, chosen, email)

    user = run(work)
    _print(user, f"Set the password of {user.email}; their sessions ended.", as_json=as_json)


def link(
    email: Email, *, url: Url = None, portal: PortalName = None, as_json: AsJson = False
) -> None:
    """Make a link that signs a user in to the administrator's page, once, within 15 minutes.

    It ends the one that was made for them before. Where the output is no terminal, the link alone
    is printed.
    """
    origin = origin_of(url)

    async def work(config: "Config", parts: "Parts") -> "tuple[str, SignInLink]":
        from smarthost.app.serve import service_url
        from smarthost.cli.choices import BY_OPERATOR, named_user, open_portal
        from smarthost.web.sign_in_link import sign_in_url

        chosen = await open_portal(config, parts, portal)
        user = await named_user(parts, chosen, email)
        made, token = await parts.links.make(user, BY_OPERATOR)
        at = origin or service_url(config, chosen, config.http_listen.port)
        return sign_in_url(at, token).reveal(), made

    shown, made = run(work)
    if as_json:
        from smarthost.clock import moment

        print_json({"url": shown, "expires": moment(made.expires_at)})
    else:
        typer.echo(shown)
        if sys.stdout.isatty():
            typer.echo(f"  (signs in {made.user.email}; {HOW_LONG})")


def remove(email: Email, *, portal: PortalName = None, as_json: AsJson = False) -> None:
    """Remove a user with all their keys and sessions; the last administrator stays."""

    async def work(config: "Config", parts: "Parts") -> "User":
        from smarthost.cli.choices import BY_OPERATOR, chosen_portal, named_user

        user = await named_user(parts, await chosen_portal(config, parts, portal), email)
        await parts.portals.remove_user(user, BY_OPERATOR)
        return user

    user = run(work)
    if as_json:
        print_json(True)
    else:
        typer.echo(f"Removed {user.email}, with all keys and sessions.")


def _asked(email: str) -> Secret:
    if not can_ask():
        raise UsageError(
            "There is no terminal to ask on. Give --password-stdin or --password-file FILE."
        )
    return ask_new_password(email)


async def _hash(parts: "Parts", password: Secret) -> str:
    from smarthost.portals.sign_in.passwords import check_password

    check_password(password)
    return await parts.passwords.hash(password)


def _print(user: "User", words: str, *, as_json: bool) -> None:
    from smarthost.cli.rows import user_row

    if as_json:
        print_json(user_row(user))
    else:
        typer.echo(words)
