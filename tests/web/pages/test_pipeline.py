"""The way of a request for a page, with pages of the test's own: who gets in, how no is said."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog

from smarthost.app.first_start import initialise
from smarthost.app.parts import open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import load_config
from smarthost.database.engine import StoreUnavailableError
from smarthost.portals.model import ConflictError, Role
from smarthost.tally import OwnTally
from smarthost.web.application import Middleware, WebApp, make_application
from smarthost.web.auth import COOKIE, Authenticator
from smarthost.web.pages.asking import Asker
from smarthost.web.pages.family import HTML, PAGES
from smarthost.web.pages.page import Html, Page, PageCall, Redirect
from smarthost.web.pages.pages import add_pages
from smarthost.web.pages.pipeline import PagePipeline
from smarthost.web.portal_finder import PortalFinder
from smarthost.web.rate_limit import RateLimit
from tests.clocks import FakeClock
from tests.web.emails.conftest import Reply, asked
from tests.web.pages.visitor import FORM, Seen

HOST = "mail.example"
LIMIT = 6
FAULT = "a secret of the inside"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Pages of the test's own under `/settings`, and the tokens of an administrator and a user."""

    app: WebApp
    admin: str
    user: str

    async def ask(
        self,
        method: str,
        target: str,
        *,
        token: str | None = None,
        body: bytes = b"",
        **headers: str,
    ) -> Reply:
        path, _, query = target.partition("?")
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("Host", HOST)
        if token is not None:
            given.setdefault("Cookie", f"{COOKIE}={token}")
        if body:
            given.setdefault("Content-Type", FORM)
        return await asked(self.app, method, path, query, given, body)


def own_pages(errors: dict[str, Exception]) -> list[Page]:
    async def done(call: PageCall) -> Redirect:
        return Redirect(to=f"/settings/done-{call.form.text('host')}")

    async def shown(_call: PageCall) -> Html:
        return Html(page="onward", values={"to": "/settings"})

    async def fails(call: PageCall) -> Html:
        raise errors[call.path["kind"]]

    return [
        Page(method="GET", path="/settings", handler=shown),
        Page(method="POST", path="/settings", handler=done),
        Page(method="GET", path="/settings/fails/{kind}", handler=fails),
        Page(method="POST", path="/settings/fails/{kind}", handler=fails),
    ]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    config = load_config(
        {"SMARTHOST_DATA_DIR": str(tmp_path), "SMARTHOST_ADMIN_EMAIL": "admin@example.com"},
        working_directory=tmp_path,
        machine_name=lambda: "smarthost.test",
        stderr_is_terminal=False,
    )
    clock = FakeClock()
    errors = {
        "conflict": ConflictError("There is one already."),
        "store": StoreUnavailableError(FAULT),
        "fault": ValueError(FAULT),
    }
    async with open_parts(config, create=True, clock=clock) as parts:
        first = await initialise(parts, "admin@example.com")
        by = Actor(name=OPERATOR)
        user = await parts.portals.create_user(
            first.portal.id, "user@example.com", Role.USER, None, by
        )
        tokens = [
            (await parts.sign_ins.create_session(one, by))[1].text().reveal()
            for one in (first.administrator, user)
        ]
        finder = PortalFinder(parts.portals, None, first.portal.name)
        who = Authenticator(parts.keys, parts.last_use, parts.sign_ins, parts.sign_in, clock)
        users, addresses = (
            RateLimit(clock, OwnTally(), enforced=True, limit=LIMIT) for _ in range(2)
        )
        stopped = asyncio.Event()
        app = make_application(
            Middleware((PAGES,), (), addresses, clock, parts.ids, lambda *_: None), clock
        )
        asker = Asker([], clock, stopped)
        pages = PagePipeline(finder, who, users, addresses, clock, asker)
        add_pages(app, pages, own_pages(errors))
        yield Site(app=app, admin=tokens[0], user=tokens[1])


