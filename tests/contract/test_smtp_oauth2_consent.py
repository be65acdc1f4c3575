"""Somebody's consent to OAuth2, over HTTP: where they are sent, and the page they come back to."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import trustme

from smarthost.portals.model import Permission, Portal, Role
from smarthost.web.api.smtp_oauth2_consent import CALLBACK_PATH
from tests.beside import beside
from tests.contract.service import BASE_DOMAIN, SETTINGS, Reply, Service, running_service
from tests.http_servers import http_server
from tests.oauth2_provider import CLIENT_ID, CLIENT_SECRET, SCOPE, Provider
from tests.smtp.relays import server_context

OAUTH2 = f"{SETTINGS}/oauth2"
AUTHORIZE = f"{OAUTH2}/authorize"
PAGE = "https://login.example.com/authorize?tenant=7"
USER = "notify@example.com"


@contextmanager
def running_provider(ca: trustme.CA) -> Iterator[Provider]:
    """Run the provider beside the service."""
    provider = Provider()

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with http_server(provider, tls=server_context(ca, "localhost")) as server:
            provider.token_url = server.url("/token", host="localhost")
            yield

    with beside(running()):
        yield provider


@dataclass(frozen=True, kw_only=True)
class World:
    """A service, its portals' provider, and the people's browser."""

    service: Service
    provider: Provider

    def save(self, portal: Portal, key: str, host: str = "localhost") -> None:
        body = {"host": host, "port": 587, "senderAddress": USER, "enableSSL": True}
        assert self.service.ask("POST", SETTINGS, body, key=key, portal=portal).status == 200

    def bind(self, portal: Portal, key: str, **changes: object) -> None:
        self.save(portal, key)
        body = {
            "grant": "authorization_code",
            "clientId": CLIENT_ID,
            "clientSecret": CLIENT_SECRET,
            "authorizationUrl": PAGE,
            "tokenUrl": self.provider.token_url,
            "scope": SCOPE,
            "userName": USER,
            **changes,
        }
        reply = self.service.ask("PUT", OAUTH2, body, key=key, portal=portal)
        assert reply.status == 200, reply.body

    def portal(self, name: str) -> tuple[Portal, str]:
        portal = self.service.open_portal(name)
        admin = self.service.open_user("a@example.com", Role.ADMINISTRATOR, portal=portal)
        return portal, self.service.open_key(admin)

    def bound(self, name: str) -> tuple[Portal, str]:
        portal, key = self.portal(name)
        self.bind(portal, key)
        return portal, key

    def state(self, portal: Portal, key: str) -> Any:
        return self.service.ask("GET", OAUTH2, key=key, portal=portal).json()["response"]

    def asked(self, portal: Portal, key: str) -> dict[str, str]:
        """Begin, and return what the provider's page is asked."""
        reply = self.service.ask("GET", AUTHORIZE, key=key, portal=portal)
        assert reply.status == 200, reply.body
        query = urlsplit(reply.json()["response"]["url"]).query
        return {name: value for name, (value,) in parse_qs(query, strict_parsing=True).items()}

    def consents(self, asked: dict[str, str]) -> dict[str, str]:
        """Consent on the provider's page; gives what the browser brings back."""
        assert asked["code_challenge_method"] == "S256"
        code = self.provider.consent(
            challenge=asked["code_challenge"], redirect_uri=asked["redirect_uri"]
        )
        return {"code": code, "state": asked["state"]}

    def comes_back(
        self, portal: Portal, query: dict[str, str], method: str = "GET", **headers: str
    ) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"{CALLBACK_PATH}?{urlencode(query)}"
        return self.service.ask(method, path, headers=named, portal=portal)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    ca, folder = trustme.CA(), tmp_path_factory.mktemp("consent")
    trusted = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(trusted))
    with pytest.MonkeyPatch.context() as patch, running_provider(ca) as provider:
        patch.setenv("SSL_CERT_FILE", str(trusted))
        with running_service(folder) as service:
            yield World(service=service, provider=provider)


