"""Another site's pages cannot use a visitor's cookie; programs that are no browser can."""

from collections.abc import Iterator

import pytest

from tests.contract.bodies import OPEN
from tests.contract.service import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    AUTHENTICATION,
    KEYS,
    SETTINGS,
    Service,
    running_service,
)

HOST = "mail.example"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Behind a reverse proxy that is believed."""
    folder = tmp_path_factory.mktemp("proxied")
    with running_service(folder, TRUSTED_NETWORKS="127.0.0.0/8") as running:
        yield running


def status(service: Service, headers: dict[str, str], method: str = "GET") -> int:
    given = {"Host": HOST, "Cookie": f"asc_auth_key={service.key}", **headers}
    return service.ask(method, SETTINGS, headers=given).status


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "Cross-Site", "Origin": f"http://{HOST}"},
    {"Origin": "http://other.example"},
    {"Origin": "null"},
    {"Origin": f"https://{HOST}"},
    {"Origin": f"http://{HOST}:8025"},
    {"Origin": f"http://{HOST}.other.example"},
    {"Origin": f"http://x.{HOST}"},
    {"Origin": f"http://{HOST}@other.example"},
    {"Referer": "http://other.example/page"},
    {"Referer": "http://other.example?http://mail.example/"},
    {"Referer": "about:blank"},
    {"Origin": f"http://{HOST}", "Referer": "http://other.example/"},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": f"http://{HOST}"},
    {"Origin": f"http://{HOST}:80"},
    {"Origin": "HTTP://Mail.Example"},
    {"Referer": f"http://{HOST}/page?x=http://other.example/"},
    {"Referer": f"http://{HOST}"},
    {"Host": f"{HOST}:80", "Origin": f"http://{HOST}"},
    {"Host": f"{HOST}:8025", "Origin": f"http://{HOST}:8025", "Sec-Fetch-Site": "same-origin"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
def test_a_foreign_page_with_the_cookie_alone_is_403(
    service: Service, headers: dict[str, str], method: str
) -> None:
    assert status(service, headers, method) == 403


@pytest.mark.parametrize("headers", OWN)
def test_own_pages_and_programs_are_served(service: Service, headers: dict[str, str]) -> None:
    assert status(service, headers) == 200


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("name", ["Authorization", "ApiKeyBearer"])
def test_a_header_that_no_page_can_add_is_enough(
    service: Service, name: str, headers: dict[str, str]
) -> None:
    assert status(service, {name: service.key, **headers}) == 200


@pytest.mark.parametrize("value", ["", "Basic eDp5", "x"])
def test_a_header_that_proves_nothing_does_not_lift_the_rule(service: Service, value: str) -> None:
    assert status(service, {"Authorization": value, "Sec-Fetch-Site": "cross-site"}) == 403


def test_the_rule_holds_for_a_session_and_for_every_end_point(service: Service) -> None:
    body = {"userName": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    token = service.ask("POST", AUTHENTICATION, body).json()["response"]["token"]
    headers = {"Cookie": f"asc_auth_key={token}", "Sec-Fetch-Site": "cross-site"}

    assert service.ask("POST", f"{AUTHENTICATION}/logout", headers=headers).status == 403
    assert service.ask("GET", KEYS, headers=headers).status == 403
    assert service.ask("POST", SETTINGS, OPEN, headers=headers).status == 403
    assert service.ask("GET", AUTHENTICATION, headers=headers).status == 403
    del headers["Sec-Fetch-Site"]
    assert service.ask("GET", AUTHENTICATION, headers=headers).status == 200


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://portal.example", 200),
        ("https://portal.example:443", 200),
        ("http://portal.example", 403),
        ("https://portal.example:80", 403),
        (f"http://{HOST}", 403),
    ],
)
def test_behind_a_proxy_the_public_address_is_ours(
    proxied: Service, origin: str, expected: int
) -> None:
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "portal.example",
        "Origin": origin,
    }

    assert status(proxied, headers) == expected


def test_a_proxy_that_is_not_believed_changes_nothing(service: Service) -> None:
    headers = {"X-Forwarded-Host": "other.example", "Origin": "http://other.example"}

    assert status(service, headers) == 403
