"""A relay that hands no mail on: it takes what comes over SMTP and shows it.

It speaks what the demo needs of RFC 5321 and of RFC 4954's PLAIN, on loopback alone. It asks for a
login, so that a wrong password is refused as a provider would refuse it.
"""

import asyncio
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, cast

from smarthost.demo.caught import CaughtMessage, read_caught
from smarthost.secret import Secret

HOST = "127.0.0.1"

_SIZE_LIMIT = 10 * 1024 * 1024  # octets of a message
# RFC 4954, section 4: the longest line of a login.
_LINE_LIMIT = 12_288
_RECIPIENTS_LIMIT = 100  # RFC 5321, section 4.5.3.1.8
_IDLE_SECONDS = 300.0  # RFC 5321, section 4.5.3.2.7
_PATH = re.compile(r"(?:FROM|TO): ?<([^<>]*)>(?: .*)?", re.IGNORECASE)

_GREETING = "220 demo.localhost ESMTP catches everything"
_EXTENSIONS = (
    "250-demo.localhost",
    "250-PIPELINING",
    f"250-SIZE {_SIZE_LIMIT}",
    "250-8BITMIME",
    "250-SMTPUTF8",
    "250-ENHANCEDSTATUSCODES",
    "250 AUTH PLAIN",
)
_BAD_SYNTAX = "501 5.5.4 Syntax error"
_BAD_ORDER = "503 5.5.1 Bad sequence of commands"


class Login(NamedTuple):
    """Whom the relay lets in."""

    user_name: str
    password: Secret


Catch = Callable[[CaughtMessage], None]


@asynccontextmanager
async def catching_relay(login: Login, catch: Catch) -> AsyncIterator[int]:
    """Run a relay at 127.0.0.1 and give its port; each message is given to `catch`.

    At the end connections are cut.
    """
    sessions: set[_Session] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Session(login, catch, sessions), HOST, 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for session in list(sessions):
            session.abort()
        await server.wait_closed()


class _Session(asyncio.Protocol):
    """One connection. `_next` is what the next line is for."""

    _transport: asyncio.Transport
    _idle: asyncio.TimerHandle

    def __init__(self, login: Login, catch: Catch, sessions: "set[_Session]") -> None:
        self._login = login
        self._catch = catch
        self._sessions = sessions
        self._buffer = bytearray()
        self._next = self._command
        self._let_in = False
        self._commands = {
            "EHLO": self._ehlo,
            "HELO": lambda _rest: self._say("250 demo.localhost"),
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": lambda _rest: self._say("250 2.0.0 Ok"),
            "QUIT": self._quit,
        }
        self._forget()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sessions.add(self)
        self._wait()
        self._say(_GREETING)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._idle.cancel()
        self._sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        self._idle.cancel()
        self._wait()
        self._buffer += data
        while not self._transport.is_closing() and (end := self._buffer.find(b"\r\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            self._next(line)
        if len(self._buffer) > _LINE_LIMIT:
            self._say("500 5.5.2 Line too long")
            self._transport.close()

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(_IDLE_SECONDS, self._transport.abort)

    def _say(self, *lines: str) -> None:
        self._transport.write("".join(f"{line}\r\n" for line in lines).encode())

    def _forget(self) -> None:
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._content: list[bytes] = []
        self._size = 0

    def _command(self, line: bytes) -> None:
        verb, _, rest = line.decode("utf-8", "replace").partition(" ")
        run = self._commands.get(verb.upper())
        if run is None:
            self._say("502 5.5.1 Not known here")
        else:
            run(rest.strip())

    def _ehlo(self, _rest: str) -> None:
        self._forget()
        self._say(*_EXTENSIONS)

    def _auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if self._let_in or self._sender is not None:
            self._say(_BAD_ORDER)
        elif mechanism.upper() != "PLAIN":
            self._say("504 5.5.4 Only PLAIN")
        elif initial:
            self._credentials(initial.encode())
        else:
            self._next = self._credentials
            self._say("334 ")

    def _credentials(self, line: bytes) -> None:
        self._next = self._command
        try:
            # RFC 4616: whom to act as, who it is, and the password.
            _, user_name, password = b64decode(line, validate=True).decode().split("\0")
        except ValueError:
            self._say("501 5.5.2 Login not understood")
            return
        self._let_in = Secret(password) == self._login.password
        self._let_in &= user_name == self._login.user_name
        self._say("235 2.7.0 Welcome" if self._let_in else "535 5.7.8 Wrong user name or password")

    def _mail(self, rest: str) -> None:
        path = _PATH.fullmatch(rest)
        if not self._let_in:
            self._say("530 5.7.0 Log in first")
        elif self._sender is not None:
            self._say(_BAD_ORDER)
        elif path is None:
            self._say(_BAD_SYNTAX)
        else:
            self._sender = path[1]
            self._say("250 2.1.0 Ok")

    def _rcpt(self, rest: str) -> None:
        path = _PATH.fullmatch(rest)
        if self._sender is None:
            self._say(_BAD_ORDER)
        elif path is None or not path[1]:
            self._say(_BAD_SYNTAX)
        elif len(self._recipients) == _RECIPIENTS_LIMIT:
            self._say("452 4.5.3 Too many recipients")
        else:
            self._recipients.append(path[1])
            self._say("250 2.1.5 Ok")

    def _data(self, _rest: str) -> None:
        if not self._recipients:
            self._say(_BAD_ORDER)
            return
        self._next = self._content_line
        self._say("354 Go on, and end with a dot")

    def _content_line(self, line: bytes) -> None:
        if line == b".":
            self._next = self._command
            self._end()
            return
        # RFC 5321, section 4.5.2: a dot was put before each line that begins with one.
        self._content.append(line.removeprefix(b"."))
        self._size += len(line) + 2
        if self._size > _SIZE_LIMIT:
            self._content = []  # the rest is still read, to answer at the end

    def _end(self) -> None:
        if self._size > _SIZE_LIMIT:
            self._say("552 5.3.4 Message too big")
        else:
            content = b"".join(line + b"\r\n" for line in self._content)
            self._catch(read_caught(self._sender or "", self._recipients, content))
            self._say("250 2.0.0 Caught")
        self._forget()

    def _rset(self, _rest: str) -> None:
        self._forget()
        self._say("250 2.0.0 Ok")

    def _quit(self, _rest: str) -> None:
        self._say("221 2.0.0 Bye")
        self._transport.close()