@pytest.fixture(scope="module")
def portals(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[World]:
    """The same with several portals."""
    folder = tmp_path_factory.mktemp("portals")
    with running_service(folder, BASE_DOMAIN=BASE_DOMAIN) as service:
        yield World(service=service, provider=world.provider)


@pytest.fixture
def bound(world: World) -> tuple[Portal, str]:
    """The portal of a standalone installation, where nobody has consented yet."""
    own, key = world.service.portal, world.service.key
    world.service.ask("DELETE", OAUTH2, key=key)
    world.bind(own, key)
    return own, key


def test_somebody_is_sent_to_the_providers_page(world: World, bound: tuple[Portal, str]) -> None:
    url = world.service.ask("GET", AUTHORIZE, key=bound[1]).json()["response"]["url"]
    asked = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}

    assert url.startswith(PAGE + "&")
    host = world.service.host(world.service.portal)
    assert asked["redirect_uri"] == f"http://{host}{CALLBACK_PATH}"
    assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
    assert (asked["scope"], asked["login_hint"]) == (SCOPE, USER)
    assert len(asked["state"]) == len(asked["code_challenge"]) == 43
    assert "access_type" not in asked


def test_google_is_asked_for_a_token_that_stays(world: World) -> None:
    own, key = world.service.portal, world.service.key
    world.bind(own, key, authorizationUrl="https://accounts.google.com/o/oauth2/v2/auth")

    asked = world.asked(own, key)

    assert (asked["access_type"], asked["prompt"]) == ("offline", "consent")


def test_who_consents_is_told_that_it_worked(world: World, bound: tuple[Portal, str]) -> None:
    own, key = bound
    assert world.state(own, key)["state"] == "consent needed"

    page = world.comes_back(own, world.consents(world.asked(own, key)))

    assert page.status == 200, page.body
    assert "The sign-in is set up" in page.body.decode()
    assert world.state(own, key)["state"] == "ready"
    form = world.provider.received[-1]
    assert form["grant_type"] == "authorization_code"
    assert form["client_secret"] == CLIENT_SECRET


def test_the_page_runs_loads_and_tells_nothing(world: World, bound: tuple[Portal, str]) -> None:
    page = world.comes_back(bound[0], {"state": "x" * 43, "code": "4711"})

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Set-Cookie"] is None
    words = page.body.decode().lower()
    assert not any(tag in words for tag in ("<script", "<style", "<img", "<link", "src="))
    # The way back tells nobody where it comes from; any other link might.
    assert re.findall("<a [^>]*>", words) == ['<a href="/settings/oauth2" rel="noreferrer">']
    assert "4711" not in words


@pytest.mark.parametrize("state", ["", "short", "x" * 43, "x" * 5000])
def test_a_state_that_nobody_was_given_is_refused(
    world: World, bound: tuple[Portal, str], state: str
) -> None:
    before = len(world.provider.received)

    page = world.comes_back(bound[0], {"state": state, "code": "4711"})

    assert page.status == 400
    assert "This sign-in is over" in page.body.decode()
    assert "Begin it again" in page.body.decode()
    assert len(world.provider.received) == before


def test_a_state_that_comes_twice_in_one_url_is_none(
    world: World, bound: tuple[Portal, str]
) -> None:
    brought = world.consents(world.asked(*bound))
    path = f"{CALLBACK_PATH}?{urlencode([*brought.items(), ('state', 'x' * 43)])}"

    assert world.service.ask("GET", path).status == 400


def test_a_state_is_good_once(world: World, bound: tuple[Portal, str]) -> None:
    brought = world.consents(world.asked(*bound))

    assert world.comes_back(bound[0], brought).status == 200
    again = world.consents({**world.asked(*bound), "state": brought["state"]})
    assert world.comes_back(bound[0], again).status == 400


