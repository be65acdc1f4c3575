"""A portal that the operator has suspended: whoever proves to be of it is told so, nobody else."""

import base64
from collections.abc import Iterator

import pytest

from smarthost.portals.model import Permission, Portal, Role
from tests.contract.bodies import OPEN
from tests.contract.service import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    AUTHENTICATION,
    EMAILS,
    KEYS,
    SETTINGS,
    Service,
)

SIGN_IN = {"userName": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
SESSIONS = "SELECT count(*) FROM sessions WHERE portal_id = $1"


@pytest.fixture(scope="module")
def portal(portals_service: Service) -> Portal:
    return portals_service.open_portal("suspended")


@pytest.fixture(scope="module")
def key(portals_service: Service, portal: Portal) -> str:
    admin = portals_service.open_user(
        ADMIN_EMAIL, Role.ADMINISTRATOR, portal=portal, password=ADMIN_PASSWORD
    )
    return portals_service.open_key(admin)


@pytest.fixture
def suspended(portals_service: Service, portal: Portal, key: str) -> Iterator[Service]:
    with portals_service.suspended(portal):
        yield portals_service


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", SETTINGS),
        ("POST", SETTINGS),
        ("DELETE", SETTINGS),
        ("GET", f"{SETTINGS}/test"),
        ("GET", f"{SETTINGS}/test/status"),
        ("GET", f"{SETTINGS}/health"),
        ("GET", f"{SETTINGS}/history"),
        ("POST", f"{SETTINGS}/history/1/restore"),
        ("GET", KEYS),
        ("GET", AUTHENTICATION),
        ("POST", f"{AUTHENTICATION}/logout"),
        ("GET", "/api/2.0/webhook"),
    ],
)
def test_every_call_with_its_credentials_is_403(
    suspended: Service, portal: Portal, key: str, method: str, path: str
) -> None:
    reply = suspended.ask(method, path, OPEN, portal=portal, key=key)
    assert (reply.status, reply.json()["error"]["type"]) == (403, "forbidden")
    assert "suspended" in reply.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", EMAILS), ("POST", EMAILS)])
def test_the_sending_api_tells_it_in_its_own_shape(
    suspended: Service, portal: Portal, key: str, method: str, path: str
) -> None:
    reply = suspended.ask(method, path, {"to": "a@example.net"}, portal=portal, key=key)
    assert (reply.status, reply.json()["name"]) == (403, "suspended_api_key")


def test_nobody_signs_in(suspended: Service, portal: Portal) -> None:
    reply = suspended.ask("POST", AUTHENTICATION, SIGN_IN, portal=portal)
    assert reply.status == 403
    assert "suspended" in reply.json()["error"]["message"]
    basic = base64.b64encode(f"{ADMIN_EMAIL}:{ADMIN_PASSWORD}".encode()).decode()
    reply = suspended.ask("GET", AUTHENTICATION, portal=portal, key=f"Basic {basic}")
    assert reply.status == 403
    assert suspended.run(suspended.parts.database.fetch(SESSIONS, portal.id)) == [(0,)]


def test_a_stranger_does_not_learn_of_it(
    portals_service: Service, portal: Portal, key: str
) -> None:
    wrong = {**SIGN_IN, "password": "guessed"}

    def seen() -> list[tuple[int, bytes]]:
        replies = [
            portals_service.ask("GET", SETTINGS, portal=portal),
            portals_service.ask("GET", SETTINGS, portal=portal, key=f"{key[:-1]}~"),
            portals_service.ask("GET", EMAILS, portal=portal, key=portals_service.key),
            portals_service.ask("POST", AUTHENTICATION, wrong, portal=portal),
            portals_service.ask("PUT", SETTINGS, portal=portal, key=key),
        ]
        return [(reply.status, reply.body) for reply in replies]

    before = seen()
    with portals_service.suspended(portal):
        assert seen() == before
    assert [status for status, _ in before] == [401, 401, 403, 401, 405]


def test_it_comes_before_the_callers_own_rights(suspended: Service, portal: Portal) -> None:
    user = suspended.open_user("user@example.com", portal=portal)
    sending = suspended.open_key(user, Permission.SEND)
    reply = suspended.ask("POST", SETTINGS, b"<xml/>", portal=portal, key=sending)
    assert (reply.status, "suspended" in reply.json()["error"]["message"]) == (403, True)


def test_other_portals_and_the_health_of_the_service_are_as_ever(
    suspended: Service, portal: Portal
) -> None:
    assert suspended.ask("GET", SETTINGS, key=suspended.key).status == 200
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert suspended.ask("GET", path, portal=portal).status == 200


def test_a_session_goes_on_afterwards(portals_service: Service, portal: Portal, key: str) -> None:
    reply = portals_service.ask("POST", AUTHENTICATION, SIGN_IN, portal=portal)
    token = reply.json()["response"]["token"]
    with portals_service.suspended(portal):
        reply = portals_service.ask("GET", AUTHENTICATION, portal=portal, key=token)
        assert reply.status == 403
    for credential in (token, key):
        reply = portals_service.ask("GET", AUTHENTICATION, portal=portal, key=credential)
        assert reply.status == 200
