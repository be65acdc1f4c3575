"""The page of API keys: made, shown once with what a program needs to use it, listed and revoked.

The whole key is in the answer to the form and nowhere else: in no address, and in no list. A form
makes one key: sent once more, as by a browser that reloads the answer, it is told which one that
was. It is known by the newest key that there was when it was drawn.
"""

from http import HTTPStatus
from typing import Any

import msgspec

from smarthost.web.pages.form import Form
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect
from smarthost.web.pages.paths import KEYS
from smarthost.web.pages.settings_form import in_order
from smarthost.web.pages.snippets import SubmissionDoor, snippets

_PAGE = "keys"
_PERMISSIONS = {
    "send": ["send"],
    "read": ["read"],
    "write": ["read", "write"],  # who changes settings looks at them first
    "everything": ["*"],
}
"""What the form offers, by its words."""
_THAT_SEND = frozenset({"send", "*"})
_MOST_DIGITS = 9
"""More than any number of days has that is taken."""
_ORDER = ("name", "permissions", "expiresInDays")

Key = dict[str, Any]
"""As the API answers it."""


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the form."""

    name: str = ""
    permission: str = "send"
    """A word of `_PERMISSIONS`."""
    days: str = ""

    @classmethod
    def of(cls, form: Form) -> "Typed":
        """Read what was sent."""
        return cls(
            name=form.text("name").strip(),
            permission=form.text("permission"),
            days=form.text("expiresInDays").strip(),
        )

    def body(self) -> dict[str, object]:
        """Return the body of `createApiKey`."""
        days: object = self.days or None
        if self.days.isascii() and self.days.isdigit() and len(self.days) <= _MOST_DIGITS:
            days = int(self.days)
        return {
            "name": self.name,
            "permissions": _PERMISSIONS.get(self.permission, [self.permission]),
            "expiresInDays": days,
        }


class KeyPages:
    """The pages."""

    def __init__(self, door: SubmissionDoor | None) -> None:
        """Take where programs submit by SMTP, None for nowhere."""
        self._door = door

    async def show(self, call: PageCall) -> Html:
        """Show the list, and the form for another one."""
        return _page(call, await _keys(call), done=call.query.text("done"))

    async def create(self, call: PageCall) -> Html:
        """Make a key and show it this once, or say what is wrong with what was typed."""
        keys, typed = await _keys(call), Typed.of(call.form)
        already = _made_by_this_form(call, keys, typed.name)
        if already is not None:
            return _page(call, keys, status=HTTPStatus.CONFLICT, already=already)
        try:
            told = await call.ask("createApiKey", body=typed.body())
        except AskedInVainError as vain:
            if vain.refusal.fields is None:
                raise
            faults = in_order(vain.refusal.fields, _ORDER)
            return _page(call, keys, status=vain.refusal.status, typed=typed, faults=faults)
        return await self._made(call, told.value)

    async def revoke(self, call: PageCall) -> Redirect:
        """Revoke a key."""
        await call.ask("deleteApiKey", path=call.path)
        return Redirect(to=f"{KEYS}?done=revoked")

    async def _made(self, call: PageCall, key: Key) -> Html:
        ready = None
        if _THAT_SEND & set(key["permissions"]):
            ready = snippets(
                call.client,
                self._door,
                key=key["key"],
                sender=await _sender(call),
                to=key["createBy"]["displayName"],
            )
        return _page(call, await _keys(call), made=key, ready=ready)

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [
            Page(method="GET", path=KEYS, handler=self.show),
            Page(method="POST", path=KEYS, handler=self.create),
            Page(method="POST", path=f"{KEYS}/{{id}}/revoke", handler=self.revoke),
        ]


async def _keys(call: PageCall) -> list[Key]:
    """Return all keys that the caller sees, newest first."""
    told: list[Key] = (await call.ask("getApiKeys")).value
    return told[::-1]


async def _sender(call: PageCall) -> str | None:
    """Return the portal's sender address, None where the caller may not know it."""
    try:
        settings = (await call.ask("getSmtpSettings")).value
    except AskedInVainError:
        return None
    sender: str | None = settings.get("senderAddress")
    return sender


def _own(call: PageCall, keys: list[Key]) -> list[Key]:
    user = None if call.caller is None else call.caller.user.id
    return [key for key in keys if key["createBy"]["id"] == user]


def _made_by_this_form(call: PageCall, keys: list[Key], name: str) -> Key | None:
    """Return the key that was made since the form was drawn, by the same user and of that name.

    The ids of keys are in the order of making.
    """
    after = call.form.text("after")
    since = (key for key in _own(call, keys) if key["id"] > after)
    return next((key for key in since if key["name"] == name), None)


def _page(
    call: PageCall, keys: list[Key], *, status: HTTPStatus = HTTPStatus.OK, **values: object
) -> Html:
    given = {
        "keys": keys,
        "after": max((key["id"] for key in _own(call, keys)), default=""),
        "choices": list(_PERMISSIONS) if call.is_administrator else [],
        "typed": Typed(),
        "faults": {},
        "already": None,
        "made": None,
        "ready": None,
        "done": "",
        **values,
    }
    return Html(page=_PAGE, values=given, status=status)
