"""What no page may do, whoever asks for it with whatever: tried on every page that there is."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from urllib.parse import quote, urlencode, urlsplit

import pytest

from smarthost.audit.model import OPERATOR, Actor
from smarthost.portals.model import Portal, Role, User
from smarthost.web.auth import COOKIE
from smarthost.web.pages.assets import Assets
from smarthost.web.pages.family import HTML
from smarthost.web.pages.page import Page
from smarthost.web.pages.pages import all_pages
from smarthost.web.sign_in_link import SIGN_IN_LINK_PATH
from tests.contract.service import (
    ADMIN_PASSWORD,
    AUTHENTICATION,
    DOOR,
    EMAILS,
    SETTINGS,
    Reply,
    Service,
)
from tests.journeys.canaries import found_in
from tests.web.pages.visitor import Seen, Visitor

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
CANARY = "CANARY-of-the-relay/7c1e"
XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "\u202etxt.exe\u2066",
    "&lt;script&gt;&#x3c;b&#62;",
]
LINE_ENDS = ["%0d%0aSet-Cookie:%20injected=1", "%0aX-Injected:%201", "%0d%0a%0d%0a<b>x</b>", "%00"]


def pages(service: Service, method: str) -> list[Page]:
    return [page for page in all_pages(service.parts.links, DOOR) if page.method == method]


def place_of(page: Page) -> str:
    """A page's path with something in its variable parts."""
    return re.sub(r"\{\w+\}", "01912345-0000-7000-8000-000000000000", page.path)


def crawl(visitor: Visitor, paths: list[str]) -> Iterator[tuple[str, Reply]]:
    """Get these paths, and whatever the pages there link to, each once."""
    waiting, seen = list(paths), set[str]()
    while waiting and len(seen) < 300:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        reply = visitor.get(path)
        yield path, reply
        if reply.headers["Content-Type"] == HTML:
            links = Seen(reply.body).values("href")
            waiting += [link.partition("#")[0] for link in links if link.startswith("/")]
        elif "Location" in reply.headers:
            waiting.append(reply.headers["Location"])


@pytest.fixture
def everybody(
    service: Service, portal: Portal, visitor: Visitor, stranger: Visitor
) -> dict[str, Visitor]:
    email = f"user@{portal.name}.example.com"
    user = service.open_user(email, Role.USER, portal=portal, password=ADMIN_PASSWORD)
    signed_in = Visitor(service=service, portal=portal)
    signed_in.sign_in(user)
    return {"administrator": visitor, "user": signed_in, "nobody": stranger}


@pytest.fixture
def with_mail(service: Service, portal: Portal, admin: User) -> str:
    """Settings with a password, a webhook with a secret, and an e-mail; the e-mail's id."""
    key = service.open_key(admin, name="application")

    def ask(method: str, path: str, body: dict[str, object]) -> Reply:
        reply = service.ask(method, path, body, key=key, portal=portal)
        assert reply.status == HTTPStatus.OK, reply.body
        return reply

    settings: dict[str, object] = {
        "host": "127.0.0.1",
        "port": 9,
        "senderAddress": "notify@example.com",
        "enableAuth": True,
        "credentialsUserName": "notify",
        "credentialsUserPassword": CANARY,
    }
    ask("POST", SETTINGS, settings)
    email: dict[str, object] = {"to": "anna@example.net", "subject": XSS[0], "text": XSS[1]}
    return str(ask("POST", EMAILS, email).json()["id"])


def test_no_page_holds_a_secret_or_anything_inline(
    service: Service, everybody: dict[str, Visitor], with_mail: str, admin: User
) -> None:
    _, link = service.run(service.parts.links.make(admin, Actor(name=OPERATOR)))
    secrets = [CANARY, ADMIN_PASSWORD, service.key, link.text().reveal()]
    paths = [place_of(page) for page in pages(service, "GET")]
    paths += [path.replace("01912345-0000-7000-8000-000000000000", with_mail) for path in paths]
    for who, visitor in everybody.items():
        known = [*secrets, *([visitor.token] if visitor.token else [])]
        for path, reply in crawl(visitor, paths):
            assert found_in(reply.body, known) == [], (who, path)
            assert reply.status < HTTPStatus.INTERNAL_SERVER_ERROR, (who, path)
            if reply.headers["Content-Type"] == HTML:
                check_html(reply, f"{who} {path}")
    assert everybody["administrator"].is_signed_in(), "looking at pages signs nobody out"


