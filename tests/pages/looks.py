"""Shows a page as a phone and a desktop do, light and dark: for the eye, and for the rules."""

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from tests.pages.accessibility import violations
from tests.pages.browser import LOOKS, NARROW, Look

_SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def looks(page: Page) -> Iterator[Look]:
    """Show `page`, as it is, in each of `LOOKS` in turn."""
    for look in LOOKS:
        show(page, look)
        yield look


def show(page: Page, look: Look) -> None:
    """Show `page`, as it is, in another look."""
    page.emulate_media(color_scheme="dark" if look.dark else "light")
    page.set_viewport_size({"width": look.width, "height": 900})


def screenshot(page: Page, name: str, look: Look) -> Path:
    """Write the whole of `page` to `build/screenshots/<name>-<look>.png`."""
    path = _SCREENSHOTS / f"{name}-{look}.png"
    # Playwright hides the caret with a style sheet of its own, which the page's policy forbids.
    page.screenshot(path=path, full_page=True, animations="disabled", caret="initial")
    return path


def inspect(page: Page, name: str) -> list[str]:
    """Take a screenshot in each look; return what is wrong in any: nothing with a good page."""
    wrong = []
    for look in looks(page):
        screenshot(page, name, look)
        wrong += [f"{look}: {violation}" for violation in violations(page)]
    if is_too_wide(page):
        wrong.append(f"{NARROW}: wider than the screen")
    return wrong


def is_too_wide(page: Page) -> bool:
    """Whether `page` has to be scrolled sideways on the least screen."""
    show(page, Look(width=NARROW))
    return bool(page.evaluate(_SIDEWAYS) > 0)