def test_a_state_is_used_up_by_a_code_that_is_wrong(
    world: World, bound: tuple[Portal, str]
) -> None:
    brought = world.consents(world.asked(*bound))

    page = world.comes_back(bound[0], {**brought, "code": "another"})

    assert page.status == 400
    assert "Somebody has to sign in again" in page.body.decode()
    assert "invalid_grant" in page.body.decode()
    assert world.comes_back(bound[0], brought).status == 400
    assert world.state(*bound)["state"] == "consent needed"


def test_a_code_without_the_verifier_that_belongs_to_it_is_worth_nothing(
    world: World, bound: tuple[Portal, str]
) -> None:
    first, second = world.asked(*bound), world.asked(*bound)

    crossed = {**world.consents(first), "state": second["state"]}

    assert world.comes_back(bound[0], crossed).status == 400


@pytest.mark.parametrize(
    "asking",
    [
        {"method": "HEAD"},
        {"Sec_Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X_Moz": "prefetch"},
        {"Sec_Fetch_Dest": "image"},
        {"Sec_Fetch_Dest": "iframe"},
    ],
)
def test_what_nobody_reads_uses_no_state_up(
    world: World, bound: tuple[Portal, str], asking: dict[str, str]
) -> None:
    brought = world.consents(world.asked(*bound))

    assert world.comes_back(bound[0], brought, **asking).status in (403, 405)
    assert world.comes_back(bound[0], brought, Sec_Fetch_Dest="document").status == 200


def test_a_state_that_is_old_is_refused(world: World, bound: tuple[Portal, str]) -> None:
    brought = world.consents(world.asked(*bound))

    async def age() -> None:
        async def work(tx: Any) -> None:
            await tx.execute("UPDATE oauth2_authorizations SET expires_at = 1")

        await world.service.parts.database.transact(work)

    world.service.run(age())
    assert world.comes_back(bound[0], brought).status == 400


def test_other_settings_meanwhile_end_it(world: World, bound: tuple[Portal, str]) -> None:
    own, key = bound
    brought = world.consents(world.asked(own, key))
    world.bind(own, key, clientSecret="another")

    assert world.comes_back(own, brought).status == 400
    assert world.state(own, key)["state"] == "consent needed"


def test_a_change_that_leaves_the_sign_in_as_it_is_does_not_end_it(
    world: World, bound: tuple[Portal, str]
) -> None:
    own, key = bound
    brought = world.consents(world.asked(own, key))
    body = {"host": "localhost", "port": 587, "senderAddress": USER, "enableSSL": True}
    login = {"enableAuth": True, "credentialsUserName": USER, "senderDisplayName": "Anna"}
    assert world.service.ask("POST", SETTINGS, body | login, key=key).status == 200

    assert world.comes_back(own, brought).status == 200
    assert world.state(own, key)["state"] == "ready"


def test_who_says_no_is_told_what_that_means(world: World, bound: tuple[Portal, str]) -> None:
    said = {"error": "access_denied", "error_description": "<b>AADSTS65004</b>:\r\ndeclined\u202e"}
    asked = world.asked(*bound)

    page = world.comes_back(bound[0], {"state": asked["state"], **said})

    words = page.body.decode()
    assert page.status == 400
    assert "The permission was not given" in words
    assert "&lt;b&gt;AADSTS65004&lt;/b&gt;: declined" in words
    assert "\u202e" not in words
    assert world.comes_back(bound[0], world.consents(asked)).status == 400


def test_what_the_provider_refuses_is_quoted_and_bounded(
    world: World, bound: tuple[Portal, str]
) -> None:
    asked = world.asked(*bound)
    said = {"error": "invalid_scope", "error_description": f"no {asked['state']} " + "x " * 2000}

    page = world.comes_back(bound[0], {"state": asked["state"], **said})

    words = page.body.decode()
    assert "The provider did not let the sign-in go on" in words
    assert "invalid_scope: no [hidden] x x" in words
    assert len(words) < 2000


