"""Signing in and out: the pages that somebody sees who is nobody yet.

The password is proved as `POST /api/2.0/authentication` proves it. The session is always a new
one, and the one that the browser showed is ended: nobody can hand a visitor a session beforehand.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from smarthost.portals.model import CredentialKind
from smarthost.secret import Secret
from smarthost.web.pages.cookie import no_cookie, session_cookie
from smarthost.web.pages.family import MAIL, PLACES, SETTINGS, SIGN_IN
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect

SIGN_OUT = "/sign-out"
_PAGE = "sign_in"


class SignInPages:
    """The pages."""

    async def home(self, call: PageCall) -> Redirect:
        """Go to where whoever is signed in has most to do."""
        return Redirect(to=SETTINGS if call.is_administrator else MAIL)

    async def show(self, call: PageCall) -> Html | Redirect:
        """Show the form, or go on if there is nothing to prove."""
        to = _place(call.query.text("next"))
        return _form(to) if call.caller is None else Redirect(to=to)

    async def sign_in(self, call: PageCall) -> Html | Redirect:
        """Check the password and start a session, or say what is wrong."""
        to, email = _place(call.form.text("next")), call.form.text("email").strip()
        body = {"userName": email, "password": call.form.text("password")}
        try:
            told = await call.ask("authenticateMe", body=body)
        except AskedInVainError as vain:
            refusal = vain.refusal
            return _form(
                to, email=email, fault=refusal.message, status=refusal.status, **refusal.headers
            )
        await _end_session(call)
        return Redirect(to=to, cookie=session_cookie(Secret(told.value["token"]), call.client))

    async def sign_out(self, call: PageCall) -> Redirect:
        """End the session."""
        await _end_session(call)
        return Redirect(to=SIGN_IN, cookie=no_cookie(call.client))

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [
            Page(method="GET", path="/", handler=self.home),
            Page(method="GET", path=SIGN_IN, handler=self.show, public=True),
            Page(method="POST", path=SIGN_IN, handler=self.sign_in, public=True),
            Page(method="POST", path=SIGN_OUT, handler=self.sign_out, public=True),
        ]


def _form(
    to: str,
    *,
    email: str = "",
    fault: str | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    **headers: str,
) -> Html:
    told = {name: value for name, value in headers.items() if name == "Retry-After"}
    values = {"next": to, "email": email, "fault": fault}
    return Html(page=_PAGE, values=values, status=status, headers=told)


async def _end_session(call: PageCall) -> None:
    if call.caller is not None and call.caller.kind is CredentialKind.SESSION:
        await call.ask("logout")


def _place(path: str) -> str:
    """Return a path of ours to go to, the home page for anything else.

    A browser reads `//host` and a backslash as another site.
    """
    parts = urlsplit(path) if path.isprintable() and "\\" not in path else urlsplit("")
    first = f"/{parts.path[1:].partition('/')[0]}"
    ours = not parts.scheme and not parts.netloc and first in PLACES and path.startswith(first)
    return path if ours else "/"
