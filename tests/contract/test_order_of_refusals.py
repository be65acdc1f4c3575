"""Where several refusals hold, the first in the contract's order is told: 405, 401, 402, 403, 415,
400."""

import pytest

from tests.contract.service import SETTINGS, Service

XML = {"Content-Type": "application/xml"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def of_a_user(service: Service) -> str:
    """A key of somebody who is no administrator."""
    return service.open_key(service.open_user("user@example.com"))


def test_405_comes_first(service: Service, of_a_user: str) -> None:
    for key in (None, "wrong", of_a_user, service.key):
        assert service.ask("PUT", SETTINGS, b"{", headers=XML, key=key).status == 405


def test_then_401(service: Service) -> None:
    for key in (None, "wrong"):
        assert service.ask("POST", SETTINGS, b"{", headers=XML, key=key).status == 401
        assert service.ask("POST", SETTINGS, b"x" * 70_000, headers=JSON, key=key).status == 401


def test_then_402(service: Service, of_a_user: str) -> None:
    service.allow_settings(service.portal, allowed=False)
    try:
        for key in (of_a_user, service.key):
            assert service.ask("POST", SETTINGS, b"{", headers=XML, key=key).status == 402
    finally:
        service.allow_settings(service.portal, allowed=True)


def test_then_403(service: Service, of_a_user: str) -> None:
    assert service.ask("POST", SETTINGS, b"{", headers=XML, key=of_a_user).status == 403


def test_then_415(service: Service) -> None:
    assert service.ask("POST", SETTINGS, b"{", headers=XML, key=service.key).status == 415
    huge = b"x" * 70_000
    assert service.ask("POST", SETTINGS, huge, headers=XML, key=service.key).status == 415


def test_then_400(service: Service) -> None:
    headers = {**JSON, "If-Match": '"0000"'}

    assert service.ask("POST", SETTINGS, b"{", headers=headers, key=service.key).status == 400
