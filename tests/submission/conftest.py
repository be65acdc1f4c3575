"""The service runs on uvloop; what a connection itself does is tried on asyncio's loop too, since
they part in how TLS starts and how a connection ends.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import trustme
import uvloop

from tests import authority
from tests.authority import showing
from tests.submission.served import HOST, Service, serving

_ON_BOTH = ("test_connection", "test_tls", "test_behind_a_proxy")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    both = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return both if item.path.stem in _ON_BOTH else {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(ca: trustme.CA) -> ssl.SSLContext:
    """What the service shows."""
    return showing(ca.issue_cert(HOST))


@pytest.fixture(scope="session")
def trusting(ca: trustme.CA) -> ssl.SSLContext:
    """What a client checks it with."""
    return authority.trusting(ca)
