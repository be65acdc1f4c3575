"""Debian's Chromium, driven by Playwright, kept from everything that is not on this machine.

Pages are told apart by who looks at them: a `Look` is the screen and its colours, and `Browsing`
opens a page for one person of a portal.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from smarthost.web.auth import COOKIE
from tests.pages.guard import Guard

DESKTOP = 1280
PHONE = 390
NARROW = 320
"""The least width that WCAG 2.2 wants without scrolling sideways (1.4.10), CSS pixels."""

_PATIENCE = 15.0
_HEIGHT = 900
# Every name but those of this machine is unknown, so that nothing leaves it even by mistake.
_FLAGS = [
    "--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How wide a page is shown, CSS pixels, and whether in dark colours."""

    width: int = DESKTOP
    dark: bool = False

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"

    @property
    def scheme(self) -> str:
        return "dark" if self.dark else "light"


LOOKS = [Look(width=width, dark=dark) for width in (PHONE, DESKTOP) for dark in (False, True)]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a browser; while it runs, no other event loop can run in this thread."""
    expect.set_options(timeout=_PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=_FLAGS,
            chromium_sandbox=os.geteuid() != 0,  # it refuses root
        )
        try:
            yield browser
        finally:
            browser.close()


class Browsing:
    """Opens pages of one portal, each for a person of its own."""

    def __init__(
        self, browser: Browser, url: str, guard: Guard, session: Callable[[], str]
    ) -> None:
        """`url` is the portal's, without a slash at its end; `session` begins one: its token."""
        self._browser = browser
        self._url = url
        self._guard = guard
        self._session = session
        self._open = ExitStack()

    def __call__(
        self,
        path: str | None = None,
        *,
        look: Look = Look(),
        script: bool = True,
        signed_in: bool = True,
        timezone: str = "UTC",
    ) -> Page:
        """Open `path`, or a blank page, with cookies of its own.

        Who is `signed_in` has the session's cookie already, as the sign-in page sets it. Without
        `script` the browser runs no JavaScript of pages.
        """
        context = self._browser.new_context(
            base_url=self._url,
            viewport={"width": look.width, "height": _HEIGHT},
            color_scheme="dark" if look.dark else "light",
            java_script_enabled=script,
            locale="en-GB",
            timezone_id=timezone,
        )
        self._open.callback(context.close)
        context.set_default_timeout(_PATIENCE * 1000)
        self._guard.watch(context)
        if signed_in:
            sign_in(context, self._url, self._session())
        page = context.new_page()
        if path is not None:
            page.goto(path)
        return page

    def close(self) -> None:
        """Close every page. What they did until then, the guard knows."""
        self._open.close()


def sign_in(context: BrowserContext, url: str, token: str) -> None:
    """Give `context` the cookie of a session."""
    context.add_cookies(
        [{"name": COOKIE, "value": token, "url": url, "httpOnly": True, "sameSite": "Strict"}]
    )
