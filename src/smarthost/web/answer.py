"""The answer to one request, and the answers that the server gives by itself.

uvicorn closes the transport under an answer that was the last one, which can reset the
connection before the client has read it. Here the connection decides how to end; and what
uvicorn would say in plain text is said in the contract's envelope.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from smarthost.web.envelope import failure
from smarthost.web.request_head import Refusal

OWN_FAULT = Refusal(
    status=HTTPStatus.INTERNAL_SERVER_ERROR, message="The server failed. Try again later."
)

Fields = list[tuple[bytes, bytes]]

_RETRY_SECONDS = 5


class Exit(asyncio.Transport):
    """The transport as an answer sees it: closing it is a wish, told to `finish`.

    `left` says whether nothing may be written any more.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        finish: Callable[[], None],
        left: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._transport = transport
        self._finish = finish
        self._left = left
        self._waiting: list[bytes | bytearray | memoryview] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, or drop what comes too late.

        What is written within one turn of the loop goes out together: uvicorn hands over head
        and body apart, and each write would be a system call and a packet of its own.
        """
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(data)

    def flush(self) -> None:
        """Send what was written."""
        waiting, self._waiting = self._waiting, []
        if waiting and not self._left():
            self._transport.write(b"".join(waiting))

    def close(self) -> None:
        """Say that this answer was the last."""
        self.flush()
        self._finish()

    def is_closing(self) -> bool:
        """Tell whether nothing may be written any more."""
        return self._left()


class Answer(RequestResponseCycle):
    """uvicorn's request and answer, which can be given up."""

    def abandon(self) -> None:
        """Tell the application that its client is gone."""
        self.disconnected = True
        self.message_event.set()

    async def run_asgi(self, app: Any) -> None:  # noqa: ANN401 - uvicorn's type is its own
        """Run the application; a stop that outlasts the grace cancels it."""

        async def until_cancelled(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            try:
                await app(scope, receive, send)
            except asyncio.CancelledError:
                # No fault that a traceback in the log would explain: the client was too slow.
                if self.response_started:
                    self.abandon()
                    self.transport.close()
                else:
                    await self.send_500_response()

        await super().run_asgi(until_cancelled)

    async def send_500_response(self) -> None:
        """Answer for an application that failed without answering."""
        body = failure(OWN_FAULT.status, OWN_FAULT.message)
        fields = _fields(OWN_FAULT, body)
        start: Any = {"type": "http.response.start", "status": 500, "headers": fields}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


def refusal_octets(refusal: Refusal, default_fields: Fields) -> bytes:
    """Return a whole answer that says no and that the connection ends."""
    body = failure(refusal.status, refusal.message)
    fields = default_fields + _fields(refusal, body)
    lines = [b"%b: %b\r\n" % field for field in fields]
    return b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", body])


def _fields(refusal: Refusal, body: bytes) -> Fields:
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    if refusal.status is HTTPStatus.SERVICE_UNAVAILABLE:
        fields.append((b"retry-after", b"%d" % _RETRY_SECONDS))
    return fields
