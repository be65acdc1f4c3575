"""Tokens of an OpenID Connect issuer, beside the other credentials of a request."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from smarthost.identity.model import LONGEST_TOKEN
from smarthost.portals.model import Portal, Role
from tests.contract.service import (
    ADMIN_EMAIL,
    AUTHENTICATION,
    BASE_DOMAIN,
    EMAILS,
    KEYS,
    SETTINGS,
    Service,
    running_service,
)
from tests.journeys.openid_world import OpenIdWorld, openid_world

USER = "user@example.com"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdWorld]:
    with (
        openid_world(tmp_path_factory.mktemp("openid")) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environ.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def signed(world: OpenIdWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One portal, with a user who is no administrator."""
    with running_service(tmp_path_factory.mktemp("one"), **world.settings()) as service:
        service.open_user(USER)
        yield service


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status(service: Service, headers: dict[str, str], portal: Portal | None = None) -> int:
    return service.ask("GET", SETTINGS, headers=headers, portal=portal).status


def test_a_token_acts_with_all_rights_of_its_user(signed: Service, world: OpenIdWorld) -> None:
    admin = bearer(world.provider.token(ADMIN_EMAIL))
    assert status(signed, admin) == 200
    body = {"host": "localhost", "port": 2525, "senderAddress": "notify@example.com"}
    assert signed.ask("POST", SETTINGS, body, headers=admin).status == 200
    made = signed.ask("POST", KEYS, {"name": "x", "permissions": ["*"]}, headers=admin)
    assert made.status == 200
    assert status(signed, {"Authorization": made.json()["response"]["key"]}) == 200
    assert signed.ask("GET", AUTHENTICATION, headers=admin).json()["response"] is True
    signing_out = signed.ask("POST", f"{AUTHENTICATION}/logout", headers=admin)
    assert signing_out.status == 403
    assert "Only a session" in signing_out.json()["error"]["message"]


def test_a_user_s_token_sends_and_sees_that_alone(signed: Service, world: OpenIdWorld) -> None:
    user, admin = (bearer(world.provider.token(email)) for email in (USER, ADMIN_EMAIL))
    assert status(signed, user) == 403
    mail = {"from": "notify@example.com", "to": "a@example.com", "subject": "s", "text": "t"}
    sent = {}
    for name, headers in (("user", user), ("admin", admin)):
        reply = signed.ask("POST", EMAILS, mail, headers=headers)
        assert reply.status == 200, reply.body
        sent[name] = reply.json()["id"]

    def listed(headers: dict[str, str]) -> set[str]:
        found = signed.ask("GET", EMAILS, headers=headers).json()["data"]
        return {one["id"] for one in found} & set(sent.values())

    assert listed(user) == {sent["user"]}
    assert listed(admin) == set(sent.values())


def test_a_refusal_says_why(signed: Service, world: OpenIdWorld) -> None:
    for token, words in (
        (world.provider.token(exp=1), "expired"),
        (world.provider.token(aud="another"), "another application"),
        (world.provider.token(iss="https://evil.example"), "another issuer"),
        (world.provider.token("nobody@example.com"), "no user"),
        ("eyJ.eyJ.x", "no signed JWT"),
        ("x" * LONGEST_TOKEN + ".", "more than"),
    ):
        reply = signed.ask("GET", SETTINGS, headers=bearer(token))
        message: str = reply.json()["error"]["message"]
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Bearer ")
        assert words in message
        assert not any(secret in message for secret in ("nobody", "evil", world.provider.issuer))
    as_resend = signed.ask("GET", EMAILS, headers=bearer(world.provider.token(exp=1)))
    assert (as_resend.status, as_resend.json()["name"]) == (403, "invalid_api_key")


