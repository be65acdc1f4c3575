import ssl

import pytest
import trustme

from tests.authority import showing
from tests.relay_check.suggestions.web_servers import DOMAIN


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def shown(authority: trustme.CA) -> ssl.SSLContext:
    """What the domain's web servers show."""
    return showing(authority.issue_cert(DOMAIN, f"*.{DOMAIN}", "xn--bcher-kva.example"))
