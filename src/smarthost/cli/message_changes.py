"""`messages retry`, `cancel` and `release`: what can be done about a message.

Each takes several ids, does what it can, and says of each of the others why not.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from smarthost.cli.exit_codes import ExitCode, UsageError, exit_code
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, OnBehalf, PortalName
from smarthost.cli.printing import print_json, printable
from smarthost.mail_queue.model import HeldFor, State

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.audit.model import Actor
    from smarthost.config import Config
    from smarthost.mail_queue.accepted.store import MessageStore
    from smarthost.portals.model import Portal

    Do = Callable[..., Awaitable[None]]

_TOGETHER = 100
"""How many messages are changed at the same time, so that they share commits."""

MessageIds = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="The messages' ids, as listed.")
]


class _Change(NamedTuple):
    """Something that can be done to messages."""

    method: "Callable[[MessageStore], Do]"
    states: frozenset[State]
    """What `--all` stands for."""
    one: str
    several: str
    held_for: HeldFor | None = None
    """Only with recipients that are held for this reason."""

    def of_restored(self) -> "_Change":
        """Return the same, with what comes out of a back-up alone."""
        return self._replace(states=frozenset({State.HELD}), held_for=HeldFor.RESTORED)


_RETRY = _Change(
    method=lambda messages: messages.retry,
    states=frozenset({State.FAILED, State.EXPIRED}),
    one="is tried again now",
    several="are tried again now",
)
_CANCEL = _Change(
    method=lambda messages: messages.cancel,
    states=frozenset({State.QUEUED, State.HELD}),
    one="is cancelled",
    several="are cancelled",
)
_RELEASE = _Change(
    method=lambda messages: messages.release,
    states=frozenset({State.HELD}),
    one="is released",
    several="are released",
)

Restored = Annotated[
    bool,
    typer.Option(
        "--restored",
        help="All that are held since they come out of a back-up; of every portal, without "
        "--portal.",
    ),
]


class _Asked(NamedTuple):
    """Which messages, and in whose name."""

    portal: str | None
    ids: Sequence[str]
    """Empty: all that it can be done to."""
    as_user: str | None


@dataclass(frozen=True)
class _Result:
    """What was done, and why not what was not, by id."""

    done: list[str] = field(default_factory=list)
    refused: dict[str, Exception] = field(default_factory=dict)


def retry(
    ids: MessageIds = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All that have failed or expired, and can be sent.")
    ] = False,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Try messages again now that failed, have expired, or wait for another try."""
    _change(_RETRY, _Asked(portal, _ids(ids, every=every), as_user), as_json=as_json)


def cancel(
    ids: MessageIds = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All that wait, for whatever reason.")
    ] = False,
    restored: Restored = False,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Send messages to none of the recipients that wait for them."""
    asked = _Asked(portal, _ids(ids, every=every, restored=restored), as_user)
    _change(_CANCEL.of_restored() if restored else _CANCEL, asked, as_json=as_json)


def release(
    ids: MessageIds = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that are held.")] = False,
    restored: Restored = False,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Let messages go on that are held because only a person can decide about them."""
    asked = _Asked(portal, _ids(ids, every=every, restored=restored), as_user)
    _change(_RELEASE.of_restored() if restored else _RELEASE, asked, as_json=as_json)


def _ids(ids: list[str] | None, *, every: bool, restored: bool = False) -> Sequence[str]:
    """Return the ids that were typed, none for all. Raises `UsageError`."""
    if every and ids:
        raise UsageError("Give ids or --all, not both.")
    if restored and (every or ids):
        raise UsageError("Give --restored alone: it is neither ids nor --all.")
    if not every and not ids and not restored:
        raise UsageError("Name the messages by their ids, or give --all.")
    return ids or ()


def _change(change: _Change, asked: _Asked, *, as_json: bool) -> None:
    """Do it, and say what was done; ends in the code of what could not be done."""
    result = run(partial(_changed, change, asked))
    if as_json:
        from smarthost.web.emails.answers import Changed

        print_json([Changed(id=message_id) for message_id in result.done])
    elif asked.ids:
        for message_id in result.done:
            typer.echo(f"{message_id} {change.one}.")
    else:
        typer.echo(_how_many(len(result.done), change))
    for message_id, error in result.refused.items():
        typer.echo(f"smarthost: {printable(message_id)}: {error}", err=True)
    if result.refused:
        codes = (exit_code(error) or ExitCode.NO for error in result.refused.values())
        raise typer.Exit(max(codes))


def _how_many(count: int, change: _Change) -> str:
    if count == 1:
        return f"1 message {change.one}."
    return f"{count or 'No'} messages {change.several}."


async def _changed(change: _Change, asked: _Asked, config: "Config", parts: "Parts") -> _Result:
    from smarthost.cli.choices import actor

    messages, result = parts.delivery.messages, _Result()
    do = change.method(messages)
    if change.held_for is not None:
        do = partial(do, held_for=change.held_for)
    for chosen in await _portals(change, asked, config, parts):
        one = partial(_one, do, chosen.id, by=await actor(parts, chosen, asked.as_user))
        for message_id in dict.fromkeys(asked.ids):
            await one(message_id, result=result)
        if asked.ids:
            continue
        async for ids in _all_of(parts, chosen.id, change):
            # What came to another state meanwhile, or is of no use any more, is passed over.
            passed_over = _Result(done=result.done)
            await asyncio.gather(*(one(message_id, result=passed_over) for message_id in ids))
    return result


async def _portals(
    change: _Change, asked: _Asked, config: "Config", parts: "Parts"
) -> "Sequence[Portal]":
    """Return whose messages are meant: a back-up brings back those of all portals."""
    from smarthost.cli.choices import chosen_portal
    from smarthost.mail_queue.overview.store import Overview

    if change.held_for is HeldFor.RESTORED and asked.portal is None and asked.as_user is None:
        held = await Overview(parts.database).restored()
        return [portal for portal in await parts.portals.portals() if portal.id in held]
    return [await chosen_portal(config, parts, asked.portal)]


async def _one(do: "Do", portal_id: str, message_id: str, *, by: "Actor", result: _Result) -> None:
    from smarthost.cli.message_values import parsed_id
    from smarthost.mail_queue.accepted.model import NoSuchMessageError, NotPossibleError

    try:
        await do(portal_id, parsed_id(message_id), by=by)
    except (NoSuchMessageError, NotPossibleError) as error:
        result.refused[message_id] = error
    else:
        result.done.append(message_id)


async def _all_of(parts: "Parts", portal_id: str, change: _Change) -> AsyncIterator[list[str]]:
    """Give the ids of all messages that a change is for and that can still be sent."""
    from smarthost.cli.message_values import pages
    from smarthost.mail_queue.mail_log.model import Wanted

    reason = change.held_for
    async for page in pages(parts, portal_id, Wanted(states=change.states), _TOGETHER):
        yield [
            message.id
            for message in page.messages
            if message.has_body and (reason is None or message.is_held_for(reason))
        ]
