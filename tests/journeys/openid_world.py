"""An OpenID Connect provider in a thread of its own, called `localhost`.

A program that is started with `environ` trusts its certificate.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.authority import showing
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
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def run() -> None:
        async with http_server(provider, tls=showing(ca.issue_cert("localhost"))) as server:
            provider.issuer = server.url("/realms/main", host="localhost")
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(_PATIENCE)
    try:
        environ = {"SSL_CERT_FILE": str(folder / "authority.pem")}
        yield OpenIdWorld(provider=provider, environ=environ)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(_PATIENCE)
        loop.close()
