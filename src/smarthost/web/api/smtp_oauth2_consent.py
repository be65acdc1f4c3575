"""Somebody's consent to OAuth2: where to send them, and the page that they come back to.

They come back from another site, without the credentials of this one: the state that they bring is
what counts. Its end point answers people and not programs, so it is a page and no envelope. Code
and state stand in the URL: nothing is loaded from the page, and nothing that it refers to hears
of its address.
"""

from http import HTTPStatus
from typing import Annotated

import falcon.asgi
import msgspec
import structlog
from msgspec import Meta

from smarthost.clock import Clock
from smarthost.network import rate_key
from smarthost.portals.access import Action, refuse_suspended
from smarthost.portals.model import Caller
from smarthost.relay_check.consent import Consent, Ended, Ending, Shown
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.consent.model import OPEN_SECONDS
from smarthost.web.api.smtp_oauth2 import PATH as OAUTH2_PATH
from smarthost.web.api.smtp_settings import TAG
from smarthost.web.consent_page import consent_page
from smarthost.web.errors import RequestError
from smarthost.web.exchange import Exchange
from smarthost.web.operations import Answer, Call, Example, Operation
from smarthost.web.portal_finder import PortalFinder
from smarthost.web.proxies import Client
from smarthost.web.rate_limit import RateLimit
from smarthost.web.resource import Resource

log = structlog.get_logger("smarthost.web")

PATH = f"{OAUTH2_PATH}/authorize"
CALLBACK_PATH = f"{OAUTH2_PATH}/callback"

# Nothing runs, loads, frames the page or is sent from it.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
# What browsers say of a page that nobody has asked for yet.
_AHEAD = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


class SmtpOAuth2AuthorizeDto(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody is to be sent."""

    url: Annotated[
        str, Meta(description="The provider's page, to be opened in the browser of who consents.")
    ]


class SmtpOAuth2AuthorizeApi:
    """The end point that begins it."""

    def __init__(self, consent: Consent) -> None:
        self._consent = consent

    async def begin(self, call: Call[Caller]) -> Answer:
        """Answer the URL of the provider's page."""
        user = call.caller.user
        url = await self._consent.begin(
            call.portal.id, redirect_uri(call.client), call.actor, user.id
        )
        return Answer(value=SmtpOAuth2AuthorizeDto(url=url))

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="authorizeSmtpOAuth2",
                method="GET",
                path=PATH,
                tag=TAG,
                summary="Begin a consent to OAuth2",
                description="For the grant `authorization_code`. The URL is good for one consent "
                f"within {OPEN_SECONDS // 60} minutes. From the provider's page the browser comes "
                f"back to `{CALLBACK_PATH}` at the host that this was asked of, which has to be "
                "registered at the provider as a redirect URI.",
                handler=self.begin,
                action=Action.CHANGE_SETTINGS,
                answer=SmtpOAuth2AuthorizeDto,
                may_conflict=True,
                answer_examples={"url": _EXAMPLE},
            )
        ]


def redirect_uri(client: Client) -> str:
    """Return where the browser is to come back to, as it reaches this service."""
    return f"{client.scheme}://{client.host}{CALLBACK_PATH}"


class ConsentCallback(Resource):
    """Where the browser comes back to; HEAD and what is fetched ahead use no state up."""

    def __init__(
        self, consent: Consent, portals: PortalFinder, addresses: RateLimit, clock: Clock
    ) -> None:
        super().__init__(("GET",))
        self._clock = clock
        self._consent = consent
        self._portals = portals
        self._addresses = addresses

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer a page that says how it ended."""
        exchange = Exchange.of(request)
        client = exchange.client
        portal = await self._portals.find(client.host)
        exchange.quota = self._addresses.take(rate_key(client.address))
        exchange.quota.check(self._clock.now())
        refuse_suspended(portal)
        _refuse_what_nobody_reads(request)
        ended = await self._consent.end(
            portal.id, _brought(request), client.address, exchange.request_id
        )
        log.info(
            "oauth2 consent",
            request_id=exchange.request_id,
            portal=portal.name,
            ending=ended.ending.value,
            code=None if ended.failure is None else ended.failure.code.value,
        )
        worked = ended.ending is Ending.DONE
        self._answer(ended, HTTPStatus.OK if worked else HTTPStatus.BAD_REQUEST, response)

    def _answer(self, ended: Ended, status: HTTPStatus, response: falcon.asgi.Response) -> None:
        response.status = status
        response.content_type = "text/html; charset=utf-8"
        response.data = consent_page(ended).encode()
        response.set_headers(_HEADERS)


def _refuse_what_nobody_reads(request: falcon.asgi.Request) -> None:
    ahead = any(request.get_header(name) for name in _AHEAD)
    # A browser of today says what the answer is for: a picture or a frame is not read.
    if ahead or request.get_header("Sec-Fetch-Dest", default="document") != "document":
        raise RequestError(
            HTTPStatus.FORBIDDEN, "This is a page for the person who comes from the provider."
        )


def _brought(request: falcon.asgi.Request) -> Shown:
    state, code = _one(request, "state"), _one(request, "code")
    return Shown(
        state=None if state is None else Secret(state),
        code=None if code is None else Secret(code),
        error=_one(request, "error"),
        description=_one(request, "error_description"),
    )


def _one(request: falcon.asgi.Request, name: str) -> str | None:
    """Return a parameter that is there once (RFC 6749, section 3.1)."""
    values = request.get_param_as_list(name) or []
    return values[0] if len(values) == 1 else None


_EXAMPLE = Example(
    summary="Somebody may go there",
    value={
        "url": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?response_type=code"
        "&client_id=1b730954-1685-4b74-9bfd-dac224a7b894&…"
    },
)