def check_html(reply: Reply, about: str) -> None:
    """Nothing that our own policy would forbid stands in the page, and nobody else is asked."""
    page = Seen(reply.body)
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), about
        assert not {"style", "srcdoc"} & attributes.keys(), about
        assert tag not in ("style", "base", "iframe", "object", "embed"), about
        if tag == "script":
            assert attributes["src"].startswith("/assets/"), about
    for url in [url for name in ("src", "action", "formaction") for url in page.values(name)]:
        assert re.match("/[^/]", url), about
    for url in page.values("href"):
        assert not url or urlsplit(url).scheme in ("", "https"), about
    assert b"data:" not in reply.body, about
    assert not re.search(rb"<script[^>]*>[^<]", reply.body), about
    check_headers(reply, about)


def check_headers(reply: Reply, about: str) -> None:
    policy = reply.headers["Content-Security-Policy"].split("; ")
    assert dict(part.split(" ", 1) for part in policy) == POLICY, about
    assert reply.headers["X-Content-Type-Options"] == "nosniff", about
    assert reply.headers["X-Frame-Options"] == "DENY", about
    assert reply.headers["Cache-Control"] == "no-store", about
    assert reply.headers["Referrer-Policy"] == "same-origin", about
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin", about
    assert "Access-Control-Allow-Origin" not in reply.headers, about


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sign-in", HTTPStatus.OK),
        ("GET", "/", HTTPStatus.SEE_OTHER),
        ("GET", "/sign-in?" + "&".join(["a"] * 201), HTTPStatus.BAD_REQUEST),
        ("GET", "/sign-in?a=%ff", HTTPStatus.BAD_REQUEST),
        ("GET", "/sign-out", HTTPStatus.METHOD_NOT_ALLOWED),
        ("DELETE", "/sign-in", HTTPStatus.METHOD_NOT_ALLOWED),
        ("BREW", "/sign-in", HTTPStatus.BAD_REQUEST),
        ("GET", "/assets/0/frame.css", HTTPStatus.NOT_FOUND),
        ("GET", "/assets/../secret", HTTPStatus.NOT_FOUND),
        ("GET", "/settings/nothing", HTTPStatus.NOT_FOUND),
        ("GET", "//other.example/settings", HTTPStatus.NOT_FOUND),
        ("GET", "/sign-in/link?token=sl_x", HTTPStatus.NOT_FOUND),
    ],
)
def test_every_answer_of_pages_has_the_headers(
    stranger: Visitor, method: str, path: str, status: HTTPStatus
) -> None:
    reply = stranger.ask(method, path, headers={"Accept": "application/json"})
    assert reply.status == status
    if method == "BREW":
        return  # no method of HTTP: refused before it is known whom it is for
    check_headers(reply, path)
    assert status == HTTPStatus.SEE_OTHER or reply.headers["Content-Type"] == HTML
    assert b"Traceback" not in reply.body


def test_every_form_is_refused_to_other_sites_though_the_cookie_comes(
    service: Service, everybody: dict[str, Visitor], with_mail: str
) -> None:
    """As in a browser that has never heard of `SameSite`."""
    foreign = [{"Origin": "http://other.example"}, {"Origin": "null"}]
    foreign += [{"Sec_Fetch_Site": site} for site in ("cross-site", "same-site")]
    for page in pages(service, "POST"):
        path = place_of(page).replace("01912345-0000-7000-8000-000000000000", with_mail)
        for visitor in everybody.values():
            before = visitor.token
            for headers in foreign:
                reply = visitor.post(path, {"email": "x", "password": "x"}, **headers)
                assert reply.status == HTTPStatus.FORBIDDEN, path
                check_html(reply, path)
            assert visitor.token == before
    assert all(everybody[who].is_signed_in() for who in ("administrator", "user"))


