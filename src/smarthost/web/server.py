"""Serves an ASGI application over HTTP/1.1 and stops when it is told to.

Binding is apart from serving, so that a port in use is one clear line before anything else has
started; signals are left to the caller, since uvicorn would keep them for itself.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import uvicorn

from smarthost.web.http_protocol import Connection
from smarthost.web.limits import Limits
from smarthost.web.lingering import BoundedConfig
from smarthost.web.tls import ContextOf, TlsListener

__all__ = ["Application", "Limits", "ListenError", "Server", "bind", "make_server"]

Application = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 application: scope, receive, send."""

_BACKLOG = 2_048
_LAST_WORDS_SECONDS = 1.0

_REASONS = {
    errno.EADDRINUSE: "the port is in use. Stop the program that holds it, or take another port.",
    errno.EACCES: "not permitted. Take a port above 1023, or let this program use lower ones.",
    errno.EADDRNOTAVAIL: "this machine has no such address. Take one that it has.",
}


class ListenError(Exception):
    """An address cannot be listened on; the text says why and what to do."""


class Server(uvicorn.Server):
    """uvicorn's server without a hand on the signals.

    `await serve(sockets=[...])` closes the sockets and returns after `stop()`.
    """

    def stop(self) -> None:
        """Accept no more, let requests in flight finish, then let `serve` return."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take no signal: what they mean is the program's business."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, and leave no request or connection behind that outlived its time."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            # uvicorn cancels them but does not see them end; the store closes after this.
            await asyncio.wait(self.server_state.tasks, timeout=_LAST_WORDS_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class TlsServer(Server):
    """The same behind TLS."""

    def __init__(self, config: BoundedConfig, context: ContextOf) -> None:
        super().__init__(config)
        self._bounded = config
        self._context = context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, in place of uvicorn, whose handshakes have no limits."""
        listeners = [
            TlsListener(listening, self._connect, self._context, self._bounded.limits)
            for listening in sockets or ()
        ]
        self.servers = listeners  # type: ignore[assignment]  # uvicorn closes them and waits
        self.started = True

    def _connect(self) -> Connection:
        return Connection(self._bounded, self.server_state, self.lifespan.state)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a host (name or address) and a port (0 = any free one).

    `::` takes IPv4 too. Raises ListenError with one plain sentence.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError, OverflowError) as fault:
        raise _cannot(host, port, "no such host name. Give an address of this machine.") from fault
    # IPv4 first: `localhost` is both, and may have no IPv6 behind it.
    family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        # Already here: two sockets may bind one port as long as neither listens.
        listener.listen(_BACKLOG)
    except OSError as fault:
        listener.close()
        other = f"{os.strerror(fault.errno or 0)}."
        raise _cannot(host, port, _REASONS.get(fault.errno or 0, other)) from fault
    return listener


def make_server(
    app: Application, *, limits: Limits | None = None, tls: ContextOf | None = None
) -> Server:
    """Return a server for the application; needs a running loop only in `serve`.

    `tls` gives the context for each new connection; None: HTTP without TLS.
    """
    limits = limits or Limits()
    config = BoundedConfig(
        limits=limits,
        app=app,
        interface="asgi3",
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # RFC 9110 section 6.6.1 asks an origin server with a clock for it.
        date_header=True,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=limits.stop_seconds,
    )
    return Server(config) if tls is None else TlsServer(config, tls)


def _cannot(host: str, port: int, reason: str) -> ListenError:
    shown = f"[{host}]" if ":" in host else host
    return ListenError(f"Cannot listen on {shown}:{port}: {reason}")
