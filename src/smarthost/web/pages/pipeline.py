"""The way of a request for a page: portal, who is signed in, limits, the form, the page, the HTML.

It is that of `web/pipeline.py` with a browser at the other end: only a session's cookie counts,
whoever is not signed in is sent to do so and comes back, and what comes from another site's page
is refused.
"""

from http import HTTPStatus

import falcon.asgi

from smarthost.clock import Clock
from smarthost.network import rate_key
from smarthost.portals.access import refuse_suspended
from smarthost.portals.model import Caller, CredentialKind, Portal
from smarthost.web.auth import Authenticator, Shown
from smarthost.web.cookies import shown_cookie
from smarthost.web.cross_site import check_same_origin, says_foreign
from smarthost.web.errors import RequestError, UnauthorizedError
from smarthost.web.exchange import Exchange
from smarthost.web.pages.answering import answer, refuse, send_to_sign_in
from smarthost.web.pages.asking import Asker
from smarthost.web.pages.form import LARGEST_FORM, Form
from smarthost.web.pages.page import Html, Page, PageCall, Reader, Redirect
from smarthost.web.portal_finder import PortalFinder
from smarthost.web.rate_limit import RateLimit
from smarthost.web.reading import read_form
from smarthost.web.refusing import refused
from smarthost.web.request import Request

_TWO_COOKIES = (
    "Your browser sends two cookies asc_auth_key, and only one can be from here: another site of "
    "the same domain has set one too. Delete the cookies of this site, then sign in."
)
_NOT_OURS = (
    "This did not come from a page of this address, so nothing was done. Open the page here and "
    "do it again."
)
_IF_IT_STAYS = "If it stays so, the proxy in front {reason}: ask the operator of the installation."
_NOT_TOLD = "does not tell Smarthost the address that your browser shows"
_NOT_BELIEVED = (
    "is not named in SMARTHOST_TRUSTED_NETWORKS, so what it tells of the address that your "
    "browser shows is not believed"
)


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
        """Answer `request`; what is refused before it is known who asks is raised."""
        exchange = Exchange.of(request)
        portal = await self._portals.find(exchange.client.host)
        caller = await self._caller(portal, request, exchange)
        reader = Reader(portal=portal, caller=caller)
        try:
            result = await self._result(page, portal, caller, request, path)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has a page
            refuse(refused(exchange, error, self._clock), reader, request, response)
        else:
            if result is None:
                send_to_sign_in(request, response)
            else:
                answer(result, reader, response)
                if not page.public:
                    # A page that keeps itself as it is now asks less often for what is much work.
                    taken = (self._clock.monotonic() - exchange.started) * 1_000
                    response.set_header("Server-Timing", f"page;dur={taken:.1f}")

    async def _result(
        self,
        page: Page,
        portal: Portal,
        caller: Caller | None,
        request: Request,
        path: dict[str, str],
    ) -> Html | Redirect | None:
        """Return what the page gives, None where somebody has to sign in first."""
        if page.method == "POST":
            _check_is_ours(request)
        if not page.public:
            if caller is None:
                return None
            refuse_suspended(portal)
        return await page.handler(await self._call(page, portal, caller, request, path))

    async def _caller(self, portal: Portal, request: Request, exchange: Exchange) -> Caller | None:
        try:
            caller = await self._signed_in(shown_cookie(request), portal, exchange)
        except UnauthorizedError:
            self._admit(None, exchange)
            raise RequestError(HTTPStatus.BAD_REQUEST, _TWO_COOKIES) from None
        self._admit(caller, exchange)
        return caller

    async def _signed_in(
        self, cookie: str | None, portal: Portal, exchange: Exchange
    ) -> Caller | None:
        """Return whose session the cookie shows, None for none or one that has ended."""
        if not cookie:
            return None
        shown = Shown(authorization=None, api_key_bearer=None, cookie=cookie)
        try:
            identity = await self._authenticator.identify(shown, portal, exchange.client)
        except UnauthorizedError:
            return None
        # An API key is a program's: it cannot be signed out, and no page of ours has set it.
        is_session = identity.caller.kind is CredentialKind.SESSION
        return identity.caller if is_session else None

    def _admit(self, caller: Caller | None, exchange: Exchange) -> None:
        exchange.caller = caller
        if caller is None:
            exchange.quota = self._addresses.take(rate_key(exchange.client.address))
        else:
            exchange.quota = self._users.take(caller.user.id)
        exchange.quota.check(self._clock.now())

    async def _call(
        self,
        page: Page,
        portal: Portal,
        caller: Caller | None,
        request: Request,
        path: dict[str, str],
    ) -> PageCall:
        exchange = Exchange.of(request)
        actor = exchange.actor
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


def _check_is_ours(request: Request) -> None:
    """Refuse a form that another site's page sent, signed in or not: it could sign somebody in."""
    client = Exchange.of(request).client
    fetch_site = request.get_header("Sec-Fetch-Site")
    try:
        check_same_origin(
            fetch_site=fetch_site,
            origin=request.get_header("Origin"),
            referer=request.get_header("Referer"),
            client=client,
        )
    except RequestError as error:
        told = _NOT_OURS
        if not says_foreign(fetch_site):
            reason = _NOT_BELIEVED if client.disbelieved else _NOT_TOLD
            told += " " + _IF_IT_STAYS.format(reason=reason)
        raise RequestError(error.status, told) from None