def test_what_a_page_asks_of_the_api_passes_with_the_cookie_and_others_do_not(
    visitor: Visitor,
) -> None:
    here = f"http://{visitor.service.host(visitor.portal)}"
    own = {"Origin": here, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    other = {**own, "Origin": "http://other.example", "Sec-Fetch-Site": "cross-site"}
    body = json.dumps({"host": "x"}).encode()
    for headers, status in ((own, HTTPStatus.BAD_REQUEST), (other, HTTPStatus.FORBIDDEN)):
        reply = visitor.ask("POST", SETTINGS, body, headers=headers)
        assert (reply.status, reply.headers["Content-Type"]) == (status, "application/json")
    assert visitor.ask("GET", SETTINGS, headers=own).status == HTTPStatus.OK


def test_behind_a_proxy_with_tls_a_form_is_ours_by_the_address_that_the_browser_shows(
    visitor: Visitor, admin: User
) -> None:
    shown = "https://mail.example.com"
    visitor.headers |= {"X-Forwarded-Proto": "https", "Origin": shown}
    assert visitor.sign_in(admin).status == HTTPStatus.FORBIDDEN, "the proxy has not told the name"
    host = visitor.service.host(visitor.portal).partition(":")[0]
    visitor.headers["X-Forwarded-Host"] = host
    visitor.headers["Origin"] = f"https://{host}"
    reply = visitor.sign_in(admin)
    assert reply.status == HTTPStatus.SEE_OTHER
    assert "Secure" in reply.headers["Set-Cookie"]


@pytest.mark.parametrize("payload", XSS)
def test_what_comes_back_is_text_and_never_markup(stranger: Visitor, payload: str) -> None:
    plain = [tag for tag, _ in Seen(stranger.get("/sign-in").body).elements]
    query = urlencode({"next": f"/mail?q={payload}", "done": payload, payload: payload})
    replies = [
        stranger.get(f"/sign-in?{query}"),
        stranger.post("/sign-in", {"email": payload, "next": payload, "password": payload}),
        stranger.get(f"{SIGN_IN_LINK_PATH}?{urlencode({'token': payload, payload: ''})}"),
        stranger.post(SIGN_IN_LINK_PATH, {"token": payload, payload: payload}),
        stranger.get(f"/settings/{quote(payload, safe='')}/nothing"),
        stranger.post("/sign-out", {}, Origin=f"http://{quote(payload)}"),
    ]
    for reply in replies:
        check_html(reply, payload)
        assert not {"img", "svg", "b"} & {tag for tag, _ in Seen(reply.body).elements}
    typed = Seen(replies[1].body)
    assert typed.field("email") == payload.strip()
    assert "49" not in typed.field("email")
    assert set(plain) <= {tag for tag, _ in typed.elements}


@pytest.mark.parametrize("payload", LINE_ENDS)
def test_nothing_that_was_sent_becomes_a_header(
    visitor: Visitor, stranger: Visitor, payload: str
) -> None:
    replies = [
        visitor.get(f"/sign-in?next=/mail{payload}"),
        stranger.get(f"/sign-in?next=/mail{payload}&done={payload}"),
        stranger.get(f"/?{payload}"),
        stranger.get(f"/settings{payload}"),
        stranger.get(f"{SIGN_IN_LINK_PATH}?token={payload}"),
        stranger.ask("POST", "/sign-in", f"email={payload}".encode(), headers={}),
    ]
    for reply in replies:
        assert not {"set-cookie", "x-injected"} & {name.lower() for name in reply.headers}
        assert re.fullmatch("[!-~]*", reply.headers.get("Location", ""))
        assert not reply.body.startswith(b"<b>")


def test_methods_are_the_same_as_everywhere(visitor: Visitor) -> None:
    got, head = (
        visitor.ask(method, "/sign-in/link?token=x", headers={}) for method in ("GET", "HEAD")
    )
    assert head.status == got.status
    assert head.body == b""
    options = visitor.ask("OPTIONS", "/sign-in", headers={"Origin": "http://other.example"})
    assert options.status == HTTPStatus.NO_CONTENT
    assert options.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert not [name for name in options.headers if name.lower().startswith("access-control")]


def test_a_program_of_http_1_0_gets_pages_too(service: Service, portal: Portal) -> None:
    with closing(socket.create_connection(("127.0.0.1", service.port), timeout=10)) as connection:
        request = f"GET /sign-in HTTP/1.0\r\nHost: {service.host(portal)}\r\n\r\n"
        connection.sendall(request.encode())
        with connection.makefile("rb") as answer:
            octets = answer.read()
    assert octets.startswith(b"HTTP/1.1 200 ")
    assert octets.rstrip().endswith(b"</html>")


def test_assets_are_kept_for_good_and_nothing_else_is(stranger: Visitor) -> None:
    for name in Assets.load().names():
        reply = stranger.get(Assets.load().path(name))
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in reply.headers


def test_a_token_in_an_address_is_never_logged(
    service: Service, stranger: Visitor, admin: User, capfd: pytest.CaptureFixture[str]
) -> None:
    _, token = service.run(service.parts.links.make(admin, Actor(name=OPERATOR)))
    text = token.text().reveal()
    stranger.get(f"{SIGN_IN_LINK_PATH}?token={text}")
    stranger.post(SIGN_IN_LINK_PATH, {"token": text}, Origin="http://other.example")
    stranger.post(SIGN_IN_LINK_PATH, {"token": text})
    stranger.get(f"{SIGN_IN_LINK_PATH}?token={text}")
    told = "".join(capfd.readouterr())
    assert SIGN_IN_LINK_PATH in told
    assert token.secret.reveal() not in told


def test_a_session_of_the_page_is_one_of_the_api(visitor: Visitor) -> None:
    reply = visitor.service.ask(
        "GET",
        AUTHENTICATION,
        headers={"Cookie": f"{COOKIE}={visitor.token}"},
        portal=visitor.portal,
    )
    assert reply.json()["response"] is True
