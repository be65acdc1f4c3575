"""One HTTP connection, which ends so that its last answer is read.

A transport that is closed while octets of the client are unread resets the connection, and the
reset can overtake the answer (RFC 9112 section 9.6). So a sender who is refused or answered early
may finish sending into nothing for a while. One who does not read is not waited for either.
"""

import asyncio
import enum
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from smarthost.web.answer import Exit
from smarthost.web.limits import Limits
from smarthost.web.request_head import Refusal
from smarthost.web.server_answers import refusal_octets
from smarthost.web.unread import UnreadWatch

# What is read and dropped after a refusal: enough for a client that writes before it reads.
_REFUSED_OCTETS = 1 << 20


class BoundedConfig(uvicorn.Config):
    """uvicorn's configuration, which it hands to every connection, with our limits in it."""

    def __init__(self, *, limits: Limits, **rest: Any) -> None:  # noqa: ANN401
        super().__init__(**rest)
        self.limits = limits


class Part(enum.Enum):
    """What the next octet from the client belongs to."""

    NOTHING = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    DROPPED = enum.auto()


class LingeringConnection(HttpToolsProtocol):
    """uvicorn's connection, with an end of its own, and one deadline at a time."""

    def __init__(
        self,
        config: BoundedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        self._part = Part.NOTHING
        self._leaving = False
        self._patience = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the transport, and hand answers one that does not just close."""
        super().connection_made(transport)
        self._exit = Exit(transport, finish=self._finish, left=self._left)
        self._unread = UnreadWatch(transport, self._limits.unread_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything that waits for this connection."""
        self._disarm()
        self._unread.end()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give a client that does not read its answer some time to do so."""
        super().pause_writing()
        self._unread.begin()

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        self._unread.end()

    def shutdown(self) -> None:
        """Close now, or after the answer in flight."""
        if self._leaving:
            self.transport.close()
        else:
            super().shutdown()

    def _finish(self) -> None:
        """Close after an answer that was the last one."""
        self._exit.flush()
        if self._part is Part.NOTHING:
            self.transport.close()
        else:
            self._leave(self._limits.drain_octets)

    def _refuse(self, refusal: Refusal) -> None:
        """Say no as the last thing on this connection."""
        self._exit.flush()
        if not self._left():
            default = self.server_state.default_headers
            self.transport.write(refusal_octets(refusal, default))
            self._leave(_REFUSED_OCTETS)

    def _leave(self, patience: int) -> None:
        """Send no more; drop up to `patience` octets, so that no reset eats the answer."""
        if self._left():
            return
        self._leaving = True
        self._drop(patience)
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._arm(self._limits.linger_seconds, self.transport.abort)

    def _left(self) -> bool:
        """Tell whether nothing may be written any more."""
        return self._leaving or self.transport.is_closing()

    def _drop(self, patience: int) -> None:
        self._part = Part.DROPPED
        self._patience = patience

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
