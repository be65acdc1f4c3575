"""The page of OAuth2: how it stands, setting it up, somebody's consent, and ending it.

A consent is a plain link to the provider's page: no form of ours may be sent on to another site.
"""

from smarthost.web.pages.oauth2_form import body_of, oauth2_page
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect
from smarthost.web.pages.paths import OAUTH2
from smarthost.web.pages.settings_form import if_match_of


class OAuth2Pages:
    """The pages."""

    async def show(self, call: PageCall) -> Html:
        """Show how OAuth2 stands, and what was done just now."""
        return await oauth2_page(call, notice=call.query.text("done"))

    async def save(self, call: PageCall) -> Html | Redirect:
        """Set OAuth2 up, or say what is wrong with what was typed."""
        try:
            await call.ask(
                "setSmtpOAuth2", body=body_of(call.form), if_match=if_match_of(call.form)
            )
        except AskedInVainError as vain:
            return await oauth2_page(call, form=call.form, refusal=vain.refusal)
        return Redirect(to=f"{OAUTH2}?done=set")

    async def authorize(self, call: PageCall) -> Html:
        """Show the link to the provider's page."""
        try:
            told = await call.ask("authorizeSmtpOAuth2")
        except AskedInVainError as vain:
            return await oauth2_page(call, refusal=vain.refusal)
        return await oauth2_page(call, url=told.value["url"])

    async def end(self, call: PageCall) -> Html | Redirect:
        """End OAuth2; the relay stays."""
        try:
            await call.ask("endSmtpOAuth2", if_match=if_match_of(call.form))
        except AskedInVainError as vain:
            return await oauth2_page(call, refusal=vain.refusal)
        return Redirect(to=f"{OAUTH2}?done=ended")

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [
            Page(method="GET", path=OAUTH2, handler=self.show),
            Page(method="POST", path=OAUTH2, handler=self.save),
            Page(method="POST", path=f"{OAUTH2}/authorize", handler=self.authorize),
            Page(method="POST", path=f"{OAUTH2}/end", handler=self.end),
        ]
