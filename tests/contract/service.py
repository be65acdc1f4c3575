"""The real service on a free port, in a thread of its own, and a client that hides nothing.

It is put together from the same parts as `smarthost serve` does, so that a test can also open
what only an operator can: portals, users, keys that have expired.
"""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from smarthost.app.crew import Alone
from smarthost.app.first_start import FirstStart, initialise
from smarthost.app.parts import Parts, open_parts
from smarthost.app.serve import service_url
from smarthost.app.stop import Stop
from smarthost.app.web import make_web
from smarthost.audit.model import OPERATOR, Actor
from smarthost.clock import SystemClock
from smarthost.config import Config, load_config
from smarthost.portals.model import Permission, Portal, Role, User
from smarthost.secret import Secret
from smarthost.web.pages.snippets import SubmissionDoor, Tls
from smarthost.web.server import Server, bind, make_server

ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = "an administrator's password"
BASE_DOMAIN = "portals.test"
SETTINGS = "/api/2.0/smtpsettings/smtp"
AUTHENTICATION = "/api/2.0/authentication"
KEYS = "/api/2.0/keys"
EMAILS = "/emails"
DOOR = SubmissionDoor(host="127.0.0.1", port=2525, tls=Tls.NONE)
"""What pages say of submission; nobody is there."""

_OPERATOR = Actor(name=OPERATOR)
_PATIENCE = 30.0

T = TypeVar("T")
Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer as it arrived."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running service. `key` is the first administrator's, with the permission `*`."""

    config: Config
    parts: Parts
    portal: Portal
    admin: User
    key: str
    port: int
    loop: asyncio.AbstractEventLoop

    @property
    def data_dir(self) -> Path:
        return self.config.data_dir

    @property
    def url(self) -> str:
        """Where the service listens, whatever host names it goes by."""
        return f"http://127.0.0.1:{self.port}"

    def host(self, portal: Portal) -> str:
        """The `Host` of a portal."""
        return service_url(self.config, portal, self.port).removeprefix("http://")

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Headers = (),
        key: str | None = None,
        portal: Portal | None = None,
    ) -> Reply:
        """Send one request over a connection of its own.

        Octets are sent as they are, anything else as JSON with its `Content-Type` if `headers`
        have none. `key` goes into `Authorization`. The `Host` is that of `portal`, by default
        the first one.
        """
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in pairs}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            if "content-type" not in names:
                pairs.append(("Content-Type", "application/json"))
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            pairs.append(("Content-Length", str(len(body))))
        if "host" not in names:
            pairs.insert(0, ("Host", self.host(portal or self.portal)))
        if key is not None:
            pairs.append(("Authorization", key))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        with closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in pairs:
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return Reply(status=response.status, headers=response.msg, body=response.read())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of `parts` where the service runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_PATIENCE)

    def open_portal(self, name: str) -> Portal:
        return self.run(self.parts.portals.create_portal(name, _OPERATOR))

    def allow_settings(self, portal: Portal, *, allowed: bool) -> None:
        """What `portal allow-settings` and `portal deny-settings` do."""
        self.run(self.parts.portals.allow_settings(portal, _OPERATOR, allowed=allowed))

    @contextmanager
    def suspended(self, portal: Portal) -> Iterator[None]:
        """What is between `portal suspend` and `portal resume`."""
        self.run(self.parts.suspensions.suspend(portal, _OPERATOR))
        try:
            yield
        finally:
            self.run(self.parts.suspensions.resume(portal, _OPERATOR))

    def open_user(
        self,
        email: str,
        role: Role = Role.USER,
        *,
        portal: Portal | None = None,
        password: str | None = None,
    ) -> User:
        """Create a user of `portal`, by default the first one."""

        async def work() -> User:
            hashed = await self.parts.passwords.hash(Secret(password)) if password else None
            home = (portal or self.portal).id
            return await self.parts.portals.create_user(home, email, role, hashed, _OPERATOR)

        return self.run(work())

    def remove_user(self, user: User) -> None:
        self.run(self.parts.portals.remove_user(user, _OPERATOR))

    def open_key(
        self,
        user: User | None = None,
        *permissions: Permission,
        expires_at: int | None = None,
        name: str = "test",
    ) -> str:
        """Return a new key of `user` (the first administrator), with `*` if nothing is said."""
        held = frozenset(permissions or {Permission.ALL})
        work = self.parts.keys.create(user or self.admin, name, held, expires_at, _OPERATOR)
        _, token = self.run(work)
        return token.text().reveal()


MakeService = Callable[..., Service]
"""Takes settings of the environment, without `SMARTHOST_`."""


@contextmanager
def running_service(data_dir: Path, **settings: str) -> Iterator[Service]:
    """Start a service with `SMARTHOST_<name>` for each of `settings`, and stop it at the end."""
    given = {
        "DATA_DIR": str(data_dir),
        "HTTP_LISTEN": "127.0.0.1:0",
        "ADMIN_EMAIL": ADMIN_EMAIL,
        "RATE_LIMITS": "off",
        "HELO_NAME": "smarthost.test",
        "RELAY_NETWORKS": "127.0.0.0/8, ::1",  # whatever a test saves, nothing leaves the machine
    } | settings
    config = load_config(
        {f"SMARTHOST_{name}": value for name, value in given.items()},
        working_directory=data_dir,
        machine_name=lambda: "smarthost.test",
        stderr_is_terminal=False,
    )
    thread = _Thread(config)
    thread.start()
    try:
        assert thread.ready.wait(_PATIENCE), "the service did not start"
        assert thread.service is not None, "the service failed; its thread says why"
        yield thread.service
    finally:
        thread.stop()
        thread.join(_PATIENCE)
    assert not thread.is_alive()


class _Thread(threading.Thread):
    def __init__(self, config: Config) -> None:
        super().__init__(name="service", daemon=True)
        self.ready = threading.Event()
        self.service: Service | None = None
        self._config = config
        self._server: Server | None = None
        self._ending = Stop(0, SystemClock())

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        finally:
            self.ready.set()

    def stop(self) -> None:
        if self._server is not None and self.service is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self.service.loop.call_soon_threadsafe(self._ending.begin)
            self._server.stop()

    async def _serve(self) -> None:
        listen = self._config.http_listen
        with closing(bind(listen.host, listen.port)) as listening:
            async with open_parts(self._config, create=True) as parts:
                first = await initialise(parts, ADMIN_EMAIL)
                await _give_password(parts, first)
                web = make_web(self._config, parts, first.portal, DOOR, Alone(), self._ending)
                self._server = make_server(web)
                self.service = Service(
                    config=self._config,
                    parts=parts,
                    portal=first.portal,
                    admin=first.administrator,
                    key=first.key.reveal(),
                    port=listening.getsockname()[1],
                    loop=asyncio.get_running_loop(),
                )
                self.ready.set()
                delivering = asyncio.create_task(parts.delivery.run())
                await self._server.serve(sockets=[listening])
                parts.delivery.stop()
                await delivering


async def _give_password(parts: Parts, first: FirstStart) -> None:
    hashed = await parts.passwords.hash(Secret(ADMIN_PASSWORD))
    await parts.portals.set_password(first.administrator, hashed, _OPERATOR)
