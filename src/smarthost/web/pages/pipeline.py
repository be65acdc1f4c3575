"""The way of a request for a page: portal, who is signed in, limits, the form, the page, the HTML.

It is that of `web/pipeline.py` with a browser at the other end: only the cookie counts, whoever is
not signed in is sent to do so and comes back, and what comes from another site's page is refused.
"""

from http import HTTPStatus
from urllib.parse import quote

import falcon.asgi

from smarthost.audit.model import Actor
from smarthost.clock import Clock
from smarthost.network import rate_key
from smarthost.portals.access import refuse_suspended
from smarthost.portals.model import Caller, Portal
from smarthost.web.auth import Authenticator, Shown
from smarthost.web.cookies import shown_cookie
from smarthost.web.cross_site import check_same_origin
from smarthost.web.errors import UnauthorizedError
from smarthost.web.exchange import Exchange
from smarthost.web.pages.asking import Asker
from smarthost.web.pages.family import HTML, SIGN_IN
from smarthost.web.pages.form import LARGEST_FORM, Form
from smarthost.web.pages.page import Html, Page, PageCall, Redirect
from smarthost.web.portal_finder import PortalFinder
from smarthost.web.rate_limit import RateLimit
from smarthost.web.reading import read_form
from smarthost.web.request import Request

_FROM_ANOTHER_SITE = ("cross-site", "same-site")


class PagePipeline:
    """Takes a request to its page."""

    def __init__(
        self,
        portals: PortalFinder,
        authenticator: Authenticator,
        users: RateLimit,
        addresses: RateLimit,
        clock: Clock,
        asker: Asker,
    ) -> None:
        self._portals = portals
        self._authenticator = authenticator
        self._users = users
        self._addresses = addresses
        self._clock = clock
        self._asker = asker

    async def run(
        self, page: Page, request: Request, response: falcon.asgi.Response, path: dict[str, str]
    ) -> None:
        """Answer `request`; whatever it refuses is raised."""
        exchange = Exchange.of(request)
        portal = await self._portals.find(exchange.client.host)
        caller = await self._caller(portal, request, exchange)
        if page.method == "POST":
            _check_is_ours(request, exchange)
        if not page.public:
            refuse_suspended(portal)
            if caller is None:
                _send_away(request, response)
                return
        call = await self._call(page, portal, caller, request, path)
        _answer(await page.handler(call), call, response)

    async def _caller(self, portal: Portal, request: Request, exchange: Exchange) -> Caller | None:
        cookie = shown_cookie(request)
        caller = None
        if cookie:
            shown = Shown(authorization=None, api_key_bearer=None, cookie=cookie)
            try:
                identity = await self._authenticator.identify(shown, portal, exchange.client)
            except UnauthorizedError:
                pass  # it has ended: whoever it was signs in anew
            else:
                caller = identity.caller
        exchange.caller = caller
        if caller is None:
            exchange.quota = self._addresses.take(rate_key(exchange.client.address))
        else:
            exchange.quota = self._users.take(caller.user.id)
        exchange.quota.check(self._clock.now())
        return caller

    async def _call(
        self,
        page: Page,
        portal: Portal,
        caller: Caller | None,
        request: Request,
        path: dict[str, str],
    ) -> PageCall:
        exchange = Exchange.of(request)
        actor = Actor(
            name="nobody" if caller is None else caller.user.email,
            address=exchange.client.address,
            request_id=exchange.request_id,
        )
        encoded = await read_form(request, LARGEST_FORM) if page.method == "POST" else b""
        return PageCall(
            portal=portal,
            caller=caller,
            actor=actor,
            client=exchange.client,
            path=path,
            query=Form.of(request.scope["query_string"]),
            form=Form.of(encoded),
            ask=self._asker.on_behalf_of(portal, caller, actor, exchange.client),
        )


def _check_is_ours(request: Request, exchange: Exchange) -> None:
    """Refuse a form that another site's page sent, signed in or not: it could sign somebody in."""
    check_same_origin(
        fetch_site=request.get_header("Sec-Fetch-Site"),
        origin=request.get_header("Origin"),
        referer=request.get_header("Referer"),
        client=exchange.client,
    )


def _send_away(request: Request, response: falcon.asgi.Response) -> None:
    """Send somebody who is not signed in to where they can be.

    A browser that follows a link from another site, such as a mail reader, leaves the cookie out
    at first (`SameSite=Strict`): it is asked to come once more, from here.
    """
    site = request.get_header("Sec-Fetch-Site", default="").lower()
    if request.method == "GET" and site in _FROM_ANOTHER_SITE:
        response.set_header("Refresh", "0")
        response.content_type = HTML
        response.data = b""
        return
    here = request.path + (f"?{request.query_string}" if request.query_string else "")
    back = "" if request.method == "POST" or here == "/" else f"?next={quote(here, safe='/')}"
    response.status = HTTPStatus.SEE_OTHER
    response.set_header("Location", f"{SIGN_IN}{back}")


def _answer(result: Html | Redirect, call: PageCall, response: falcon.asgi.Response) -> None:
    if isinstance(result, Redirect):
        response.status = HTTPStatus.SEE_OTHER
        response.set_header("Location", result.to)
        if result.cookie is not None:
            response.append_header("Set-Cookie", result.cookie)
        return
    # Loaded with the first page: a service that only APIs are asked of never needs it.
    from smarthost.web.pages.rendering import Rendering  # noqa: PLC0415

    response.status = result.status
    response.content_type = HTML
    response.data = Rendering.load().page(result, call)
    response.set_headers(dict(result.headers))
