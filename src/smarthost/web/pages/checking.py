"""Check and test on the settings page for browsers without scripts: forms, and what came of them.

With a script the page asks the API for the same as events, and shows them as they come.
"""

from smarthost.web.pages.check_shown import check_shown, suspects
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect
from smarthost.web.pages.paths import SETTINGS
from smarthost.web.pages.settings_form import body_of, if_match_of, settings_page
from smarthost.web.pages.trial_shown import followed

CHECK = f"{SETTINGS}/check"
TEST = f"{SETTINGS}/test"
_ACTIVATE = "activate"


class CheckPages:
    """The pages."""

    async def check(self, call: PageCall) -> Html | Redirect:
        """Check what was typed, and show what came of it.

        What was saved with warnings is shown at once, since no other page could tell them.
        """
        form = call.form
        query = {_ACTIVATE: form.text(_ACTIVATE)} if form.has(_ACTIVATE) else None
        try:
            told = await call.ask(
                "checkSmtpSettings", body=body_of(form), query=query, if_match=if_match_of(form)
            )
        except AskedInVainError as vain:
            return await settings_page(call, form=form, refusal=vain.refusal)
        checked = told.value
        if not checked["saved"]:
            return await settings_page(
                call, form=form, faults=suspects(checked), check=check_shown(checked)
            )
        if checked["warnings"]:
            return await settings_page(call, check=check_shown(checked))
        done = "checked_without_oauth2" if "notice" in checked else "checked_and_saved"
        return Redirect(to=f"{SETTINGS}?done={done}")

    async def test(self, call: PageCall) -> Html | Redirect:
        """Start a test message, or find the one that is under way, and go where it is followed."""
        before = (await call.ask("getSmtpOperationStatus")).value
        try:
            told = await call.ask("testSmtpSettings")
        except AskedInVainError as vain:
            return await settings_page(call, refusal=vain.refusal)
        joined = before is not None and before["id"] == told.value["id"]
        return Redirect(to=followed(told.value["id"], joined=joined))

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [
            Page(method="POST", path=CHECK, handler=self.check),
            Page(method="POST", path=TEST, handler=self.test),
        ]
