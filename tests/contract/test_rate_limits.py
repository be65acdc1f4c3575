"""1500 requests a minute and user: counted on every answer, and 429 beyond for them alone."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPMessage

import pytest

from smarthost.portals.model import Role
from tests.contract.service import AUTHENTICATION, SETTINGS, Service, running_service

LIMIT = 1500


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that refuses, behind a proxy that says who is asking."""
    settings = {"RATE_LIMITS": "on", "TRUSTED_NETWORKS": "127.0.0.0/8"}
    with running_service(tmp_path_factory.mktemp("limited"), **settings) as running:
        yield running


def remaining(headers: HTTPMessage) -> int:
    return int(headers["X-RateLimit-Remaining"])


def test_requests_of_one_user_count_together_whatever_the_credential(service: Service) -> None:
    user = service.open_user("counted@example.com", Role.ADMINISTRATOR)
    keys = [service.open_key(user) for _ in range(3)]
    resets, left = [], []
    for key in keys:
        headers = service.ask("GET", SETTINGS, key=key).headers
        resets.append(headers["X-RateLimit-Reset"])
        left.append(remaining(headers))

    # A new minute may begin between two requests.
    assert left == [LIMIT - 1, LIMIT - 2, LIMIT - 3] or len(set(resets)) == 2


def test_a_failure_counts_as_a_success_does(service: Service) -> None:
    key = service.open_key(service.open_user("failing@example.com"))
    first = service.ask("GET", SETTINGS, key=key)
    second = service.ask("POST", SETTINGS, {}, key=key)
    minutes = {reply.headers["X-RateLimit-Reset"] for reply in (first, second)}

    assert (first.status, second.status) == (403, 403)
    assert remaining(second.headers) == LIMIT - 2 or len(minutes) == 2


def test_on_401_the_numbers_are_those_of_the_address(limited: Service) -> None:
    def left(address: str) -> tuple[int, str]:
        headers = {"X-Forwarded-For": address}
        reply = limited.ask("GET", SETTINGS, headers=headers, key="wrong")
        assert reply.status == 401
        return remaining(reply.headers), reply.headers["X-RateLimit-Reset"]

    first, second, other = left("192.0.2.7"), left("192.0.2.7"), left("192.0.2.8")
    if len({first[1], second[1], other[1]}) == 1:
        assert (first[0], second[0], other[0]) == (LIMIT - 1, LIMIT - 2, LIMIT - 1)


def test_beyond_the_limit_a_user_is_429_and_others_are_served(limited: Service) -> None:
    user = limited.open_user("busy@example.com", Role.ADMINISTRATOR)
    connection = HTTPConnection("127.0.0.1", limited.port, timeout=30)
    headers = {"Authorization": limited.open_key(user), "Host": limited.host(limited.portal)}
    try:
        # Twice the limit, should a minute end on the way.
        served = 0
        for _ in range(2 * LIMIT + 1):
            connection.request("GET", SETTINGS, headers=headers)
            response = connection.getresponse()
            body = response.read()
            if response.status == 429:
                break
            assert response.status == 200
            served += 1
    finally:
        connection.close()

    assert (response.status, served >= LIMIT) == (429, True)
    assert b'"tooManyRequests"' in body
    assert remaining(response.headers) == 0
    wait = int(response.headers["Retry-After"])
    assert 1 <= wait <= 60
    assert abs(int(response.headers["X-RateLimit-Reset"]) - (time.time() + wait)) < 3
    assert limited.ask("GET", SETTINGS, key=limited.key).status == 200


def test_limits_can_be_switched_off(service: Service) -> None:
    headers = {"Authorization": service.key, "Host": service.host(service.portal)}
    connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
    try:
        for _ in range(LIMIT + 100):
            connection.request("GET", AUTHENTICATION, headers=headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 200
    finally:
        connection.close()
