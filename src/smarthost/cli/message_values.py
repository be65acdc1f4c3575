"""A message as the API would answer it to an administrator, and what went wrong with it.

The operator sees the installation's own relay too, which portals may not.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec

from smarthost.app.parts import Parts
from smarthost.explanations.failure import Failure
from smarthost.explanations.relay_shown import relay_shown
from smarthost.mail.readable import readable
from smarthost.mail_queue.accepted.model import Message, NoSuchMessageError
from smarthost.mail_queue.holds.model import Hold
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.mail_log.model import Page, Wanted
from smarthost.portals.suspension.store import standing_of
from smarthost.relay_health.health import failure_of
from smarthost.sending.attempts import Attempts, ShownAttempt
from smarthost.web.emails import answers

_TOGETHER = 100
_MOST_PAGES = 100


async def email_value(parts: Parts, message: Message) -> Any:  # noqa: ANN401 - JSON
    """Return what `GET /emails/{id}` answers, and under `attempts` what `…/attempts` does."""
    content = await parts.delivery.messages.content(message.portal_id, message.id)
    texts = (None, None) if content is None else readable(content)
    listed = answers.listed_email(
        message,
        now=parts.clock.now(),
        on_hold=await _waits_as_a_whole(parts, message.portal_id),
    )
    shown = answers.shown_email(listed, *texts)
    attempts = [answers.shown_attempt(one) for one in await attempts_of(parts, message)]
    return {**msgspec.to_builtins(shown), "attempts": attempts}


async def pages(parts: Parts, portal_id: str, wanted: Wanted, at_most: int) -> AsyncIterator[Page]:
    """Give one page after the other of the messages that are meant, newest first."""
    after: str | None = None
    while True:
        page = await _page(parts, portal_id, wanted, at_most, after)
        yield page
        if (after := page.next) is None:
            return


async def listed_page(parts: Parts, portal_id: str, wanted: Wanted, limit: int) -> Page:
    """Return `limit` messages, or those among the 150,000 newest, which take about a second."""
    found: list[Message] = []
    after: str | None = None
    for _ in range(_MOST_PAGES):
        room = min(limit - len(found), _TOGETHER)
        page = await _page(parts, portal_id, wanted, room, after)
        found += page.messages
        after = page.next
        if after is None or len(found) == limit:
            break
    return Page(messages=found, next=after)


async def list_value(parts: Parts, portal_id: str, page: Page) -> answers.EmailList:
    """Return what `GET /emails` answers."""
    on_hold = await _waits_as_a_whole(parts, portal_id)
    return answers.email_list(page, now=parts.clock.now(), on_hold=on_hold)


def parsed_id(text: str) -> str:
    """Return an id as the store has it. Raises `NoSuchMessageError` on what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        raise NoSuchMessageError from None


async def attempts_of(parts: Parts, message: Message) -> list[ShownAttempt]:
    """Return all attempts of a message, oldest first."""
    attempts = Attempts(parts.delivery.messages, parts.settings, parts.default_relay)
    return await attempts.of(message.portal_id, message.id)


async def hold_of(parts: Parts, portal_id: str) -> Hold | None:
    """Return the portal's hold, None if its relay takes mail."""
    return await HoldStore(parts.database, parts.clock).current(portal_id)


async def suspended_at(parts: Parts, portal_id: str) -> int | None:
    """Return since when the portal is suspended, None if it is not."""
    return (await standing_of(parts.database, portal_id)).suspended_at


async def failure_of_hold(parts: Parts, hold: Hold) -> Failure:
    """Return why a portal is on hold."""
    revision = await parts.settings.revision(hold.portal_id, hold.revision)
    return failure_of(hold, relay_shown(revision, parts.default_relay))


async def _page(
    parts: Parts, portal_id: str, wanted: Wanted, at_most: int, after: str | None
) -> Page:
    log, now = parts.delivery.mail_log, parts.clock.now()
    # Commands ask for states of recipients, which a hold changes nothing about.
    return await log.page(portal_id, wanted, at_most=at_most, after=after, now=now, on_hold=False)


async def _waits_as_a_whole(parts: Parts, portal_id: str) -> bool:
    """Tell whether no mail of the portal goes out just now."""
    if await suspended_at(parts, portal_id) is not None:
        return True
    return await hold_of(parts, portal_id) is not None
