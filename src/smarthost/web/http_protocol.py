"""One HTTP/1.1 connection, bounded in bytes, time and number.

uvicorn's protocol bounds neither a request's head nor the requests queued behind it. Here a head
has a size and a deadline, and the bytes that follow a request are not looked at before it is
answered. How a connection ends is `lingering.py`.
"""

import asyncio
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.server import ServerState

from smarthost.web.answer import Answer
from smarthost.web.lingering import BoundedConfig, LingeringConnection, Part
from smarthost.web.request_head import (
    Refusal,
    RefusedError,
    check_head,
    has_body,
    head_octets,
)
from smarthost.web.server_answers import CROWDED, MALFORMED, OVERDUE, OWN_FAULT, too_large


class Connection(LingeringConnection):
    """uvicorn's connection under `Limits`; a request at a time."""

    def __init__(
        self,
        config: BoundedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn lets the parser read on after `Connection: close`; here nobody would listen.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self.timeout_keep_alive = config.limits.idle_seconds  # type: ignore[assignment]
        self._current: Answer | None = None
        self._upgrade_body = False
        # Octets since the last progress: a complete head, some content, the end of a message.
        self._octets = 0
        self._body_octets = 0
        self._body_until = 0.0

    # --- the transport's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the first request's time, or turn the connection away."""
        super().connection_made(transport)
        if len(self.connections) > 2 * self._limits.connections:
            transport.abort()
        elif len(self.connections) > self._limits.connections:
            self._refuse(CROWDED)
        else:
            self._arm(self._limits.head_seconds, self._head_overdue)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, then see what the octets have come to."""
        self._unset_keepalive_if_required()
        if self._part is Part.DROPPED or self._answered_early():
            self._patience -= len(data)
            if self._patience < 0:
                self.transport.abort()
                return
        if self._part is not Part.DROPPED:
            self._octets += len(data)
            self._feed(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for it
        """Keep a connection whose client sends no more until its request is answered.

        Half a connection is closed by `nc -N` and by some clients of HTTP/1.0, which still read.
        TLS here knows no half connections: who ends one side ends both.
        """
        if self.scheme == "https":
            return False
        whole = self._answering() and self._part is not Part.BODY
        if whole and self._current is not None:
            if self._current.response_started:
                # An answer that is told bit by bit goes on for as long as somebody listens.
                self.transport.abort()
            self._current.keep_alive = False
        return whole or self._leaving

    # --- the parser's side

    def on_message_begin(self) -> None:
        """Begin a request, unless the one before is still being answered."""
        if self._answering():
            # Clients send such requests again when the connection closes (RFC 9112 section
            # 9.3.2); to a smuggler they are lost.
            raise RefusedError(MALFORMED)
        self._unset_keepalive_if_required()
        self._part = Part.HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; trailer fields are dropped (RFC 9112 section 7.1.2)."""
        if self._part is not Part.HEAD:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        # The parser leaves the blanks after a value (RFC 9110 section 5.5).
        self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Check the head and start the answer."""
        self._disarm()
        if len(self.headers) > self._limits.head_fields:
            raise RefusedError(too_large(self._limits))
        if self._octets > self._limits.head_octets < head_octets(self.url, self.headers):
            raise RefusedError(too_large(self._limits))
        method = self.parser.get_method().decode("ascii")
        version = self.parser.get_http_version()
        check_head(method=method, target=self.url, version=version, headers=self.headers)
        upgrade = self.parser.should_upgrade()
        bodied = has_body(self.headers)
        self._upgrade_body = upgrade and bodied
        self._octets = 0
        self._part = Part.BODY
        self._fill_scope(method, version)
        keep_alive = version == "1.1" and self.parser.should_keep_alive() and not upgrade
        self.cycle = self._current = self._new_answer(keep_alive=keep_alive)
        if bodied:
            self._body_until = self.loop.time() + self._limits.body_longest_seconds
            self._await_body()
        self._start_asgi_task(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        """Hand content on, or drop it when the answer has gone out already."""
        if self._part is Part.BODY:
            self._octets = 0
            self._body_octets += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Be ready for the next request."""
        if self._upgrade_body or self._part is not Part.BODY:
            return
        self._part = Part.NOTHING
        self._octets = 0
        self._disarm()
        if self._answering():
            super().on_message_complete()
        else:
            self._await_next()

    def on_response_complete(self) -> None:
        """Wait for the next request, or first for the end of this one's body."""
        super().on_response_complete()
        if self._leaving:
            self._unset_keepalive_if_required()
        elif self._part is Part.BODY:
            self._unset_keepalive_if_required()
            self._patience = self._limits.drain_octets
            self._arm(self._limits.linger_seconds, self._finish)

    # --- between the two

    def _new_answer(self, *, keep_alive: bool) -> Answer:
        return Answer(
            scope=self.scope,
            transport=self._exit,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as fault:
            self._fail(self._meaning(fault))
            return
        else:
            self._look_at_limits()
            return
        # Not inside the `except`: a fault in the rest would lose the context that says why.
        self._decline_upgrade(rest)

    def _look_at_limits(self) -> None:
        if self._octets > self._limits.head_octets:
            self._fail(too_large(self._limits))
        elif self._octets and self._deadline is None and not self._answering():
            self._arm(self._limits.head_seconds, self._head_overdue)

    def _decline_upgrade(self, rest: bytes) -> None:
        """Go on in HTTP/1.1 (RFC 9110 section 7.8).

        The parser takes what follows such a head for another protocol and would lose the body
        that Java's HTTP client sends with its offer of h2c. A second parser reads it.
        """
        if self._upgrade_body:
            self._upgrade_body = False
            framing = next(
                b"%b: %b" % field
                for field in self.headers
                if field[0] in {b"content-length", b"transfer-encoding"}
            )
            callbacks = SimpleNamespace(
                on_body=self.on_body, on_message_complete=self.on_message_complete
            )
            self.parser = httptools.HttpRequestParser(callbacks)
            self.parser.feed_data(b"POST / HTTP/1.1\r\nconnection: close\r\n%b\r\n\r\n" % framing)
        self._feed(rest)

    def _meaning(self, fault: httptools.HttpParserError) -> Refusal:
        cause = fault.__context__
        if isinstance(cause, RefusedError):
            return cause.refusal
        if isinstance(fault, httptools.HttpParserCallbackError):
            self.logger.error("A request could not be taken", exc_info=cause)
            return OWN_FAULT
        return MALFORMED

    def _fail(self, refusal: Refusal) -> None:
        answer = self._current
        if answer is None or answer.response_complete:
            if self._part is Part.BODY:
                self._finish()
            else:
                self._refuse(refusal)
        elif self._part is not Part.BODY:
            # Whatever follows a request is no reason to withhold its answer.
            answer.keep_alive = False
            self._drop(self._limits.drain_octets)
        else:
            answer.abandon()
            if answer.response_started:
                self._finish()
            else:
                self._refuse(refusal)

    def _head_overdue(self) -> None:
        if self._octets:
            self._refuse(OVERDUE)
        else:
            self.transport.close()

    def _await_body(self) -> None:
        self._body_octets = 0
        self._arm(self._limits.body_seconds, self._body_overdue)

    def _body_overdue(self) -> None:
        fast_enough = self._body_octets >= self._limits.body_rate * self._limits.body_seconds
        if fast_enough and self.loop.time() < self._body_until:
            self._await_body()
        else:
            self._fail(OVERDUE)

    def _await_next(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _answering(self) -> bool:
        return self._current is not None and not self._current.response_complete

    def _answered_early(self) -> bool:
        return self._part is Part.BODY and not self._answering()

    def _fill_scope(self, method: str, version: str) -> None:
        raw_path, _, query = self.url.partition(b"?")
        self.scope["http_version"] = version
        self.scope["method"] = method
        self.scope["path"] = unquote(raw_path.decode("ascii"))
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = query
