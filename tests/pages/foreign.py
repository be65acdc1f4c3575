"""Pages of another site, and what their visitors press there."""

from collections.abc import Callable

from playwright.sync_api import Page, Response

from tests.pages.desk import Desk

# Another site, and another host of the same site, whose pages a SameSite cookie does go with.
FOREIGN = ["elsewhere.localhost", "neighbour.portals.localhost"]

OpenForeign = Callable[[str, str, Page], None]
"""Shows in a page what another host has written."""


def form(desk: Desk, path: str, **fields: str) -> str:
    """Return a form that sends these fields to a page of ours."""
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    return f'<form method="post" action="{desk.url}{path}">{inputs}<button>Go</button></form>'


def go(page: Page) -> Response:
    """Press the one button; return what we answered."""
    with page.expect_response(lambda response: response.request.method == "POST") as answer:
        page.get_by_role("button").click()
    return answer.value