def test_a_token_is_taken_in_one_place_alone(signed: Service, world: OpenIdWorld) -> None:
    token = world.provider.token(ADMIN_EMAIL)
    assert status(signed, {"Authorization": f"bearer  {token}"}) == 200
    for headers in (
        {"Authorization": token},
        {"ApiKeyBearer": token},
        {"Cookie": f"asc_auth_key={token}"},
        {"Authorization": f"Basic {token}"},
    ):
        assert status(signed, headers) == 401
    assert status(signed, {}) == 401
    assert signed.ask("GET", f"{SETTINGS}?access_token={token}").status == 401


def test_beside_other_credentials_it_is_one_of_them(signed: Service, world: OpenIdWorld) -> None:
    admin, user = (bearer(world.provider.token(email)) for email in (ADMIN_EMAIL, USER))
    wrong = bearer(world.provider.token(ADMIN_EMAIL, exp=1))
    cookie, header = {"Cookie": f"asc_auth_key={signed.key}"}, {"ApiKeyBearer": signed.key}
    for other in (cookie, header):
        assert status(signed, admin | other) == 200
        assert (
            "two different users"
            in signed.ask("GET", SETTINGS, headers=user | other).json()["error"]["message"]
        )
    assert status(signed, wrong | header) == 200, "as with a key that has expired"
    assert status(signed, wrong | cookie) == 401, "the cookie does not stand in for it"


def test_a_page_of_another_site_cannot_add_it(signed: Service, world: OpenIdWorld) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert status(signed, bearer(world.provider.token(ADMIN_EMAIL)) | foreign) == 200


def test_without_the_issuer_s_keys_it_is_503(world: OpenIdWorld, tmp_path: Path) -> None:
    nowhere = {"OIDC_ISSUER": "https://localhost:1/x", "OIDC_AUDIENCE": "smarthost"}
    with running_service(tmp_path, **nowhere) as service:
        token = world.provider.token(ADMIN_EMAIL, iss=nowhere["OIDC_ISSUER"])
        reply = service.ask("GET", SETTINGS, headers=bearer(token))
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
        assert "identity provider" in reply.json()["error"]["message"]
        assert service.ask("GET", EMAILS, headers=bearer(token)).status == 503
        assert status(service, {"Authorization": service.key}) == 200
        assert status(service, bearer(world.provider.token())) == 401


def test_without_an_issuer_no_token_is_taken(service: Service, world: OpenIdWorld) -> None:
    token = world.provider.token(ADMIN_EMAIL)
    reply = service.ask("GET", SETTINGS, headers=bearer(token))
    assert reply.status == 401
    assert reply.body == service.ask("GET", SETTINGS, headers=bearer("x")).body
    cookie = {"Cookie": f"asc_auth_key={service.key}"}
    assert status(service, bearer(token) | cookie) == 200, "a proxy's own, which is none of ours"


def test_with_several_portals_a_token_names_its_own(world: OpenIdWorld, tmp_path: Path) -> None:
    settings = world.settings(
        BASE_DOMAIN=BASE_DOMAIN, OIDC_PORTAL_CLAIM="portals", OIDC_ADMINISTRATORS="role=admin"
    )
    with running_service(tmp_path, **settings) as service:
        other = service.open_portal("other")
        service.open_user(ADMIN_EMAIL, Role.ADMINISTRATOR, portal=other)
        home = service.portal.name
        first = bearer(world.provider.token(ADMIN_EMAIL, portals=home, role="admin"))
        assert status(service, first) == 200
        assert status(service, first, other) == 401
        both = bearer(world.provider.token(ADMIN_EMAIL, portals=[home, "other"], role="admin"))
        assert [status(service, both, portal) for portal in (None, other)] == [200, 200]
        assert status(service, bearer(world.provider.token(ADMIN_EMAIL, role="admin"))) == 401
        lesser = bearer(world.provider.token(ADMIN_EMAIL, portals=home))
        assert status(service, lesser) == 403
        made = service.ask("POST", KEYS, {"name": "x", "permissions": ["*"]}, headers=lesser)
        assert made.status == 403
        with service.suspended(service.portal):
            assert status(service, first) == 403
