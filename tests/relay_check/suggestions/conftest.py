import ssl

import pytest
import trustme

from tests.relay_check.suggestions.web_servers import DOMAIN
from tests.webhooks.receivers import server_context


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def shown(authority: trustme.CA) -> ssl.SSLContext:
    """What the domain's web servers show."""
    return server_context(authority, DOMAIN, f"*.{DOMAIN}", "xn--bcher-kva.example")
