"""The SMTP entrance of a real installation on a free port, and a client that hides nothing."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from smarthost.app.first_start import initialise
from smarthost.app.parts import Parts, open_parts
from smarthost.app.submission import make_listener
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import load_config
from smarthost.mail_queue.accepted.model import Message
from smarthost.portals.model import Permission, Portal, User
from smarthost.submission.limits import Limits
from smarthost.submission.listener import Door, Listener
from smarthost.web.server import bind
from tests.mail_queue.listed import every_message

ADMIN = "admin@example.com"
SENDER = "notify@example.com"
HOST = "smarthost.example.com"
PATIENCE = 20.0
BY = Actor(name=OPERATOR)
NOTHING_LASTS = Limits(current_seconds=0.0)
"""However fast a message comes, all is looked at again behind it."""
RELAY = f"smtp://127.0.0.1:9?sender={SENDER}"

MAIL = f"MAIL FROM:<{SENDER}>\r\n".encode()
RCPT = b"RCPT TO:<anna@example.net>\r\n"
CONTENT = f"From: {SENDER}\r\nTo: anna@example.net\r\nSubject: Hello\r\n\r\nHello\r\n".encode()


class Client:
    """One connection, octet by octet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def reply(self) -> str:
        """Return the next reply with all its lines."""
        async with asyncio.timeout(PATIENCE):
            lines = [await self.reader.readuntil(b"\r\n")]
            while lines[-1][3:4] == b"-":
                lines.append(await self.reader.readuntil(b"\r\n"))
        return b"".join(lines).decode("ascii")

    async def ask(self, *octets: bytes) -> str:
        """Send a command, or several, and return the last one's reply."""
        told = ""
        for command in octets:
            self.send(command)
            told = await self.reply()
        return told

    async def rest(self) -> str:
        """Return what is said up to the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                return (await self.reader.read()).decode("ascii")
            except ConnectionResetError:
                return ""

    async def log_in(self, key: str) -> str:
        message = base64.b64encode(b"\0app\0" + key.encode())
        return await self.ask(b"EHLO app.example.com\r\n", b"AUTH PLAIN " + message + b"\r\n")

    async def submit(self, content: bytes = CONTENT, mail: bytes = MAIL) -> str:
        """Send a message whole, and return what is said to it or to the first command refused."""
        for command in (mail, RCPT, b"DATA\r\n"):
            told = await self.ask(command)
            if told[0] not in "23":
                return told
        return await self.ask(content + b".\r\n")


@dataclass(frozen=True, kw_only=True)
class Service:
    """An installation whose SMTP entrance is open."""

    parts: Parts
    portal: Portal
    admin: User
    key: str
    port: int
    tls_port: int
    listener: Listener

    @asynccontextmanager
    async def connected(
        self, *, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1", greeted: bool = True
    ) -> AsyncIterator[Client]:
        """Connect, with `tls` to the door that has it from the first octet."""
        port = self.port if tls is None else self.tls_port
        name = None if tls is None else HOST
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname=name, local_addr=(source, 0)
        )
        client = Client(reader, writer)
        try:
            if greeted:
                assert (await client.reply()).startswith("220 ")
            yield client
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def logged_in(self, *, key: str | None = None) -> AsyncIterator[Client]:
        async with self.connected() as client:
            assert (await client.log_in(key or self.key)).startswith("235 ")
            yield client

    async def new_key(
        self, *permissions: Permission, user: User | None = None, expires_at: int | None = None
    ) -> str:
        held = frozenset(permissions or {Permission.SEND})
        keys = self.parts.keys
        _, token = await keys.create(user or self.admin, "key", held, expires_at, BY)
        return token.text().reveal()

    async def messages(self, portal: Portal | None = None) -> Sequence[Message]:
        """Return what was accepted, the newest first."""
        portal = portal or self.portal
        return await every_message(self.parts.delivery.mail_log, portal.id)

    async def content(self, message: Message) -> bytes:
        found = await self.parts.delivery.messages.content(message.portal_id, message.id)
        assert found is not None
        return found


def _no_certificate() -> ssl.SSLContext | None:
    return None


@asynccontextmanager
async def serving(
    folder: Path,
    limits: Limits | None = None,
    certificate: Callable[[], ssl.SSLContext | None] = _no_certificate,
    **settings: str,
) -> AsyncIterator[Service]:
    """Open an installation in `folder`, with `SMARTHOST_<name>` for each of `settings`."""
    given = {
        "DATA_DIR": str(folder / "data"),
        "ADMIN_EMAIL": ADMIN,
        "HELO_NAME": HOST,
        "DEFAULT_RELAY_URL": RELAY,
    } | settings
    config = load_config(
        {f"SMARTHOST_{name}": value for name, value in given.items()},
        working_directory=folder,
        machine_name=lambda: HOST,
        stderr_is_terminal=False,
    )
    clear, tls = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
    with contextlib.closing(clear), contextlib.closing(tls):
        async with open_parts(config, create=True) as parts:
            first = await initialise(parts, ADMIN)
            listener = make_listener(config, parts, certificate, limits)
            listener.start(
                [Door(socket=clear, implicit_tls=False), Door(socket=tls, implicit_tls=True)]
            )
            try:
                yield Service(
                    parts=parts,
                    portal=first.portal,
                    admin=first.administrator,
                    key=first.key.reveal(),
                    port=clear.getsockname()[1],
                    tls_port=tls.getsockname()[1],
                    listener=listener,
                )
            finally:
                await listener.stop()
