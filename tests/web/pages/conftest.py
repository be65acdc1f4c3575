"""A service of several portals, behind a proxy that is believed, and visitors of its pages."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus

import pytest

from smarthost.portals.model import Portal, Role, User
from tests.contract.service import ADMIN_PASSWORD, BASE_DOMAIN, Service, running_service
from tests.web.pages.visitor import Visitor


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("pages")
    with running_service(
        folder, BASE_DOMAIN=BASE_DOMAIN, TRUSTED_NETWORKS="127.0.0.0/8"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def number(numbers: Iterator[int]) -> int:
    return next(numbers)


@pytest.fixture
def portal(service: Service, number: int) -> Portal:
    """A portal of the test's own."""
    return service.open_portal(f"portal{number}")


@pytest.fixture
def admin(service: Service, portal: Portal) -> User:
    email = f"admin@{portal.name}.example.com"
    role = Role.ADMINISTRATOR
    return service.open_user(email, role, portal=portal, password=ADMIN_PASSWORD)


@pytest.fixture
def stranger(service: Service, portal: Portal, number: int) -> Visitor:
    """Nobody yet, at an address of their own: wrong passwords count by address too."""
    return Visitor(
        service=service, portal=portal, headers={"X-Forwarded-For": f"192.0.2.{number}"}
    )


@pytest.fixture
def visitor(stranger: Visitor, admin: User) -> Visitor:
    """The administrator, signed in."""
    visitor = replace(stranger, headers=dict(stranger.headers))
    assert visitor.sign_in(admin).status == HTTPStatus.SEE_OTHER
    return visitor
