"""Relays that break the protocol, at each step: the session ends at once, with a reason."""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from smarthost.clock import SystemClock
from smarthost.smtp.client import Client
from smarthost.smtp.data import Content
from smarthost.smtp.errors import ClosedError, ProtocolError, Reason, SmtpError, TimedOutError
from tests.smtp.relays import Peer, Script, asked, connected, greeted, named, relay

Step = Callable[[Client], Awaitable[object]]

STEPS: dict[str, Step] = {
    "EHLO": lambda client: client.ehlo("client.example.com"),
    "MAIL": lambda client: client.transaction("a@example.com", []).mail_from(),
    "RCPT": lambda client: client.transaction(
        "", ["b@example.com"] * 2, one_by_one=True
    ).rcpt_to(),
    "DATA": lambda client: client.transaction("", []).data(Content(b"x\r\n")),
}

FAULTS = [
    (b"250 bare\n", Reason.BARE_LINE_END),
    (b"000 x\r\n", Reason.BAD_CODE),
    (b"999 x\r\n", Reason.BAD_CODE),
    (b"25\r\n", Reason.BAD_CODE),
    (b"+25 x\r\n", Reason.BAD_CODE),
    ("2\uff150 x\r\n".encode(), Reason.BAD_CODE),
    (b"550-x\r\n250 x\r\n", Reason.MIXED_CODES),
    (b"250-x\r\n" * 200, Reason.REPLY_TOO_LONG),
    (b"x" * 100_000, Reason.LINE_TOO_LONG),
    (b"334 \r\n", Reason.UNEXPECTED_REPLY),
    (b"235 Ok\r\n", Reason.UNEXPECTED_REPLY),
    (b"220 Ok\r\n", Reason.UNEXPECTED_REPLY),
]


def answering(answer: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await peer.hear()
        await peer.send(answer)
        while await peer.reader.read(10_000):
            pass

    return script


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("answer", "reason"), FAULTS)
async def test_an_odd_reply_ends_the_session(step: str, answer: bytes, reason: Reason) -> None:
    async with relay(answering(answer)) as running:
        client = await greeted(running)
        with pytest.raises(ProtocolError) as caught:
            await STEPS[step](client)
        assert caught.value.reason is reason
        assert not client.usable
        with pytest.raises(SmtpError):
            await asked(client)


@pytest.mark.parametrize(
    "banner",
    [
        b"250 Hello\r\n",
        b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"+OK POP3 ready\r\n",
        b"* OK IMAP ready\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50" + b"\0" * 3000,
    ],
)
async def test_what_is_no_smtp_server_is_noticed_at_once(banner: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(banner)
        await peer.is_left()

    async with relay(script) as running:
        client = await connected(running)
        with pytest.raises(ProtocolError):
            await client.greeting()
        assert not client.usable


@pytest.mark.parametrize("extra", [b"250 Ok\r\n", b"2", b"\0", b"250-STARTTLS\r\n250 x\r\n"])
async def test_words_beyond_the_banner_end_the_session(extra: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"220 Hello\r\n" + extra)
        assert await peer.is_left()

    async with relay(script) as running:
        client = await connected(running)
        await client.greeting()
        assert not client.usable
        with pytest.raises(ProtocolError) as caught:
            await client.ehlo("client.example.com")
        assert caught.value.reason is Reason.UNSOLICITED


async def test_words_between_two_messages_end_the_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL")
        await peer.say("250 Ok")
        await spoken.wait()
        await peer.say("250 2.0.0 Delivered")
        assert await peer.is_left()

    spoken = asyncio.Event()
    async with relay(script) as running:
        client = await greeted(running)
        await asked(client)
        spoken.set()
        await running.finished()
        assert not client.usable
        with pytest.raises(ProtocolError) as caught:
            await asked(client)
        assert caught.value.reason is Reason.UNSOLICITED


async def test_an_answer_that_comes_too_late_is_nobodys() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "250 Ok", "354 Go"):
            await peer.hear()
            await peer.say(answer)
        await peer.hear_message()
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        message = await named(client)
        client.deadline = SystemClock().monotonic() + 0.05
        with pytest.raises(TimedOutError):
            await message.data(Content(b"x\r\n"))
        await running.finished()
        client.deadline += 60
        with pytest.raises(TimedOutError):
            await asked(client)


async def test_yes_before_the_end_of_a_connection_is_a_yes() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "250 Ok", "354 Go"):
            await peer.hear()
            await peer.say(answer)
        await peer.hear_message()
        await peer.send(b"250 2.0.0 Queued\r\nxx")

    async with relay(script) as running:
        client = await greeted(running)
        message = await named(client)
        assert (await message.data(Content(b"x\r\n"))).code == 250
        await running.finished()
        assert not client.usable


@pytest.mark.parametrize("step", STEPS)
async def test_a_connection_cut_at_any_step_is_told(step: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await peer.hear()

    async with relay(script) as running:
        client = await greeted(running)
        with pytest.raises(ClosedError):
            await STEPS[step](client)
        assert not client.usable


async def test_a_connection_cut_after_part_of_a_reply_is_told() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear()
        await peer.send(b"250-Ok\r\n250")

    async with relay(script) as running:
        client = await greeted(running)
        with pytest.raises(ClosedError):
            await asked(client)


async def test_a_relay_that_drips_does_not_stretch_the_deadline() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear()
        while True:
            await peer.send(b"250-x\r\n")
            await asyncio.sleep(0.02)

    async with relay(script) as running:
        client = await greeted(running)
        clock = SystemClock()
        began = clock.monotonic()
        client.deadline = began + 0.2
        with pytest.raises(TimedOutError):
            await asked(client)
        assert clock.monotonic() - began < 2


async def test_a_relay_that_does_not_read_does_not_stretch_the_deadline() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "250 Ok", "354 Go"):
            await peer.hear()
            await peer.say(answer)
        await left.wait()

    left = asyncio.Event()
    async with relay(script) as running:
        client = await greeted(running)
        message = await named(client)
        client.deadline = SystemClock().monotonic() + 0.2
        with pytest.raises(TimedOutError):
            await message.data(Content((b"x" * 70 + b"\r\n") * 200_000))
        left.set()


@pytest.mark.parametrize("flood", [b"x" * 65_536, b"250-x\r\n" * 9_000, b"250 Ok\r\n" * 8_000])
async def test_a_flood_takes_no_memory(flood: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear()
        for _ in range(200):
            await peer.send(flood)

    async with relay(script) as running:
        client = await greeted(running)
        tracemalloc.start()
        try:
            # 8,000 lines of "250 Ok": the first one is the answer, and the end of the session.
            with suppress(ProtocolError):
                await asked(client)
            await running.finished()
            assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
        finally:
            tracemalloc.stop()
        assert not client.usable
