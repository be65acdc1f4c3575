"""What a connection may use: time, octets, places; and how it ends."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from smarthost.submission.limits import Limits
from tests.submission.served import CONTENT, MAIL, PATIENCE, RCPT, Client, serving

LARGE = CONTENT + b"x" * 100 + b"\r\n"


async def drip(client: Client, octets: bytes, seconds: float) -> None:
    """Send an octet every now and then, until the other side has had enough."""
    for at in range(len(octets)):
        if client.reader.at_eof() or client.writer.is_closing():
            return
        client.send(octets[at : at + 1])
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("octets", [b"", b"EHLO a.example.com" * 20])
async def test_before_the_login_each_command_has_little_time(
    tmp_path: Path, octets: bytes
) -> None:
    limits = Limits(command_seconds=0.3)
    async with serving(tmp_path, limits) as service, service.connected() as client:
        dripping = asyncio.create_task(drip(client, octets, 0.05))
        assert await client.rest() == "421 4.4.2 The session took too long\r\n"
        await dripping


async def test_before_the_login_all_commands_together_have_little_time(tmp_path: Path) -> None:
    limits = Limits(command_seconds=0.3, login_seconds=0.6)
    async with serving(tmp_path, limits) as service, service.connected() as client:
        began = time.monotonic()
        for _ in range(100):
            told = await client.ask(b"NOOP\r\n")
            if not told.startswith("250 "):
                break
            await asyncio.sleep(0.05)
        assert told.startswith("421 4.4.2 ")
        assert 0.5 < time.monotonic() - began < 5


async def test_after_the_login_a_client_may_wait_longer_but_not_for_ever(tmp_path: Path) -> None:
    limits = Limits(command_seconds=0.1, idle_seconds=0.5)
    async with serving(tmp_path, limits) as service, service.logged_in() as client:
        await asyncio.sleep(0.3)
        assert (await client.ask(b"NOOP\r\n")).startswith("250 ")
        assert await client.rest() == "421 4.4.2 The session took too long\r\n"


async def test_a_session_ends_some_day(tmp_path: Path) -> None:
    limits = Limits(session_seconds=0.4)
    async with serving(tmp_path, limits) as service, service.logged_in() as client:
        for _ in range(100):
            told = await client.ask(b"NOOP\r\n")
            if not told.startswith("250 "):
                break
            await asyncio.sleep(0.05)
        assert told.startswith("421 4.4.2 ")


async def test_a_message_that_comes_too_slowly_is_cut(tmp_path: Path) -> None:
    limits = Limits(data_seconds=0.3, data_rate=500)
    async with serving(tmp_path, limits) as service, service.logged_in() as client:
        await client.ask(MAIL, RCPT, b"DATA\r\n")
        dripping = asyncio.create_task(drip(client, CONTENT * 5, 0.02))
        assert await client.rest() == "421 4.4.2 The session took too long\r\n"
        await dripping
        assert not await service.messages()


async def test_a_message_that_takes_room_from_others_has_to_come_faster(tmp_path: Path) -> None:
    limits = Limits(data_seconds=0.3, data_rate=1, small_octets=10, room_rate=1_000_000)
    async with serving(tmp_path, limits) as service, service.logged_in() as client:
        await client.ask(MAIL, RCPT, b"DATA\r\n")
        dripping = asyncio.create_task(drip(client, CONTENT * 5, 0.02))
        assert await client.rest() == "421 4.4.2 The session took too long\r\n"
        await dripping


async def test_a_portal_with_all_its_sessions_is_told_so_at_the_login(tmp_path: Path) -> None:
    limits = Limits(portal_sessions=1)
    async with serving(tmp_path, limits) as service, service.logged_in():
        async with service.connected() as second:
            told = await second.log_in(service.key)
        assert told == "421 4.7.0 Too many sessions are open; try again soon\r\n"


async def test_a_message_that_comes_fast_enough_may_take_longer(tmp_path: Path) -> None:
    limits = Limits(data_seconds=0.2, data_rate=100)
    async with serving(tmp_path, limits) as service, service.logged_in() as client:
        await client.ask(MAIL, RCPT, b"DATA\r\n")
        for _ in range(10):
            client.send(CONTENT)
            await asyncio.sleep(0.06)
        assert (await client.ask(b".\r\n")).startswith("250 ")


async def test_who_has_not_logged_in_makes_room_for_who_comes_later(tmp_path: Path) -> None:
    async with serving(tmp_path, Limits(strangers=2)) as service, AsyncExitStack() as stack:

        async def opened(source: str) -> Client:
            return await stack.enter_async_context(service.connected(source=source))

        first, second = await opened("127.0.0.1"), await opened("127.0.0.1")
        other = await opened("127.0.0.2")
        third = await opened("127.0.0.1")
        assert await first.rest() == "421 4.7.0 Too many sessions are open; try again soon\r\n"
        for client in (second, third, other):
            assert (await client.log_in(service.key)).startswith("235 ")
        # They have logged in, so the places of strangers are free again.
        await opened("127.0.0.1")
        await opened("127.0.0.1")
        assert (await second.ask(b"NOOP\r\n")).startswith("250 ")


async def test_when_all_places_are_taken_nobody_who_sends_is_sent_away(tmp_path: Path) -> None:
    async with serving(tmp_path, Limits(sessions=2)) as service, AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(service.logged_in()) for _ in range(2)]
        async with service.connected(greeted=False) as third:
            told = await third.rest()
        assert told == "421 4.7.0 Too many sessions are open; try again soon\r\n"
        for client in (first, second):
            assert (await client.submit()).startswith("250 ")
        await second.ask(b"QUIT\r\n")
        await second.rest()
        async with service.logged_in() as fourth:
            assert (await fourth.ask(b"NOOP\r\n")).startswith("250 ")


async def test_a_large_message_that_finds_no_room_is_refused_for_now(tmp_path: Path) -> None:
    limits = Limits(small_octets=100, room_octets=2 * len(LARGE))
    async with serving(tmp_path, limits) as service, service.logged_in() as client:
        assert (await client.submit(LARGE * 5)).startswith("452 4.3.1 ")
        # The room is free again each time, and the session goes on.
        for _ in range(3):
            assert (await client.submit(LARGE + b"x\r\n" * 50)).startswith("250 ")


async def test_a_message_that_is_too_large_leaves_its_room_to_others(tmp_path: Path) -> None:
    limits = Limits(small_octets=100, room_octets=1_000, message_octets=1_000)
    begun = serving(tmp_path, limits)
    async with begun as service, service.logged_in() as one, service.logged_in() as other:
        content = CONTENT + b"x" * 800 + b"\r\n"
        await one.ask(MAIL, RCPT, b"DATA\r\n")
        one.send(content)
        async with asyncio.timeout(PATIENCE):
            while not (await other.submit(content)).startswith("452 4.3.1 "):
                pass  # the room is not taken yet
        assert (await one.ask(content + b".\r\n")).startswith("552 5.3.4 ")
        assert (await other.submit(content)).startswith("250 ")


async def test_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    limits = Limits(output_octets=1_000)
    async with serving(tmp_path, limits) as service, service.connected() as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(OSError):  # noqa: PT011 - of several kinds
            await flood(client)


async def flood(client: Client) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            client.send(b"HELP\r\n" * 10_000)
            await client.writer.drain()


async def test_a_flood_of_commands_holds_nobody_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, service.connected() as flooding:
        flooding.send(b"NOOP\r\n" * 100_000)
        async with service.logged_in() as client:
            began = time.monotonic()
            assert (await client.submit()).startswith("250 ")
            assert time.monotonic() - began < 1


async def test_the_last_reply_arrives_although_the_client_still_sends(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, service.logged_in() as client:
        await client.ask(MAIL, RCPT, b"DATA\r\n")
        client.send(b"bad\n" + b"x" * 1_000_000)
        assert (await client.rest()).startswith("554 5.6.0 ")


async def test_what_a_client_says_before_the_greeting_is_not_lost(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, service.connected(greeted=False) as client:
        client.send(b"EHLO a\r\n")
        assert (await client.reply()).startswith("220 ")
        assert (await client.reply()).startswith("250-")


async def test_what_was_asked_before_a_client_closed_its_side_is_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, service.connected() as client:
        client.send(b"EHLO a\r\nNOOP\r\n")
        client.writer.write_eof()
        assert (await client.rest()).endswith("250 2.0.0 Ok\r\n")


async def test_a_client_that_is_gone_leaves_its_place(tmp_path: Path) -> None:
    async with serving(tmp_path, Limits(sessions=1)) as service:
        async with service.logged_in() as client:
            await client.ask(MAIL, RCPT, b"DATA\r\n")
            client.send(CONTENT)
        greeting = ""
        until = time.monotonic() + PATIENCE
        while not greeting.startswith("220 ") and time.monotonic() < until:
            async with service.connected(greeted=False) as client:
                greeting = await client.reply()
        assert greeting.startswith("220 ")
        assert not await service.messages()


async def test_a_stop_ends_sessions_and_lets_messages_on_their_way_arrive(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, AsyncExitStack() as stack:
        new = await stack.enter_async_context(service.connected())
        idle, between, sending = [
            await stack.enter_async_context(service.logged_in()) for _ in range(3)
        ]
        await between.ask(MAIL, RCPT)
        await sending.ask(MAIL, RCPT, b"DATA\r\n")
        sending.send(CONTENT)
        stopping = asyncio.create_task(service.listener.stop())
        for client in (new, idle, between):
            told = await client.rest()
            assert told == "421 4.3.2 The service is stopping; try again soon\r\n"
            client.writer.transport.abort()
        assert not stopping.done()
        assert (await sending.ask(b".\r\n")).startswith("250 ")
        assert (await sending.rest()).startswith("421 4.3.2 ")
        sending.writer.transport.abort()
        async with asyncio.timeout(PATIENCE):
            await stopping
        with pytest.raises(OSError):  # noqa: PT011 - of several kinds
            await asyncio.open_connection("127.0.0.1", service.port)
        assert len(await service.messages()) == 1


async def test_a_stop_does_not_wait_for_who_has_stopped_sending(tmp_path: Path) -> None:
    limits = Limits(stop_seconds=0.3, linger_seconds=0.3)
    async with serving(tmp_path, limits) as service, service.logged_in() as client:
        await client.ask(MAIL, RCPT, b"DATA\r\n")
        client.send(CONTENT)
        began = time.monotonic()
        await service.listener.stop()
        assert time.monotonic() - began < 2
        assert await client.rest() == ""
        assert not await service.messages()
