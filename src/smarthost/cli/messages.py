"""`messages list` and `show`: what was accepted, and what became of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.exit_codes import UsageError
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, PortalName
from smarthost.cli.printing import print_json, print_table, printable
from smarthost.mail_queue.model import State

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config
    from smarthost.mail_queue.mail_log.model import Page
    from smarthost.mail_queue.mail_log.words import Words

_MOST_LISTED = 1000


def list_messages(
    *,
    state: Annotated[
        list[State] | None,
        typer.Option(
            metavar="|".join(State), help="Those with a recipient in this state. Repeatable."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Those to this recipient.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Those accepted since then: '2 hours ago', or 2026-12-24T08:00+01:00.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Those accepted before then, likewise.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="Those whose subject, from, to, cc, bcc and Message-ID hold all of these words.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MOST_LISTED, help="At most so many.")
    ] = 20,
    portal: PortalName = None,
    as_json: AsJson = False,
) -> None:
    """List messages, newest first."""

    async def work(config: "Config", parts: "Parts") -> None:
        from smarthost.cli.choices import chosen_portal
        from smarthost.cli.message_values import list_value, listed_page
        from smarthost.cli.typed_moment import typed_moment
        from smarthost.mail.address import parse_address
        from smarthost.mail_queue.mail_log.model import Wanted

        chosen, now = await chosen_portal(config, parts, portal), parts.clock.now()
        wanted = Wanted(
            states=frozenset(state or ()),
            recipient=None if to is None else str(parse_address(to)),
            accepted_from=None if since is None else typed_moment("--since", since, now),
            accepted_before=None if until is None else typed_moment("--until", until, now),
            words=_words(search),
        )
        page = await listed_page(parts, chosen.id, wanted, limit)
        if as_json:
            print_json(await list_value(parts, chosen.id, page))
        else:
            print_page(page, limit)

    run(work)


def show(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id.")],
    *,
    portal: PortalName = None,
    as_json: AsJson = False,
) -> None:
    """Show a message with each attempt to send it, and why it failed."""

    async def work(config: "Config", parts: "Parts") -> None:
        from smarthost.cli.choices import chosen_portal
        from smarthost.cli.message_values import (
            attempts_of,
            email_value,
            hold_of,
            parsed_id,
            suspended_at,
        )
        from smarthost.cli.message_words import Wait, page
        from smarthost.mail_queue.accepted.model import NoSuchMessageError

        chosen = await chosen_portal(config, parts, portal)
        message = await parts.delivery.messages.get(chosen.id, parsed_id(message_id))
        if message is None:
            raise NoSuchMessageError
        if as_json:
            print_json(await email_value(parts, message))
            return
        attempts = await attempts_of(parts, message)
        wait = Wait(await hold_of(parts, chosen.id), await suspended_at(parts, chosen.id))
        for line in page(message, attempts, wait, parts.clock.now()):
            typer.echo(printable(line))

    run(work)


def _words(search: str | None) -> "Words":
    from smarthost.mail_queue.mail_log.words import SearchError, Words, parse_words

    try:
        return Words() if search is None else parse_words(search)
    except SearchError as error:
        raise UsageError(f"--search: {error}") from None


def print_page(page: "Page", limit: int) -> None:
    """Print messages, and how to see more, if there are or may be more than these `limit`."""
    from smarthost.cli.message_words import states, whom
    from smarthost.cli.rows import shown_moment
    from smarthost.clock import MICROSECONDS, moment
    from smarthost.ids import made_at

    print_table(
        ("ID", "ACCEPTED", "STATE", "TO", "SUBJECT"),
        [
            (
                message.id,
                shown_moment(message.accepted_at),
                states(message),
                whom(message),
                message.details.subject,
            )
            for message in page.messages
        ],
    )
    if page.next is None:
        return
    if len(page.messages) == limit:
        typer.echo(f"There are more: give --limit above {limit}, or --until.", err=True)
        return
    # An id is made a little before its message is accepted: rather some twice than one missed.
    reached = f"{moment(made_at(page.next) + 60 * MICROSECONDS):%Y-%m-%dT%H:%M:%SZ}"
    typer.echo(f"Looked back to {reached}: to look further give --until {reached}", err=True)
