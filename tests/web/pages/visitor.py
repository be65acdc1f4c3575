"""A browser without eyes: it keeps the session's cookie and sends what forms send."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

from smarthost.audit.model import Actor
from smarthost.portals.model import Portal, User
from smarthost.web.auth import COOKIE
from tests.contract.service import ADMIN_PASSWORD, Reply, Service

FORM = "application/x-www-form-urlencoded"


@dataclass(kw_only=True)
class Visitor:
    """Somebody at a portal's pages."""

    service: Service
    portal: Portal
    token: str | None = None
    """The cookie's value."""
    headers: dict[str, str] = field(default_factory=dict)
    """What every request has: a proxy's, say."""

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Reply:
        body = urlencode(fields).encode()
        return self.ask("POST", path, body, headers={"Content-Type": FORM, **headers})

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, headers: dict[str, str]
    ) -> Reply:
        """Send one request, with `_` for `-` in the names of headers, and take its cookie."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            given.setdefault("Cookie", f"{COOKIE}={self.token}")
        reply = self.service.ask(
            method, path, body, headers={**self.headers, **given}, portal=self.portal
        )
        for cookie in reply.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            assert name == COOKIE
            self.token = value or None
        return reply

    def sign_in(self, user: User, then: str = "/", password: str = ADMIN_PASSWORD) -> Reply:
        """Sign in on the page as `user`."""
        fields = {"next": then, "email": user.email, "password": password}
        return self.post("/sign-in", fields)

    def is_signed_in(self) -> bool:
        return self.get("/").headers["Location"] != "/sign-in"


def signed_in(service: Service, portal: Portal, user: User) -> Visitor:
    """A visitor who has a session, whatever proved who they are."""
    work = service.parts.sign_ins.create_session(user, Actor(name=user.email))
    _, token = service.run(work)
    return Visitor(service=service, portal=portal, token=token.text().reveal())


class Seen(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and texts."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(html.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def values(self, name: str) -> list[str]:
        """The values of an attribute, of all elements that have it."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def field(self, name: str) -> str:
        """The value of a form's field."""
        return next(one.get("value", "") for _, one in self.elements if one.get("name") == name)


def text_by_id(html: bytes) -> dict[str, str]:
    """Return the text, as it is, of each element that has an id and no further elements."""
    reader = _Texts()
    reader.feed(html.decode())
    reader.close()
    return reader.found


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._in: str | None = None

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = dict(attrs).get("id")
        if self._in is not None:
            self.found[self._in] = ""

    def handle_endtag(self, _tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in is not None:
            self.found[self._in] += data
