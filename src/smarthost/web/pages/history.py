"""The history page: who saved which settings when, what that changed, and the way back.

A revision is restored only against the one that was in force when the page was drawn, so that
nothing is written over that nobody has seen. What restoring would change is said before.
"""

from collections.abc import Mapping
from http import HTTPStatus
from itertools import zip_longest
from typing import Any

import msgspec

from smarthost.web.errors import Refusal
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect
from smarthost.web.pages.paths import HISTORY
from smarthost.web.pages.settings_form import ORDER, answered, closed, if_match_of

_PAGE = "history"
_SHOWN = 20
"""Revisions on a page."""
_SECRETS = frozenset({"credentialsUserPassword", "oauth2"})
"""They are told to be others, and never what they are."""

Settings = Mapping[str, Any]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One field that has another value; None: it has none."""

    name: str
    before: str | int | bool | None = None
    after: str | int | bool | None = None
    secret: bool = False
    """No value of it is ever told."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """From some settings to others."""

    from_default: bool
    """The installation's relay was in force: there is nothing to compare with."""
    to_default: bool
    differences: list[Difference]
    """None of them where it ends at the installation's relay."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A revision as the page shows it."""

    revision: int
    action: str
    saved_at: str
    saved_by: str
    in_force: bool
    made: Step
    """What it was then."""
    restoring: Step | None
    """What restoring it would do now; None: nothing at all."""
    logs_in: bool
    """A password, or OAuth2, is stored with it."""


class HistoryPages:
    """The pages."""

    async def show(self, call: PageCall) -> Html:
        """Show a page of the revisions, and what was done just now."""
        return await _history(call, before=call.query.text("before"))

    async def restore(self, call: PageCall) -> Html | Redirect:
        """Put an earlier revision in force, or say why not."""
        seen = if_match_of(call.form)
        try:
            told = await call.ask("restoreSmtpSettings", path=call.path, if_match=seen)
        except AskedInVainError as vain:
            if vain.refusal.status is HTTPStatus.NOT_FOUND:
                raise
            return await _history(call, refusal=vain.refusal)
        done = "same" if told.headers["ETag"] == seen else "restored"
        return Redirect(to=f"{HISTORY}?done={done}")

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [
            Page(method="GET", path=HISTORY, handler=self.show),
            Page(method="POST", path=f"{HISTORY}/{{revision}}/restore", handler=self.restore),
        ]


async def _history(call: PageCall, *, before: str = "", refusal: Refusal | None = None) -> Html:
    try:
        told = await _ask(call, _SHOWN + 1, before)
        newest = (await _ask(call, 1)) if before else told[:1]
    except AskedInVainError as vain:
        return closed(vain)
    shown = told[:_SHOWN]
    values = {
        "entries": entries(told, newest[0])[:_SHOWN] if shown else [],
        "in_force": newest[0]["revision"] if newest else None,
        "older": shown[-1]["revision"] if len(told) > _SHOWN else None,
        "is_newest": not before,
        "done": call.query.text("done"),
        "message": None if refusal is None else _message(refusal),
    }
    return answered(_PAGE, values, refusal)


async def _ask(call: PageCall, limit: int, before: str = "") -> list[dict[str, Any]]:
    query = {"limit": str(limit)} | ({"before": before} if before else {})
    told: list[dict[str, Any]] = (await call.ask("getSmtpSettingsHistory", query=query)).value
    return told


def _message(refusal: Refusal) -> str:
    """Return the words for people: those of the fields where there are some."""
    faults = (refusal.fields or {}).values()
    return " ".join(told for messages in faults for told in messages) or refusal.message


def entries(told: list[dict[str, Any]], newest: Mapping[str, Any]) -> list[Entry]:
    """Return these revisions of the API, newest first and without gaps, as they are shown.

    `newest` is the one in force.
    """
    return [_entry(one, older, newest) for one, older in zip_longest(told, told[1:])]


def _entry(
    one: Mapping[str, Any], older: Mapping[str, Any] | None, now: Mapping[str, Any]
) -> Entry:
    settings = one["settings"]
    return Entry(
        revision=one["revision"],
        action=one["action"],
        saved_at=one["savedAt"],
        saved_by=one["savedBy"],
        in_force=one["revision"] == now["revision"],
        made=_step(None if older is None else older["settings"], settings, one["changed"]),
        restoring=_restoring(now["settings"], settings),
        logs_in=settings["enableAuth"] and not settings["isDefaultSettings"],
    )


def _restoring(now: Settings, then: Settings) -> Step | None:
    step = _step(now, then, [name for name in ORDER if now.get(name) != then.get(name)])
    if step.from_default and step.to_default:
        return None
    # With the same settings there may be another password.
    return step if step.differences or step.to_default or then["enableAuth"] else None


def _step(before: Settings | None, after: Settings, changed: list[str]) -> Step:
    from_default = before is None or before["isDefaultSettings"]
    to_default = after["isDefaultSettings"]
    if to_default:
        names = []
    elif from_default:
        names = [name for name in ORDER if _is_said(name, after, changed)]
    else:
        names = [name for name in ORDER if name in changed]
    old = {} if from_default or before is None else before
    return Step(
        from_default=from_default,
        to_default=to_default,
        differences=[
            Difference(
                name=name, before=old.get(name), after=after.get(name), secret=name in _SECRETS
            )
            for name in names
        ],
    )


def _is_said(name: str, settings: Settings, changed: list[str]) -> bool:
    """Whether settings that came from nothing have this to tell."""
    if name in _SECRETS:
        return name in changed
    return name in settings and (name != "useNtlm" or settings[name])
