"""The portal's last test message as the settings page shows it: under way, or what came of it."""

from typing import Any

import msgspec

from smarthost.clock import moment
from smarthost.delivery.outcome import Step
from smarthost.ids import made_at
from smarthost.relay_check.stages import stage_of
from smarthost.web.pages.page import Html, PageCall
from smarthost.web.pages.paths import SETTINGS

_FOLLOWED = "test"
_JOINED = "joined"
_LOOK_AGAIN_SECONDS = 2


async def last_trial(call: PageCall) -> dict[str, Any]:
    """Return what `_test.html` shows: the last test as `last`, None for none, and the stages.

    `last` is what `getSmtpOperationStatus` answers, and `at`, the moment it was started;
    `followed`: whoever looks has come for this one; `joined`: it was under way when they asked
    for one. Raises `AskedInVainError`.
    """
    told = (await call.ask("getSmtpOperationStatus")).value
    last = None
    if told is not None:
        last = {
            **told,
            "at": moment(made_at(told["id"])).isoformat(),
            "followed": call.query.text(_FOLLOWED) == told["id"],
            "joined": call.query.has(_JOINED),
        }
    return {"last": last, "stages": [(step, stage_of(step)) for step in Step]}


def followed(test_id: str, *, joined: bool) -> str:
    """Return the address of the page that shows this test until it has ended."""
    return f"{SETTINGS}?{_FOLLOWED}={test_id}{f'&{_JOINED}' if joined else ''}"


def refreshing(html: Html) -> Html:
    """Return the page, which a browser asks for anew as long as the test it follows runs.

    That ends: a test that has not ended after 40 seconds reads as failed.
    """
    trial: dict[str, Any] = html.values.get("trial") or {}  # type: ignore[assignment]
    last = trial.get("last")
    if last is None or last["completed"] or not last["followed"]:
        return html
    return msgspec.structs.replace(
        html, headers={**html.headers, "Refresh": str(_LOOK_AGAIN_SECONDS)}
    )
