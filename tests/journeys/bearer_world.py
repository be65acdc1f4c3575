"""A provider of OAuth2 and a relay that takes its tokens: real servers in a thread of their own.

Both are called `localhost` and show certificates of one authority, which a program trusts that is
started with `environ`. The relay asks the provider whether a token is good.
"""

import asyncio
import base64
import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import trustme

from tests.beside import beside
from tests.contract.service import SETTINGS
from tests.http_servers import http_server
from tests.journeys.application import Application
from tests.oauth2_provider import ACCOUNT, CLIENT_ID, CLIENT_SECRET, SCOPE, Provider
from tests.smtp.relays import Peer, relay, server_context

OAUTH2 = f"{SETTINGS}/oauth2"
USER = "notify@example.com"
_PATIENCE = 30.0
_SESSION_SECONDS = 9.0


class Taken(NamedTuple):
    """A message that was taken, written down before the 250 is said."""

    token: str
    content: bytes


@dataclass
class BearerSink:
    """A relay with STARTTLS that lets in who shows a good token, and nobody else."""

    provider: Provider
    ca: trustme.CA
    mechanisms: str = "XOAUTH2"
    port: int = 0
    ends_after: int = 100
    """So many messages on one connection, after which it hangs up."""
    refuses: bool = False
    """Whether no token is good enough, as with a wrong audience; it repeats each."""
    stops_at_login: threading.Event | None = None
    """Set when a good token has come, which is never answered then."""
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    shown: list[str] = field(default_factory=list)
    """What was said behind AUTH, of whatever mechanism."""

    async def __call__(self, peer: Peer) -> None:
        # Who waits for a token says nothing for as long.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SESSION_SECONDS):
                await self._session(peer)

    async def _session(self, peer: Peer) -> None:
        self.connections += 1
        await peer.greet("STARTTLS")
        if await peer.hear() != "STARTTLS":
            return
        await peer.say("220 2.0.0 Go on")
        await peer.start_tls(server_context(self.ca, "localhost"))
        await peer.answer_ehlo(f"AUTH {self.mechanisms}")
        token, messages = "", 0
        while (command := await peer.hear()) != "QUIT":
            if command.startswith("AUTH "):
                token = await self._login(peer, command)
            elif command == "DATA":
                await peer.say("354 Go on")
                self.taken.append(Taken(token, await peer.hear_message()))
                await peer.say("250 2.0.0 Ok")
                messages += 1
                if messages == self.ends_after:
                    return
            else:
                await peer.say("250 2.0.0 Ok" if token else "530 5.7.0 Who are you?")
        await peer.say("221 2.0.0 Bye")

    async def _login(self, peer: Peer, command: str) -> str:
        if command.count(" ") == 1:
            await peer.say("334 ")
            command = await peer.hear()
        self.shown.append(command)
        message = base64.b64decode(command.rpartition(" ")[2]).decode()
        token = message.rpartition("auth=Bearer ")[2].rstrip("\x01")
        if self.provider.is_good(token) and not self.refuses:
            if self.stops_at_login is not None:
                self.stops_at_login.set()
                await peer.reader.read(1)
                raise ConnectionResetError
            await peer.say("235 2.7.0 Accepted")
            return token
        challenge = json.dumps({"status": "401", "scope": "mail"}).encode()
        await peer.say("334 " + base64.b64encode(challenge).decode())
        await peer.hear()
        await peer.say(f"535 5.7.8 Not accepted: {token[:100]}")
        return ""


@dataclass(frozen=True, kw_only=True)
class BearerWorld:
    provider: Provider
    sink: BearerSink
    other: BearerSink
    """Another relay, to which no token of the first may go."""
    ca: trustme.CA
    environ: dict[str, str]

    @property
    def page(self) -> str:
        return self.provider.token_url.replace("/token", "/authorize")

    def bind(self, app: Application, grant: str, **changes: object) -> None:
        """Save settings for the relay, and set OAuth2 up."""
        app.save(self.sink.port, USER, enableSSL=True)
        bound = app.ask("PUT", OAUTH2, self.binding(grant) | changes)
        assert bound.status == 200, bound.body

    def binding(self, grant: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "grant": grant,
            "tokenUrl": self.provider.token_url,
            "scope": SCOPE,
            "userName": USER,
        }
        if grant == "service_account":
            account = {
                "client_email": ACCOUNT,
                "private_key": self.provider.new_account_key(),
                "token_uri": self.provider.token_url,
            }
            return body | {"serviceAccount": account}
        body |= {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
        if grant == "refresh_token":
            body["refreshToken"] = self.provider.new_refresh_token()
        if grant == "authorization_code":
            body["authorizationUrl"] = self.page
        return body

    def consents(self, app: Application, url: str | None = None) -> tuple[int, str, str]:
        """Go where a browser would go that opens `url`; gives the last page and its address."""
        if url is None:
            url = app.ask("GET", f"{OAUTH2}/authorize").json()["response"]["url"]
        parts = urlsplit(url)
        assert parts.hostname is not None
        trusting = ssl.create_default_context()
        self.ca.configure_trust(trusting)
        there = http.client.HTTPSConnection(
            parts.hostname, parts.port, context=trusting, timeout=_PATIENCE
        )
        with contextlib.closing(there):
            there.request("GET", f"{parts.path}?{parts.query}")
            answer = there.getresponse()
            answer.read()
        location = answer.headers["Location"]
        back = urlsplit(location)
        assert back.port is not None
        here = http.client.HTTPConnection("127.0.0.1", back.port, timeout=_PATIENCE)
        with contextlib.closing(here):
            path = f"{back.path}?{back.query}"
            here.request(
                "GET", path, headers={"Host": back.netloc, "Sec-Fetch-Site": "cross-site"}
            )
            landed = here.getresponse()
            return landed.status, landed.read().decode(), location


@contextlib.contextmanager
def bearer_world(folder: Path) -> Iterator[BearerWorld]:
    ca, provider = trustme.CA(), Provider(token_octets=60)
    ca.cert_pem.write_to_path(str(folder / "authority.pem"))
    world = BearerWorld(
        provider=provider,
        sink=BearerSink(provider, ca),
        other=BearerSink(provider, ca),
        ca=ca,
        environ={"SSL_CERT_FILE": str(folder / "authority.pem")},
    )

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with (
            http_server(provider, tls=server_context(ca, "localhost")) as server,
            relay(world.sink) as running,
            relay(world.other) as other,
        ):
            provider.token_url = server.url("/token", host="localhost")
            world.sink.port, world.other.port = running.port, other.port
            yield

    with beside(running()):
        yield world
