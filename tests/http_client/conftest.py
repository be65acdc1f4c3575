import ssl

import pytest
import trustme

from tests.webhooks.receivers import HOST, server_context


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def shown(authority: trustme.CA) -> ssl.SSLContext:
    """What the server at `HOST` shows."""
    return server_context(authority, HOST)
