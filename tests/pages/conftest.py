"""A browser, a portal of the test's own on a running service, a relay, and pages to look at.

`browse` opens pages. At the end of a test all of them are closed, and no page may have done what
its `guard` keeps: so no test has to look for it.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from playwright.sync_api import Browser, Page

from tests.contract.service import Service, running_service
from tests.journeys.sink import Sink, running_sink
from tests.pages.browser import Browsing, running_browser
from tests.pages.desk import Desk, open_desk
from tests.pages.foreign import OpenForeign
from tests.pages.guard import Guard
from tests.pages.scripted import Scripted, running_site

# What is under `localhost` is as trustworthy to a browser as what comes by TLS.
BASE_DOMAIN = "portals.localhost"


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.needs("chromium"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of several portals."""
    folder = tmp_path_factory.mktemp("pages")
    with running_service(folder, BASE_DOMAIN=BASE_DOMAIN) as running:
        yield running


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def desk(service: Service, numbers: Iterator[int]) -> Desk:
    """A portal of the test's own."""
    return open_desk(service, f"portal{next(numbers)}")


@pytest.fixture
def relay() -> Iterator[Sink]:
    """A relay that takes all mail, at its `port` of 127.0.0.1."""
    with running_sink() as running:
        yield running


@pytest.fixture
def guard(desk: Desk) -> Guard:
    return Guard(desk.url)


@pytest.fixture
def browse(browser: Browser, desk: Desk, guard: Guard) -> Iterator[Browsing]:
    """Open pages of the test's portal, for its administrator if nothing else is said."""
    with closing(Browsing(browser, desk.url, guard, desk.session)) as browsing:
        yield browsing
    assert guard.faults == []


@pytest.fixture
def page(browse: Browsing) -> Page:
    """A blank page of the administrator, who is signed in, on a desktop in light colours."""
    return browse()


@pytest.fixture
def open_foreign(guard: Guard) -> Iterator[OpenForeign]:
    with ExitStack() as stack:

        def show(host: str, body: str, page: Page) -> None:
            html = f'<!doctype html><html lang="en"><title>Foreign</title>{body}</html>'
            port = stack.enter_context(running_site({"/": Scripted(body=html)}))
            guard.allow(f"http://{host}:{port}")
            page.goto(f"http://{host}:{port}/")

        yield show
