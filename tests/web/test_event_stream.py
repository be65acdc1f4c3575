"""Streams of events by themselves, and behind a server with clients that leave or do not read."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from smarthost.web.event_stream import Event, EventStream, Tell, Work
from smarthost.web.limits import Limits
from smarthost.web.server import bind, make_server

PATIENCE = 10.0
# Each of them shorter than the streams here go on.
QUICK = Limits(head_seconds=0.2, body_seconds=0.2, idle_seconds=0.2, linger_seconds=0.2)
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Listener:
    """A client as ASGI shows it, and the service's stop."""

    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    ends: int = 0

    def stream(self, work: Work, keep_alive_seconds: float = PATIENCE) -> EventStream:
        stream = EventStream(
            work,
            receive=self._receive,
            stopped=self.stopped,
            failure=lambda error: json.dumps({"failed": str(error)}).encode(),
            keep_alive_seconds=keep_alive_seconds,
        )
        stream.at_end(self._count)
        return stream

    async def _receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    def _count(self) -> None:
        self.ends += 1


@dataclass
class Waiting:
    """Work that tells that it waits, waits for long, and notes that it was cancelled."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, tell: Tell) -> None:
        await tell(Event(name="step", value="waiting"))
        self.begun.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def soon(wait: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(wait, PATIENCE)


async def all_of(stream: EventStream) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return b"".join([octets async for octets in stream])


async def test_events_are_told_in_the_format_of_server_sent_events() -> None:
    async def work(tell: Tell) -> None:
        await tell(Event(name="step", value={"step": "connect", "seen": "ä\n"}))
        await tell(Event(name="result", value=None))

    told = await all_of(Listener().stream(work))
    assert told.decode() == (
        'event: step\ndata: {"step":"connect","seen":"ä\\n"}\n\nevent: result\ndata: null\n\n'
    )


async def test_nothing_is_begun_before_the_first_event_is_asked_for() -> None:
    waiting = Waiting()
    listener = Listener()
    stream = listener.stream(waiting)
    await asyncio.sleep(0)
    assert not waiting.begun.is_set()
    await stream.close()
    assert listener.ends == 1


async def test_a_failure_is_the_last_event() -> None:
    async def work(tell: Tell) -> None:
        await tell(Event(name="step", value=1))
        raise ValueError("no such thing")

    told = await all_of(Listener().stream(work))
    assert told == b'event: step\ndata: 1\n\nevent: error\ndata: {"failed": "no such thing"}\n\n'


async def test_silence_is_broken_by_comments() -> None:
    stream = Listener().stream(Waiting(), keep_alive_seconds=0.01)
    octets = [await soon(anext(stream)) for _ in range(4)]
    await stream.close()
    assert octets[0].startswith(b"event: step")
    assert octets[1:] == [b":\n\n"] * 3


async def test_the_work_ends_when_the_client_leaves() -> None:
    listener, waiting = Listener(), Waiting()
    stream = listener.stream(waiting)
    await soon(anext(stream))
    listener.leaves.set()
    await soon(waiting.cancelled.wait())
    assert await all_of(stream) == b""


async def test_the_service_stops_and_so_do_its_streams_with_a_word() -> None:
    listener, waiting = Listener(), Waiting()
    stream = listener.stream(waiting)
    await soon(anext(stream))
    listener.stopped.set()
    told = await all_of(stream)
    assert told.startswith(b"event: error\ndata: ")
    assert b"stopping" in told
    assert waiting.cancelled.is_set()


async def test_closing_ends_the_work_and_waits_for_it() -> None:
    listener, waiting = Listener(), Waiting()
    stream = listener.stream(waiting)
    await soon(anext(stream))
    await soon(stream.close())
    assert waiting.cancelled.is_set()
    assert listener.ends == 1


async def test_work_waits_for_a_client_that_does_not_read() -> None:
    told = 0

    async def work(tell: Tell) -> None:
        nonlocal told
        for told in range(1000):
            await tell(Event(name="step", value=told))

    stream = Listener().stream(work)
    await soon(anext(stream))
    for _ in range(2000):
        await asyncio.sleep(0)
    assert told < 50
    assert (await all_of(stream)).count(b"event: step") == 999


# --- behind a server


Body = Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]]


@dataclass
class Streaming:
    """An application that sends what `body` does, bit by bit, as long as its client is there."""

    body: Body
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def write(octets: bytes) -> None:
            await send({"type": "http.response.body", "body": octets, "more_body": True})

        working = asyncio.ensure_future(self.body(write))
        watching = asyncio.create_task(self._watch(receive))
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        watching.cancel()
        await asyncio.wait({working, watching})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()


@asynccontextmanager
async def served(app: Any, limits: Limits) -> AsyncIterator[int]:
    listening = bind("127.0.0.1", 0)
    server = make_server(app, limits=limits)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.stop()
        await soon(serving)
        listening.close()


async def test_a_stream_outlasts_the_limits_for_requests() -> None:
    async def body(write: Callable[[bytes], Awaitable[None]]) -> None:
        for _ in range(8):
            await write(b"event\n\n")
            await asyncio.sleep(0.1)

    async with served(Streaming(body), QUICK) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        told = await soon(reader.readuntil(b"\r\n0\r\n\r\n"))
        writer.close()
    assert told.count(b"event") == 8


async def test_each_event_leaves_at_once() -> None:
    go_on = asyncio.Event()

    async def body(write: Callable[[bytes], Awaitable[None]]) -> None:
        await write(b"first\n\n")
        await go_on.wait()
        await write(b"second\n\n")

    async with served(Streaming(body), QUICK) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        await soon(reader.readuntil(b"first\n\n"))
        go_on.set()
        await soon(reader.readuntil(b"second\n\n"))
        writer.close()


@pytest.mark.parametrize("leave", ["close", "write_eof", "abort"])
async def test_who_leaves_is_noticed_though_nothing_is_sent(leave: str) -> None:
    async def body(write: Callable[[bytes], Awaitable[None]]) -> None:
        await write(b"first\n\n")
        await asyncio.sleep(PATIENCE)

    app = Streaming(body)
    async with served(app, QUICK) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        await soon(reader.readuntil(b"first\n\n"))
        getattr(writer.transport, leave)()
        await soon(app.left.wait())
        writer.close()


async def test_who_does_not_read_is_cut_off_after_a_while() -> None:
    async def body(write: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            await write(b"x" * 65_536)
            await asyncio.sleep(0)

    app = Streaming(body)
    async with served(app, replace(QUICK, unread_seconds=0.2)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        # Nobody reads: asyncio's reader stops when it has enough, the buffers of the system fill.
        await soon(app.left.wait())
        writer.transport.abort()


async def test_who_reads_slowly_is_not() -> None:
    most = 24 << 20

    async def body(write: Callable[[bytes], Awaitable[None]]) -> None:
        await write(b"x" * most)

    app = Streaming(body)
    async with served(app, replace(QUICK, unread_seconds=0.3)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        read = 0
        while read < most:
            read += len(await soon(reader.read(1 << 20)))
            await asyncio.sleep(0.01)
        writer.close()
    assert read >= most
