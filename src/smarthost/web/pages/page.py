"""What a page is: one row of a table, what its function gets, and what it may give.

A page asks the operations of the API, by their ids, with the rights of whoever opened it. So it
can do nothing that the API cannot, and is refused what that refuses.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

from smarthost.audit.model import Actor
from smarthost.portals.model import Caller, Portal, Role
from smarthost.web.errors import Refusal
from smarthost.web.pages.form import Form
from smarthost.web.proxies import Client

REFUSAL = "refusal"
"""The page that says why there is none."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation answered."""

    value: Any
    """As the API sends it, read back from JSON: objects are dicts, moments are texts."""
    headers: Mapping[str, str]


class AskedInVainError(Exception):
    """An operation refused; `refusal` is what the API would have answered."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Ask(Protocol):
    """Asks one operation of the API. Raises `AskedInVainError`."""

    async def __call__(
        self,
        operation_id: str,
        *,
        body: Mapping[str, object] | None = None,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        if_match: str | None = None,
    ) -> Told:
        """Ask it with this body, these variable parts of its path, and so on."""
        ...


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads a page, which its frame shows."""

    portal: Portal | None = None
    caller: Caller | None = None

    @property
    def email(self) -> str | None:
        """Of whoever is signed in."""
        return None if self.caller is None else self.caller.user.email

    @property
    def is_administrator(self) -> bool:
        """Whether an administrator of the portal reads it."""
        return self.caller is not None and self.caller.user.role is Role.ADMINISTRATOR


class PageCall(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a page, whose portal and caller are known."""

    portal: Portal
    caller: Caller | None
    """None on a public page that nobody signed in has asked for."""
    actor: Actor
    client: Client
    path: Mapping[str, str]
    """The variable parts of the path."""
    query: Form
    form: Form
    """Empty but after POST."""
    ask: Ask

    @property
    def is_administrator(self) -> bool:
        """Whether an administrator of the portal is asking."""
        return self.caller is not None and self.caller.user.role is Role.ADMINISTRATOR


class Html(msgspec.Struct, frozen=True, kw_only=True):
    """A page to show."""

    page: str
    """Its name: that of the template, of its words, and of its place in the navigation."""
    values: Mapping[str, object] = {}
    """What the template shows, beside the frame's own."""
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = {}


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    """Another page to go to, by GET (303, RFC 9110 section 15.4.4)."""

    to: str
    """A path of ours, with its query."""
    cookie: str | None = None
    """The value of a `Set-Cookie` (RFC 6265)."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    """With its variable parts in braces."""
    handler: Callable[[PageCall], Awaitable[Html | Redirect]]
    public: bool = False
    """Anybody may ask; else whoever is not signed in is sent to do so."""
