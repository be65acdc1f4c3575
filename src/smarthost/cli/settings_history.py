"""`settings history` and `settings restore`: who saved what and when, and a way back."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import RefusedError
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, OnBehalf, PortalName
from smarthost.cli.printing import print_json, print_table
from smarthost.cli.settings import print_shown, shown
from smarthost.cli.typed_settings import IfRevision, only

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.cli.settings import Shown
    from smarthost.config import Config
    from smarthost.smtp_settings.model import PastRevision

_MOST_LISTED = 1000
_HIGHEST = 999_999_999


def history(
    *,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MOST_LISTED, help="At most so many.")
    ] = 20,
    portal: PortalName = None,
    as_json: AsJson = False,
) -> None:
    """List the revisions of the settings, newest first."""

    async def work(config: "Config", parts: "Parts") -> None:
        from smarthost.app.relays import shown_default_relay
        from smarthost.cli.choices import chosen_portal

        chosen = await chosen_portal(config, parts, portal)
        found = await parts.settings.history(chosen.id, limit=limit + 1)
        if as_json:
            from smarthost.web.api.smtp_history import revision_dto

            default = shown_default_relay(config)
            print_json([revision_dto(past, default) for past in found[:limit]])
            return
        print_table(
            ("REVISION", "SAVED", "BY", "ACTION", "RELAY", "CHANGED"),
            [_row(past) for past in found[:limit]],
        )
        if len(found) > limit:
            typer.echo(f"There are more: give --limit above {limit}.", err=True)

    run(work)


def restore(
    revision: Annotated[
        int, typer.Argument(metavar="N", min=1, max=_HIGHEST, help="The revision's number.")
    ],
    *,
    if_revision: IfRevision = None,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Save the settings of an earlier revision once more.

    The password that is stored with them comes back too. Restoring a reset resets.
    """
    restored = run(partial(_restore, revision, portal, as_user, only(if_revision)))
    print_shown(restored, as_json=as_json)


async def _restore(
    number: int,
    portal: str | None,
    as_user: str | None,
    if_match: frozenset[int] | None,
    config: "Config",
    parts: "Parts",
) -> "Shown":
    from smarthost.cli.choices import actor, chosen_portal
    from smarthost.smtp_settings.model import InvalidSettingsError

    chosen = await chosen_portal(config, parts, portal)
    by = await actor(parts, chosen, as_user)
    try:
        revision = await parts.settings.restore(chosen.id, number, by, if_match)
    except InvalidSettingsError as error:  # of the password, for which there is no option here
        told = [message for messages in error.faults.values() for message in messages]
        raise RefusedError("\n".join(told)) from None
    return shown(revision, config, parts)


def _row(past: "PastRevision") -> tuple[str, ...]:
    from smarthost.cli.rows import shown_moment
    from smarthost.smtp_settings.model import CHANGED_NAMES

    revision, settings = past.revision, past.revision.settings
    return (
        str(revision.number),
        shown_moment(revision.saved_at),
        revision.saved_by,
        revision.action.value,
        f"{settings.host}:{settings.port}" if settings else "",
        ", ".join(CHANGED_NAMES[name] for name in past.changed) if settings else "",
    )
