"""The settings page: the portal's relay shown in a form, saved, and reset.

Saving does not connect; what proves the settings is the check beside it. Nothing that was typed
is lost by a refusal, but for the password.
"""

from smarthost.web.openapi.headers import NOTICE
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect
from smarthost.web.pages.paths import SETTINGS
from smarthost.web.pages.settings_form import (
    body_of,
    if_match_of,
    settings_page,
)
from smarthost.web.pages.settings_offers import SettingsOfferPages
from smarthost.web.pages.trial_shown import refreshing

_RESET = f"{SETTINGS}/reset"


class SettingsPages:
    """The pages."""

    async def show(self, call: PageCall) -> Html:
        """Show the settings in force, and what was done just now."""
        return refreshing(await settings_page(call, notice=call.query.text("done")))

    async def save(self, call: PageCall) -> Html | Redirect:
        """Save what was typed, or say what is wrong with it."""
        try:
            told = await call.ask(
                "saveSmtpSettings", body=body_of(call.form), if_match=if_match_of(call.form)
            )
        except AskedInVainError as vain:
            return await settings_page(call, form=call.form, refusal=vain.refusal)
        done = "saved_without_oauth2" if NOTICE in told.headers else "saved"
        return Redirect(to=f"{SETTINGS}?done={done}")

    async def reset(self, call: PageCall) -> Html | Redirect:
        """Put the installation's default in force."""
        try:
            await call.ask("resetSmtpSettings", if_match=if_match_of(call.form))
        except AskedInVainError as vain:
            return await settings_page(call, refusal=vain.refusal)
        return Redirect(to=f"{SETTINGS}?done=reset")

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [
            Page(method="GET", path=SETTINGS, handler=self.show),
            Page(method="POST", path=SETTINGS, handler=self.save),
            Page(method="POST", path=_RESET, handler=self.reset),
            *SettingsOfferPages().pages(),
        ]