def test_a_consent_without_a_refresh_token_is_none(
    world: World, bound: tuple[Portal, str]
) -> None:
    brought = world.consents(world.asked(*bound))
    world.provider.instead = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 58\r\n\r\n"
        b'{"access_token":"a","token_type":"Bearer","expires_in":60}'
    )
    try:
        page = world.comes_back(bound[0], brought)
    finally:
        world.provider.instead = None

    assert page.status == 400
    assert "The permission would be over in an hour" in page.body.decode()
    assert world.state(*bound)["state"] == "consent needed"


def test_settings_without_a_consent_to_give_are_409(world: World) -> None:
    key = world.service.key
    for begin in (
        lambda: world.service.ask("DELETE", SETTINGS, key=key),
        lambda: world.save(world.service.portal, key),
        lambda: world.bind(
            world.service.portal, key, grant="client_credentials", authorizationUrl=None
        ),
    ):
        begin()
        reply = world.service.ask("GET", AUTHORIZE, key=key)
        assert reply.status == 409
        assert "Nobody has to consent" in reply.json()["error"]["message"]


def test_only_who_may_change_the_settings_may_begin(
    world: World, bound: tuple[Portal, str]
) -> None:
    service = world.service
    reading = service.open_key(None, Permission.READ)
    user = service.open_key(service.open_user("user@example.com"))

    assert service.ask("GET", AUTHORIZE).status == 401
    for key in (reading, user):
        assert service.ask("GET", AUTHORIZE, key=key).status == 403


def test_a_foreign_page_cannot_begin_with_the_visitors_cookie(
    world: World, bound: tuple[Portal, str]
) -> None:
    cookie = {"Cookie": f"asc_auth_key={bound[1]}"}

    foreign = world.service.ask(
        "GET", AUTHORIZE, headers={**cookie, "Sec-Fetch-Site": "same-site"}
    )

    assert foreign.status == 403
    assert world.service.ask("GET", AUTHORIZE, headers=cookie).status == 200


def test_a_state_is_good_for_its_portal_alone(portals: World) -> None:
    (anna, anna_key), (ben, ben_key) = portals.bound("anna"), portals.bound("ben")
    asked = portals.asked(anna, anna_key)
    assert asked["redirect_uri"].startswith(f"http://anna.{BASE_DOMAIN}:")
    brought = portals.consents(asked)

    assert portals.comes_back(ben, brought).status == 400
    assert portals.state(ben, ben_key)["state"] == "consent needed"
    nobody = {"Host": f"nobody.{BASE_DOMAIN}"}
    assert portals.service.ask("GET", CALLBACK_PATH, headers=nobody).status == 404


def test_with_several_portals_no_code_goes_to_the_operators_own_network(portals: World) -> None:
    portal, key = portals.bound("carl")
    before = len(portals.provider.received)

    page = portals.comes_back(portal, portals.consents(portals.asked(portal, key)))

    assert page.status == 400
    assert "The sign-in service does not answer" in page.body.decode()
    assert len(portals.provider.received) == before


def test_a_suspended_portal_takes_nobody_back(portals: World) -> None:
    portal, key = portals.bound("dora")
    brought = portals.consents(portals.asked(portal, key))

    with portals.service.suspended(portal):
        assert portals.comes_back(portal, brought).status == 403


def test_the_audit_tells_who_set_out(world: World, bound: tuple[Portal, str]) -> None:
    page = world.comes_back(bound[0], world.consents(world.asked(*bound)))

    async def last() -> Any:
        return await world.service.parts.database.fetch(
            "SELECT actor, request_id, details FROM audit_events "
            "WHERE action = 'settings.oauth2_consented' ORDER BY id DESC LIMIT 1"
        )

    [(actor, request_id, details)] = world.service.run(last())
    assert (actor, request_id) == (world.service.admin.email, page.headers["X-Request-Id"])
    assert details == "{}"