async def test_who_is_signed_in_gets_the_page(site: Site) -> None:
    reply = await site.ask("GET", "/settings", token=site.admin)
    assert (reply.status, reply.headers["content-type"]) == (HTTPStatus.OK, HTML)
    assert reply.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"page;dur=\d+\.\d", reply.headers["server-timing"])


@pytest.mark.parametrize(
    ("target", "then"),
    [
        ("/settings", "/settings"),
        ("/settings?a=b&c=%C3%A4%26", "/settings?a=b&c=%C3%A4%26"),
        ("/settings/fails/%E6%97%A5", "/settings/fails/%E6%97%A5"),
    ],
)
async def test_who_is_not_signs_in_and_comes_back(site: Site, target: str, then: str) -> None:
    reply = await site.ask("GET", target)
    to = urlsplit(reply.headers["location"])
    assert (reply.status, to.path) == (HTTPStatus.SEE_OTHER, "/sign-in")
    assert parse_qs(to.query) == {"next": [then]}


async def test_a_form_that_came_too_late_leads_back_to_its_page(site: Site) -> None:
    reply = await site.ask(
        "POST",
        "/settings",
        body=b"host=mail.example.com&password=CANARY",
        Referer=f"http://{HOST}/settings?revision=7",
    )
    to = urlsplit(reply.headers["location"])
    assert (reply.status, to.path) == (HTTPStatus.SEE_OTHER, "/sign-in")
    assert parse_qs(to.query) == {"done": ["ended"], "next": ["/settings?revision=7"]}
    assert "CANARY" not in str(reply)


@pytest.mark.parametrize("from_where", ["cross-site", "same-site", "Cross-Site"])
async def test_a_link_of_another_site_goes_on_from_a_page_of_ours(
    site: Site, from_where: str
) -> None:
    """The browser has left the cookie out, and shows it on the next page, which is public."""
    reply = await site.ask("GET", "/settings?x=1;2", Sec_Fetch_Site=from_where)
    assert reply.status == HTTPStatus.OK
    assert reply.headers["refresh"] == "0;url=/sign-in?next=/settings%3Fx%3D1%3B2"
    assert "/sign-in?next=/settings%3Fx%3D1%3B2" in Seen(reply.body).values("href")

    with_cookie = await site.ask("GET", "/settings", token=site.admin, Sec_Fetch_Site=from_where)
    assert "refresh" not in with_cookie.headers
    assert (await site.ask("HEAD", "/settings", Sec_Fetch_Site=from_where)).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://other.example"},
        {"Origin": "null"},
        {"Origin": f"https://{HOST}"},
        {"Origin": f"http://{HOST}:8025"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Referer": "http://other.example/settings"},
    ],
)
async def test_a_form_of_another_site_is_refused_though_the_cookie_came(
    site: Site, headers: dict[str, str]
) -> None:
    """As in a browser that has never heard of `SameSite`."""
    reply = await site.ask("POST", "/settings", token=site.admin, body=b"host=x", **headers)
    page = Seen(reply.body)
    assert (reply.status, reply.headers["content-type"]) == (HTTPStatus.FORBIDDEN, HTML)
    assert "This did not come from a page of this address" in page.text
    assert "other.example" not in page.text
    assert "SMARTHOST_TRUSTED_NETWORKS" not in page.text


async def test_a_form_behind_a_proxy_that_is_not_believed_is_told_so(site: Site) -> None:
    proxied = {"Origin": f"https://{HOST}", "X_Forwarded_Proto": "https"}
    reply = await site.ask("POST", "/settings", token=site.admin, body=b"host=x", **proxied)
    page = Seen(reply.body)
    assert reply.status == HTTPStatus.FORBIDDEN
    assert "the proxy in front is not named in SMARTHOST_TRUSTED_NETWORKS" in page.text


