import ssl

import pytest
import trustme

from tests.authority import showing
from tests.http_servers import HOST


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def shown(authority: trustme.CA) -> ssl.SSLContext:
    """What the server at `HOST` shows."""
    return showing(authority.issue_cert(HOST))
