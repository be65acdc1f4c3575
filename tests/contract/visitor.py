"""Somebody who is signed in at a portal's pages, with a browser that runs no scripts."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlencode

from smarthost.audit.model import Actor
from smarthost.portals.model import Portal, User
from smarthost.web.auth import COOKIE
from tests.contract.service import Reply, Service


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A session at the pages of one portal."""

    service: Service
    portal: Portal
    token: str

    def get(self, path: str) -> Reply:
        return self.service.ask("GET", path, headers=self._headers, portal=self.portal)

    def post(self, path: str, **fields: str) -> Reply:
        """Send a form, as it would be sent from one of the portal's own pages."""
        headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(fields).encode()
        return self.service.ask("POST", path, body, headers=headers, portal=self.portal)

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Cookie": f"{COOKIE}={self.token}", "Sec-Fetch-Site": "same-origin"}


def visiting(service: Service, portal: Portal, user: User) -> Visitor:
    """Sign `user` in, whatever proves who that is."""
    work = service.parts.sign_ins.create_session(user, Actor(name=user.email))
    _, token = service.run(work)
    return Visitor(service=service, portal=portal, token=token.text().reveal())


def html(reply: Reply) -> str:
    return reply.body.decode()


def text_by_id(page: str) -> dict[str, str]:
    """Return the text of each element of `page` that has an id and no further elements."""
    reader = _Texts()
    reader.feed(page)
    return reader.found


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
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

    def handle_entityref(self, name: str) -> None:
        self.handle_data(unescape(f"&{name};"))

    def handle_charref(self, name: str) -> None:
        self.handle_data(unescape(f"&#{name};"))
