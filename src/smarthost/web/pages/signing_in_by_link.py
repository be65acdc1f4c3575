"""Signing in by a link: the page that says whom a link signs in, and the button that does it.

Opening the page uses nothing up: mail and chat programs open the links that they see.
"""

from http import HTTPStatus

from smarthost.portals.sign_in.links.model import LINK_MINUTES
from smarthost.portals.sign_in.links.store import SignInLinks
from smarthost.secret import Secret
from smarthost.web.pages.page import Html, Page, PageCall, Redirect
from smarthost.web.pages.paths import HOME
from smarthost.web.pages.signing_in import signed_in
from smarthost.web.sign_in_link import SIGN_IN_LINK_PATH

_PAGE = "sign_in_link"


class SignInLinkPages:
    """The pages."""

    def __init__(self, links: SignInLinks) -> None:
        self._links = links

    async def show(self, call: PageCall) -> Html | Redirect:
        """Show whom the link signs in, and a button."""
        token = Secret(call.query.text("token"))
        user = await self._links.look(call.portal, token)
        if user is None:
            return _useless(call)
        return Html(page=_PAGE, values={"email": user.email, "token": token.reveal()})

    async def use(self, call: PageCall) -> Html | Redirect:
        """Use the link up and start a session."""
        begun = await self._links.use(call.portal, Secret(call.form.text("token")), call.actor)
        if begun is None:
            return _useless(call)
        _, token = begun
        return await signed_in(call, token.text())

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [
            Page(method="GET", path=SIGN_IN_LINK_PATH, handler=self.show, public=True),
            Page(method="POST", path=SIGN_IN_LINK_PATH, handler=self.use, public=True),
        ]


def _useless(call: PageCall) -> Html | Redirect:
    """Say how to have another link; whoever is signed in, perhaps by this one, needs none."""
    if call.caller is not None:
        return Redirect(to=HOME)
    values = {"email": None, "minutes": LINK_MINUTES}
    return Html(page=_PAGE, values=values, status=HTTPStatus.NOT_FOUND)
