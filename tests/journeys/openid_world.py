"""An OpenID Connect provider in a thread of its own, called `localhost`.

A program that is started with `environ` trusts its certificate.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.authority import showing
from tests.beside import beside
from tests.http_servers import http_server
from tests.openid_provider import AUDIENCE, OpenIdProvider

_PATIENCE = 30.0


@dataclass(frozen=True, kw_only=True)
class OpenIdWorld:
    provider: OpenIdProvider
    environ: dict[str, str]

    def settings(self, **more: str) -> dict[str, str]:
        """What makes a service trust the provider, without `SMARTHOST_`."""
        return {"OIDC_ISSUER": self.provider.issuer, "OIDC_AUDIENCE": AUDIENCE} | more


@contextlib.contextmanager
def openid_world(folder: Path) -> Iterator[OpenIdWorld]:
    ca, provider = trustme.CA(), OpenIdProvider()
    ca.cert_pem.write_to_path(str(folder / "authority.pem"))

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with http_server(provider, tls=showing(ca.issue_cert("localhost"))) as server:
            provider.issuer = server.url("/realms/main", host="localhost")
            yield

    with beside(running()):
        environ = {"SSL_CERT_FILE": str(folder / "authority.pem")}
        yield OpenIdWorld(provider=provider, environ=environ)
