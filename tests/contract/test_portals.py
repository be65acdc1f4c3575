"""Several portals: found by host name, strangers to each other, and the operator's switch."""

from collections.abc import Iterator

import pytest

from smarthost.portals.model import Portal, Role
from tests.contract.bodies import LOGIN, OPEN
from tests.contract.service import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    AUTHENTICATION,
    BASE_DOMAIN,
    KEYS,
    SETTINGS,
    Service,
    running_service,
)

RELAY_PASSWORD = "CANARY-default-relay"
DEFAULT_RELAY = (
    f"smtps://robot:{RELAY_PASSWORD}@relay.operator.example:465"
    "?sender=robot@operator.example&name=Robot"
)
HIDDEN = {
    "port": 25,
    "credentialsUserPassword": "",
    "enableSSL": False,
    "enableAuth": False,
    "useNtlm": False,
    "isDefaultSettings": True,
}
UNKNOWN_ID = "01912345-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def other(portals_service: Service) -> Portal:
    """A second portal."""
    return portals_service.open_portal("other")


@pytest.fixture(scope="module")
def other_key(portals_service: Service, other: Portal) -> str:
    """Its administrator's, who has the first one's address and password too."""
    admin = portals_service.open_user(
        ADMIN_EMAIL, Role.ADMINISTRATOR, portal=other, password=ADMIN_PASSWORD
    )
    return portals_service.open_key(admin)


@pytest.mark.parametrize("form", ["{0}", "{0}:8025", "{0}:", "{0}.", "{0}.:80", "{1}", "{1}.:443"])
def test_a_portal_is_the_label_under_the_base_domain(portals_service: Service, form: str) -> None:
    name = f"{portals_service.portal.name}.{BASE_DOMAIN}"
    headers = {"Host": form.format(name, name.upper())}

    assert (
        portals_service.ask("GET", SETTINGS, headers=headers, key=portals_service.key).status
        == 200
    )


@pytest.mark.parametrize(
    "host",
    [BASE_DOMAIN, f"nobody.{BASE_DOMAIN}", f"a.default.{BASE_DOMAIN}", f"default{BASE_DOMAIN}",
     "default", "default.", "127.0.0.1", "[::1]", f"default.{BASE_DOMAIN}.example",
     f"default.{BASE_DOMAIN}..", f".{BASE_DOMAIN}", f"%64efault.{BASE_DOMAIN}"],
)  # fmt: skip
def test_any_other_host_is_404_or_none_at_all(portals_service: Service, host: str) -> None:
    for method, path in (("GET", SETTINGS), ("POST", AUTHENTICATION), ("GET", KEYS)):
        headers = {"Host": host}
        reply = portals_service.ask(method, path, headers=headers, key=portals_service.key)

        assert reply.status == (400 if "%" in host else 404)


def test_a_standalone_installation_answers_on_any_host(service: Service) -> None:
    for host in ("anything.example", "[::1]:1", "127.0.0.1"):
        assert service.ask("GET", SETTINGS, headers={"Host": host}, key=service.key).status == 200


def test_each_portal_has_its_own_settings(
    portals_service: Service, other: Portal, other_key: str
) -> None:
    portals_service.ask("POST", SETTINGS, LOGIN, key=portals_service.key)
    portals_service.ask("POST", SETTINGS, OPEN, key=other_key, portal=other)

    first = portals_service.ask("GET", SETTINGS, key=portals_service.key).json()["response"]
    second = portals_service.ask("GET", SETTINGS, key=other_key, portal=other).json()["response"]
    assert (first["host"], second["host"]) == (LOGIN["host"], OPEN["host"])