@pytest.mark.parametrize("from_where", ["cross-site", "same-site"])
async def test_no_proxy_is_blamed_for_what_the_browser_itself_calls_foreign(
    site: Site, from_where: str
) -> None:
    proxied = {"Origin": "https://other.example", "X_Forwarded_Proto": "https"}
    reply = await site.ask(
        "POST", "/settings", token=site.admin, body=b"host=x", Sec_Fetch_Site=from_where, **proxied
    )
    page = Seen(reply.body)
    assert reply.status == HTTPStatus.FORBIDDEN
    assert "This did not come from a page of this address" in page.text
    assert "proxy" not in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": f"http://{HOST}", "Sec_Fetch_Site": "same-origin"},
        {"Referer": f"http://{HOST}/settings"},
        {},
    ],
)
async def test_a_form_of_ours_is_taken(site: Site, headers: dict[str, str]) -> None:
    reply = await site.ask("POST", "/settings", token=site.admin, body=b"host=x", **headers)
    assert (reply.status, reply.headers["location"]) == (303, "/settings/done-x")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"a=" + b"x" * 64 * 1024, FORM, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (b'{"host": "x"}', "application/json", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (b"host=x", "text/plain", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (b"x", "multipart/form-data; boundary=x", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (b"host=%ff", FORM, HTTPStatus.BAD_REQUEST),
    ],
)
async def test_what_is_no_form_is_refused_in_html(
    site: Site, body: bytes, content_type: str, status: HTTPStatus
) -> None:
    reply = await site.ask(
        "POST",
        "/settings",
        token=site.admin,
        body=body,
        Content_Type=content_type,
        Referer=f"http://{HOST}/settings",
    )
    page = Seen(reply.body)
    assert (reply.status, reply.headers["content-type"]) == (status, HTML)
    assert page.values("href").count("/settings") == 2, "the navigation, and the way back"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("conflict", HTTPStatus.CONFLICT),
        ("store", HTTPStatus.SERVICE_UNAVAILABLE),
        ("fault", HTTPStatus.INTERNAL_SERVER_ERROR),
    ],
)
async def test_a_refusal_keeps_the_navigation_and_tells_nothing_of_the_inside(
    site: Site, method: str, kind: str, status: HTTPStatus
) -> None:
    with structlog.testing.capture_logs() as lines:
        reply = await site.ask(method, f"/settings/fails/{kind}", token=site.admin)
    page = Seen(reply.body)
    assert (reply.status, reply.headers["content-type"]) == (status, HTML)
    assert {"/settings", "/history", "/mail", "/keys", "/"} <= set(page.values("href"))
    assert "admin@example.com" in page.text
    assert not any(word in page.text for word in (FAULT, "Traceback", "ValueError", ".py"))
    assert ("" in page.values("href")) == (method == "GET" and kind != "conflict")
    assert (reply.headers["x-request-id"] in page.text) == (kind == "fault")
    noted = [line for line in lines if line["log_level"] == "error"]
    assert bool(noted) == (kind != "conflict")


async def test_somebody_who_is_no_administrator_has_their_own_navigation(site: Site) -> None:
    reply = await site.ask("GET", "/settings", token=site.user)
    assert {"/mail", "/keys"} <= set(Seen(reply.body).values("href"))
    assert not {"/settings", "/history"} & set(Seen(reply.body).values("href")[:-1])


async def test_what_is_not_there_is_said_to_people(site: Site) -> None:
    missing = await site.ask("GET", "/settings/none")
    assert (missing.status, missing.headers["content-type"]) == (HTTPStatus.NOT_FOUND, HTML)
    assert "openapi" not in Seen(missing.body).text
    wrong = await site.ask("DELETE", "/settings", token=site.admin)
    assert (wrong.status, wrong.headers["content-type"]) == (HTTPStatus.METHOD_NOT_ALLOWED, HTML)
    assert wrong.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize("cookie", ["valid", "none", "twice"])
async def test_too_many_requests_are_refused_whoever_asks(site: Site, cookie: str) -> None:
    shown = {"valid": site.admin, "none": None, "twice": f"a; {COOKIE}=b"}[cookie]
    for _ in range(LIMIT):
        await site.ask("GET", "/settings", token=shown)
    reply = await site.ask("GET", "/settings", token=shown)
    assert (reply.status, reply.headers["content-type"]) == (HTTPStatus.TOO_MANY_REQUESTS, HTML)
    assert int(reply.headers["retry-after"]) <= 60
