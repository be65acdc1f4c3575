"""The running services that the contract is tried against.

One a module: a test that changes what others read (users, the portal's settings) makes its own
portal, user or key, or starts a service of its own with `running_service`.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.contract.bodies import LOGIN
from tests.contract.process import Process
from tests.contract.service import BASE_DOMAIN, MakeService, Service, running_service
from tests.journeys.served import serving


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


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeService]:
    """Start a service with settings of a test's own."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running_service(tmp_path, **settings))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A service in a process of its own, warmed up."""
    program = Program(folder=tmp_path_factory.mktemp("process"))
    key = program.init()
    with serving(program, SMARTHOST_LOG_LEVEL="info") as running:
        service = running.client(key)
        for _ in range(50):
            assert service.post(json.dumps(LOGIN).encode())[0] == 200
        yield service
