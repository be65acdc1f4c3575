"""The running services that the contract is tried against.

One a module: a test that changes what others read (users, the portal's settings) makes its own
portal, user or key, or starts a service of its own with `running_service`.
"""

from collections.abc import Iterator

import pytest

from tests.contract.process import Process, running_process
from tests.contract.service import BASE_DOMAIN, Service, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One portal, whatever the host name."""
    with running_service(tmp_path_factory.mktemp("standalone")) as running:
        yield running


@pytest.fixture(scope="module")
def portals_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Several portals under `BASE_DOMAIN`."""
    folder = tmp_path_factory.mktemp("portals")
    with running_service(folder, BASE_DOMAIN=BASE_DOMAIN) as running:
        yield running


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A service in a process of its own."""
    with running_process(tmp_path_factory.mktemp("process")) as running:
        yield running
