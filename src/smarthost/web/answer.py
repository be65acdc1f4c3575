"""The answer to one request, and the transport as it sees it.

uvicorn closes the transport under an answer that was the last one, which can reset the
connection before the client has read it. Here the connection decides how to end.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from smarthost.web.envelope import failure
from smarthost.web.server_answers import OWN_FAULT, refusal_fields


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
        fields = refusal_fields(OWN_FAULT, body)
        start: Any = {"type": "http.response.start", "status": 500, "headers": fields}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
