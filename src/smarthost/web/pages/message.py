"""One message: what was sent, where each recipient stands, every attempt, and what can be done.

What is done is asked of the API, and whoever asked comes back to the page; what is not possible
any more is said there in the API's words. HTML is never shown as a page, but as its source.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from smarthost.clock import Clock, moment
from smarthost.mail_queue.accepted.model import NoSuchMessageError
from smarthost.web.emails.asked import INVALID_PARAMETER
from smarthost.web.errors import RequestError
from smarthost.web.pages.mail_rows import KINDS, state_of
from smarthost.web.pages.message_values import (
    FEW,
    LONGEST_SOURCE,
    LONGEST_TEXT,
    MOST,
    counted_states,
    is_ended,
    possible,
    problem_of,
    standings,
    together,
)
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect, Told
from smarthost.web.pages.paths import MAIL

_PAGE = "message"
_PATH = f"{MAIL}/{{id}}"
_ACTIONS = {
    "retry": ("retryEmail", "retried"),
    "cancel": ("cancelEmail", "canceled"),
    "release": ("releaseEmail", "released"),
    "forget": ("deleteEmailBody", "forgotten"),
}
"""By the last part of the path: the operation, and the word for that it is done."""
_DONE = frozenset(done for _, done in _ACTIONS.values())


class MessagePages:
    """The page of one message, and what is done there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def show(self, call: PageCall) -> Html:
        """Show it; with `all` in the query, all recipients and many attempts."""
        done = call.query.text("done")
        return await self._page(call, done=done if done in _DONE else None)

    async def do(self, operation_id: str, done: str, call: PageCall) -> Html | Redirect:
        """Do something to it, or say why not."""
        try:
            told = await _ask(call, operation_id)
        except AskedInVainError as vain:
            if vain.refusal.status is not HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            refusal = vain.refusal
            return await self._page(call, fault=refusal.message, status=refusal.status)
        return Redirect(to=f"{MAIL}/{told.value['id']}?done={done}")

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        doing = [
            Page(method="POST", path=f"{_PATH}/{action}", handler=self._doing(*what))
            for action, what in _ACTIONS.items()
        ]
        return [Page(method="GET", path=_PATH, handler=self.show), *doing]

    def _doing(
        self, operation_id: str, done: str
    ) -> Callable[[PageCall], Awaitable[Html | Redirect]]:
        return partial(self.do, operation_id, done)

    async def _page(
        self,
        call: PageCall,
        *,
        done: str | None = None,
        fault: str | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Html:
        most = MOST if call.query.has("all") else FEW
        email = (await _ask(call, "getEmail")).value
        attempts = (await _ask(call, "getEmailAttempts", {"limit": str(most)})).value
        values = {
            "section": "mail",
            "done": done,
            "fault": fault,
            "email": email,
            "is_live": not is_ended(email),
            "possible": possible(email),
            **_standing(email, most, moment(self._clock.now())),
            **_tried(email, attempts, most),
            **_content(email),
        }
        return Html(page=_PAGE, values=values, status=status)


async def _ask(call: PageCall, operation_id: str, query: Mapping[str, str] | None = None) -> Told:
    """Ask something of the message. Raises `RequestError` (404) where the path names none."""
    try:
        return await call.ask(operation_id, path={"id": call.path["id"]}, query=query)
    except AskedInVainError as vain:
        if vain.refusal.name == INVALID_PARAMETER:
            raise RequestError(HTTPStatus.NOT_FOUND, str(NoSuchMessageError())) from None
        raise


def _standing(email: Mapping[str, Any], most: int, now: datetime) -> dict[str, object]:
    found, state = standings(email, now), state_of(email)
    named = max(len(email[field]) for field in ("to", "cc", "bcc"))
    return {
        "state": state,
        "kind": KINDS.get(state, "muted"),
        "held_for": next((why for one in found if (why := one.recipient["held_for"])), None),
        "counts": counted_states(found),
        "standings": found[:most],
        "recipients": len(found),
        "most": most,
        "has_more_recipients": max(len(found), named) > most,
    }


def _tried(email: Mapping[str, Any], attempts: Mapping[str, Any], most: int) -> dict[str, object]:
    return {
        "problem": problem_of(email, attempts["data"]),
        "tried": together(attempts["data"]),
        "has_more_attempts": attempts["has_more"],
        "can_show_all": most < MOST,
    }


def _content(email: Mapping[str, Any]) -> dict[str, object]:
    text, html = email["text"], email["html"]
    return {
        "text": text and text[:LONGEST_TEXT],
        "is_text_cut": bool(text) and len(text) > LONGEST_TEXT,
        "source": html and html[:LONGEST_SOURCE],
        "is_source_cut": bool(html) and len(html) > LONGEST_SOURCE,
    }
