"""Leads whoever asks by GET for a path that only takes forms to the page that has the form.

A browser shows such a path as the address of what it was answered to a form. It asks for it when
somebody reloads it from there, and when somebody signs in whose session had ended: a dead end
would be all they got.
"""

from collections.abc import Iterable
from functools import partial
from urllib.parse import quote

from smarthost.web.pages.page import Page, PageCall, Redirect


def ways_back(pages: Iterable[Page]) -> list[Page]:
    """Return a page for GET for each path that has none, below a path of `pages` that has one."""
    table = list(pages)
    shown = {page.path for page in table if page.method == "GET"}
    of_forms = {page.path for page in table} - shown
    return [
        # The page that it leads to decides who may see it.
        Page(method="GET", path=path, handler=partial(_go, above), public=True)
        for path in sorted(of_forms)
        if (above := _above(path, shown))
    ]


def _above(path: str, shown: set[str]) -> str:
    while path and path not in shown:
        path = path.rpartition("/")[0]
    return path


async def _go(path: str, call: PageCall) -> Redirect:
    parts = {name: quote(value, safe="") for name, value in call.path.items()}
    return Redirect(to=path.format_map(parts))
