"""Signing in and out: the pages that somebody sees who is nobody yet.

The password is proved as `POST /api/2.0/authentication` proves it. The session is always a new
one, and the one that the browser showed is ended: nobody can hand a visitor a session beforehand.
"""

from http import HTTPStatus

from smarthost.secret import Secret
from smarthost.web.errors import Refusal
from smarthost.web.pages.cookie import no_cookie, session_cookie
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect
from smarthost.web.pages.paths import HOME, MAIL, SETTINGS, SIGN_IN
from smarthost.web.pages.places import place, sign_in_first

SIGN_OUT = "/sign-out"
_PAGE = "sign_in"
_DONE = ("ended", "signed_out")
"""What the form may begin with: see its words."""


class SignInPages:
    """The pages."""

    async def home(self, call: PageCall) -> Redirect:
        """Go to where whoever is signed in has most to do."""
        return Redirect(to=SETTINGS if call.is_administrator else MAIL)

    async def show(self, call: PageCall) -> Html | Redirect:
        """Show the form, or go on if there is nothing to prove."""
        to = place(call.query.text("next"))
        if call.caller is not None:
            return Redirect(to=to)
        done = call.query.text("done")
        return _form(to, done=done if done in _DONE else None)

    async def sign_in(self, call: PageCall) -> Html | Redirect:
        """Check the password and start a session, or say what is wrong."""
        to, email = place(call.form.text("next")), call.form.text("email").strip()
        body = {"userName": email, "password": call.form.text("password")}
        try:
            told = await call.ask("authenticateMe", body=body)
        except AskedInVainError as vain:
            return _form(to, email=email, refusal=vain.refusal)
        return await signed_in(call, Secret(told.value["token"]), to)

    async def sign_out(self, call: PageCall) -> Redirect:
        """End the session; of a portal that is suspended it is taken from the browser alone."""
        try:
            await _end_session(call)
        except AskedInVainError as vain:
            if vain.refusal.status is not HTTPStatus.FORBIDDEN:
                raise
        to = sign_in_first(HOME, done="signed_out")
        return Redirect(to=to, cookie=no_cookie(call.client))

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [
            Page(method="GET", path=HOME, handler=self.home),
            Page(method="GET", path=SIGN_IN, handler=self.show, public=True),
            Page(method="POST", path=SIGN_IN, handler=self.sign_in, public=True),
            Page(method="POST", path=SIGN_OUT, handler=self.sign_out, public=True),
        ]


async def signed_in(call: PageCall, token: Secret, to: str = HOME) -> Redirect:
    """Go on with the new session of this token, and end the one that the browser showed."""
    await _end_session(call)
    return Redirect(to=to, cookie=session_cookie(token, call.client))


def _form(
    to: str, *, email: str = "", done: str | None = None, refusal: Refusal | None = None
) -> Html:
    values: dict[str, object] = {"next": to, "email": email, "done": done}
    values |= {"refusal": None, "incomplete": False, "seconds": None}
    if refusal is None:
        return Html(page=_PAGE, values=values)
    wait = refusal.headers.get("Retry-After")
    values |= {
        "refusal": refusal.message,
        # The API's words for a missing field name it as programs do.
        "incomplete": refusal.status is HTTPStatus.BAD_REQUEST,
        "seconds": int(wait) if refusal.status is HTTPStatus.TOO_MANY_REQUESTS and wait else None,
    }
    return Html(page=_PAGE, values=values, status=refusal.status, headers=refusal.headers)


async def _end_session(call: PageCall) -> None:
    if call.caller is not None:
        await call.ask("logout")
