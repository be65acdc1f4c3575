"""HTTP servers with scripted answers, real ones on a free port of loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HOST = "app.example.com"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def status(line: str, *headers: str) -> bytes:
    """An answer without a body."""
    return "\r\n".join([f"HTTP/1.1 {line}", "Content-Length: 0", *headers, "", ""]).encode()


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass(kw_only=True)
class HttpServer:
    """A server; `answers` are given one after the other, the last one again and again."""

    answers: Sequence[bytes | Answering] = (OK,)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str = "/hook", scheme: str = "https", host: str = HOST) -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection; when cancelled, end as if it was over."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        over = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError)
        with suppress(*over):
            while True:
                request = await _read(reader)
                self.received.append(request)
                answer = self.answers[min(len(self.received), len(self.answers)) - 1]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(request, writer)
        writer.close()

    async def end(self) -> None:
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    line, *lines = head.rstrip().split("\r\n")
    headers = dict(one.split(": ", 1) for one in lines)
    headers = {name.lower(): value for name, value in headers.items()}
    return Received(
        line=line,
        headers=headers,
        body=await reader.readexactly(int(headers.get("content-length", "0"))),
    )


@asynccontextmanager
async def http_server(
    *answers: bytes | Answering, tls: ssl.SSLContext | None, host: str = "127.0.0.1"
) -> AsyncIterator[HttpServer]:
    """Run a server on a free port of `host`; without `tls` it speaks clear text."""
    running = HttpServer(answers=answers or (OK,))
    server = await asyncio.start_server(running.serve, host, 0, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        await running.end()


async def dribble(_request: Received, writer: asyncio.StreamWriter) -> None:
    """A body that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    for _ in range(1000):
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.02)


async def say_nothing(_request: Received, writer: asyncio.StreamWriter) -> None:
    """No answer, for longer than anybody waits."""
    await asyncio.sleep(30)


async def hang_up(_request: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()
