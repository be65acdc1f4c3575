"""Web servers of a domain, with TLS and without, and a client that finds them on this machine."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trustme

from smarthost.http_client.client import HttpClient
from smarthost.relay_check.suggestions.autoconfig import LARGEST_DOCUMENT, Autoconfig
from smarthost.smtp.egress import Policy, Resolver
from tests.authority import trusting
from tests.http_servers import Answering, HttpServer, http_server, status

DOMAIN = "example.com"
NOT_FOUND = status("404 Not Found")
ALL_PORTS = range(1, 65536)


def page(octets: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(octets)}\r\n\r\n".encode() + octets


def config(host: str, port: int = 587, *, user_name: str = "%EMAILADDRESS%") -> bytes:
    """A description with one server."""
    kind = "SSL" if port == 465 else "STARTTLS"
    return page(
        '<clientConfig><emailProvider><outgoingServer type="smtp">'
        f"<hostname>{host}</hostname><port>{port}</port><socketType>{kind}</socketType>"
        f"<username>{user_name}</username><authentication>password-cleartext</authentication>"
        "</outgoingServer></emailProvider></clientConfig>".encode()
    )


@dataclass(frozen=True, kw_only=True)
class Web:
    """Two servers that all names lead to."""

    encrypted: HttpServer
    clear: HttpServer

    def ask(
        self,
        authority: trustme.CA,
        resolver: Resolver,
        *,
        policy: Policy | None = None,
        seconds: float = 5.0,
    ) -> Autoconfig:
        client = HttpClient(
            policy or Policy("any"),
            resolver,
            lambda: trusting(authority),
            deadline_seconds=seconds,
            largest_body=LARGEST_DOCUMENT,
            ports=ALL_PORTS,
        )
        return Autoconfig(client, {"https": self.encrypted.port, "http": self.clear.port})


@asynccontextmanager
async def web(
    shown: ssl.SSLContext,
    encrypted: bytes | Answering = NOT_FOUND,
    clear: bytes | Answering = NOT_FOUND,
) -> AsyncIterator[Web]:
    async with (
        http_server(encrypted, tls=shown) as with_tls,
        http_server(clear, tls=None) as without,
    ):
        yield Web(encrypted=with_tls, clear=without)