def test_credentials_of_another_portal_are_nothing_here(
    portals_service: Service, other: Portal, other_key: str
) -> None:
    body = {"userName": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    session = portals_service.ask("POST", AUTHENTICATION, body, portal=other).json()["response"]
    unknown = portals_service.ask("GET", SETTINGS, key="nobody").body

    for token in (other_key, session["token"]):
        assert portals_service.ask("GET", SETTINGS, key=token, portal=other).status == 200
        for headers in (
            {"Authorization": token},
            {"ApiKeyBearer": token},
            {"Cookie": f"asc_auth_key={token}"},
        ):
            reply = portals_service.ask("GET", SETTINGS, headers=headers)
            assert (reply.status, reply.body) == (401, unknown)


def test_a_cookie_of_one_portal_and_a_key_of_another_are_401(
    portals_service: Service, other_key: str
) -> None:
    headers = {"Cookie": f"asc_auth_key={portals_service.key}", "Authorization": other_key}

    assert portals_service.ask("GET", SETTINGS, headers=headers).status == 401


def test_ids_of_another_portal_are_unknown_ids(
    portals_service: Service, other: Portal, other_key: str
) -> None:
    unknown = portals_service.ask("DELETE", f"{KEYS}/{UNKNOWN_ID}", key=portals_service.key)
    foreign = portals_service.ask("DELETE", f"{KEYS}/{other_key[3:39]}", key=portals_service.key)

    assert (foreign.status, foreign.body) == (404, unknown.body)
    assert portals_service.ask("GET", SETTINGS, key=other_key, portal=other).status == 200


def test_another_portal_s_keys_are_not_listed(portals_service: Service, other_key: str) -> None:
    listed = portals_service.ask("GET", KEYS, key=portals_service.key).json()["response"]

    assert other_key[3:39] not in {key["id"] for key in listed}


def test_wrong_passwords_in_one_portal_do_not_lock_the_other(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("locked")
    settings = {"BASE_DOMAIN": BASE_DOMAIN, "TRUSTED_NETWORKS": "127.0.0.0/8"}
    with running_service(folder, **settings) as running:
        second = running.open_portal("second")
        running.open_user(ADMIN_EMAIL, portal=second, password=ADMIN_PASSWORD)
        body = {"userName": ADMIN_EMAIL, "password": "wrong"}
        for last in range(6):
            headers = {"X-Forwarded-For": f"192.0.2.{last}"}
            running.ask("POST", AUTHENTICATION, body, headers=headers)

        right = {**body, "password": ADMIN_PASSWORD}
        assert running.ask("POST", AUTHENTICATION, right, portal=second).status == 200


# --- the operator's switch


@pytest.fixture
def denied(portals_service: Service) -> Iterator[Service]:
    portals_service.allow_settings(portals_service.portal, allowed=False)
    yield portals_service
    portals_service.allow_settings(portals_service.portal, allowed=True)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_settings_that_are_switched_off_are_402(denied: Service, method: str) -> None:
    reply = denied.ask(method, SETTINGS, OPEN, key=denied.key)

    assert (reply.status, reply.json()["error"]["type"]) == (402, "paymentRequired")
    assert "operator" in reply.json()["error"]["message"]


def test_402_comes_after_401_and_before_everything_else(denied: Service) -> None:
    plain_user = denied.open_key(denied.open_user("nobody@example.com"))
    cross_site = {"Cookie": f"asc_auth_key={denied.key}", "Sec-Fetch-Site": "cross-site"}

    assert denied.ask("POST", SETTINGS, b"<xml/>").status == 401
    assert denied.ask("PUT", SETTINGS).status == 405
    assert denied.ask("POST", SETTINGS, b"<xml/>", key=plain_user).status == 402
    assert denied.ask("GET", SETTINGS, headers=cross_site).status == 402


def test_the_switch_leaves_keys_and_other_portals_alone(
    denied: Service, other: Portal, other_key: str
) -> None:
    assert denied.ask("GET", KEYS, key=denied.key).status == 200
    assert denied.ask("GET", AUTHENTICATION, key=denied.key).status == 200
    assert denied.ask("GET", SETTINGS, key=other_key, portal=other).status == 200


# --- the default relay


def test_with_one_portal_the_default_relay_is_shown_without_its_password(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("shown")
    with running_service(folder, DEFAULT_RELAY_URL=DEFAULT_RELAY) as running:
        reply = running.ask("GET", SETTINGS, key=running.key)
        shown = {
            "host": "relay.operator.example",
            "port": 465,
            "senderAddress": "robot@operator.example",
            "senderDisplayName": "Robot",
            "credentialsUserName": "robot",
            "credentialsUserPassword": "",
            "enableSSL": True,
            "enableAuth": True,
            "useNtlm": False,
            "isDefaultSettings": True,
        }
        assert reply.json()["response"] == shown
        assert RELAY_PASSWORD not in reply.body.decode()

        # Its password is the operator's: a portal that copies the rest does not get it.
        copied = running.ask("POST", SETTINGS, shown, key=running.key)
        assert set(copied.json()["response"]["errors"]) == {"credentialsUserPassword"}

        running.ask("POST", SETTINGS, OPEN, key=running.key)
        assert running.ask("DELETE", SETTINGS, key=running.key).json()["response"] == shown


def test_with_several_portals_the_default_relay_is_the_operator_s_secret(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("hidden")
    settings = {"BASE_DOMAIN": BASE_DOMAIN, "DEFAULT_RELAY_URL": DEFAULT_RELAY}
    with running_service(folder, **settings) as running:
        read = running.ask("GET", SETTINGS, key=running.key)
        running.ask("POST", SETTINGS, OPEN, key=running.key)
        reset = running.ask("DELETE", SETTINGS, key=running.key)

    assert read.json()["response"] == reset.json()["response"] == HIDDEN
    assert "operator" not in read.body.decode()
