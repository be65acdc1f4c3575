"""A session with a relay that keeps to the rules, step by step."""

import asyncio
import socket
from contextlib import suppress

import pytest

from smarthost.clock import SystemClock
from smarthost.smtp.client import Client
from smarthost.smtp.connection import Connection
from smarthost.smtp.data import Content
from smarthost.smtp.errors import (
    ClosedError,
    ConnectError,
    ProtocolError,
    Reason,
    RefusedError,
    TimedOutError,
)
from tests.smtp.relays import (
    HOST,
    Peer,
    asked,
    connected,
    connected_to,
    greeted,
    named,
    relay,
    until,
)

BIG = b"x" * 70 + b"\r\n"


async def test_a_message_goes_out() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("SIZE 100000", "8BITMIME")
        await peer.hear("MAIL FROM:<a@example.com> SIZE=4 BODY=8BITMIME")
        await peer.say("250 2.1.0 Ok")
        await peer.hear("RCPT TO:<b@example.com>")
        await peer.say("250 2.1.5 Ok")
        await peer.hear("RCPT TO:<c@example.com>")
        await peer.say("550 5.1.1 No such user")
        await peer.hear("DATA")
        await peer.say("354 Go")
        assert await peer.hear_message() == b"..h\xc3\xa4\r\n.\r\n"
        await peer.say("250 2.0.0 Queued as 1")
        await peer.hear("QUIT")
        await peer.say("221 Bye")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await connected(running)
        assert client.address == "127.0.0.1"
        assert (await client.greeting()).text == f"220 {HOST} ESMTP"
        extensions = await client.ehlo("client.example.com")
        assert extensions == client.extensions
        assert extensions.size == 100_000
        message = client.transaction(
            "a@example.com", ["b@example.com", "c@example.com"], size=4, eight_bit=True
        )
        assert (await message.mail_from()).code == 250
        replies = await message.rcpt_to()
        assert [reply.code for reply in replies] == [250, 550]
        assert (await message.data(Content(".hä".encode()))).text == "250 2.0.0 Queued as 1"
        assert client.usable
        assert (client.tls_version, client.cipher, client.certificate) == (None, None, None)
        await client.quit()
        assert not client.usable


async def test_several_messages_go_out_over_one_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for _ in range(3):
            await peer.hear("MAIL FROM:<>")
            await peer.say("250 Ok")
            await peer.hear("RCPT TO:")
            await peer.say("250 Ok")
            await peer.hear("DATA")
            await peer.say("354 Go")
            await peer.hear_message()
            await peer.say("250 Ok")

    async with relay(script) as running:
        client = await greeted(running)
        for _ in range(3):
            message = client.transaction("", ["b@example.com"])
            await message.mail_from()
            await message.rcpt_to()
            assert (await message.data(Content(b"x"))).code == 250
        client.close()


async def test_the_size_is_told_only_where_the_relay_has_a_limit() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("SIZE")
        assert await peer.hear("MAIL FROM:") == "<a@example.com>"
        await peer.say("250 Ok")

    async with relay(script) as running:
        client = await greeted(running)
        await client.transaction("a@example.com", [], size=10).mail_from()
        client.close()


async def test_recipients_are_named_all_at_once_where_the_relay_pipelines() -> None:
    paths = [f"user{number}@example.com" for number in range(250)]

    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        for group in (100, 100, 50):
            heard = [await peer.hear("RCPT TO:") for _ in range(group)]
            await peer.say(*(f"250 {path}" for path in heard))

    async with relay(script) as running:
        client = await greeted(running)
        message = client.transaction("a@example.com", paths)
        await message.mail_from()
        replies = await message.rcpt_to()
        assert [reply.lines[0] for reply in replies] == [f"<{path}>" for path in paths]
        client.close()


async def test_recipients_are_named_one_by_one_where_it_does_not() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for _ in range(3):
            await peer.hear()
            await asyncio.sleep(0)
            # Nothing more may have come before the reply.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(peer.reader.read(1), 0.02)
            await peer.say("250 Ok")

    async with relay(script) as running:
        client = await greeted(running)
        message = client.transaction("a@example.com", ["b@example.com", "c@example.com"])
        await message.mail_from()
        assert len(await message.rcpt_to()) == 2
        client.close()


async def test_a_421_stands_for_the_recipients_that_follow() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:")
        await peer.say("250 Ok", "421 4.3.2 Shutting down")

    async with relay(script) as running:
        client = await greeted(running)
        message = client.transaction("a@example.com", [f"{name}@example.com" for name in "bcde"])
        await message.mail_from()
        replies = await message.rcpt_to()
        assert [reply.code for reply in replies] == [250, 421, 421, 421]
        assert not client.usable
        await client.quit()


async def test_a_large_message_goes_out_whole() -> None:
    content = BIG * 50_000
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "250 Ok", "354 Go"):
            await peer.hear()
            await peer.say(answer)
        await asyncio.sleep(0.05)  # until the client has to hold back
        received.append(await peer.reader.readexactly(len(content) + 3))
        await peer.say("250 Ok")

    async with relay(script) as running:
        client = await greeted(running)
        message = await named(client)
        assert (await message.data(Content(content))).code == 250
        assert received == [content + b".\r\n"]
        assert client.usable
        client.close()


async def test_an_answer_in_the_middle_of_the_message_ends_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "250 Ok", "354 Go"):
            await peer.hear()
            await peer.say(answer)
        await peer.reader.read(1)
        await peer.say("552 5.3.4 Too big")
        # The rest is not read: only the answer can end the waiting.
        await left.wait()

    left = asyncio.Event()
    async with relay(script) as running:
        client = await greeted(running)
        message = await named(client)
        assert (await message.data(Content(BIG * 200_000))).text == "552 5.3.4 Too big"
        assert not client.usable
        left.set()


async def test_yes_in_the_middle_of_the_message_is_not_believed() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "250 Ok", "354 Go"):
            await peer.hear()
            await peer.say(answer)
        await peer.reader.read(1)
        await peer.say("250 Delivered")
        await left.wait()

    left = asyncio.Event()
    async with relay(script) as running:
        client = await greeted(running)
        message = await named(client)
        with pytest.raises(ProtocolError) as caught:
            await message.data(Content(BIG * 200_000))
        assert caught.value.reason is Reason.UNEXPECTED_REPLY
        left.set()


async def test_a_message_has_left_once_its_end_was_handed_to_the_network() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "250 Ok", "354 Go"):
            await peer.hear()
            await peer.say(answer)
        await peer.hear_message()

    async with relay(script) as running:
        client = await greeted(running)
        message = await named(client)
        assert not client.message_left
        with pytest.raises(ClosedError):
            await message.data(Content(b"x"))
        assert client.message_left


@pytest.mark.parametrize("behind", [0, 1, 2])
async def test_part_of_the_end_counts_as_the_end(behind: int) -> None:
    class Stopped(asyncio.Transport):
        """Takes one piece and no more."""

        def write(self, data: bytes | bytearray | memoryview) -> None:
            if data:
                handed.append(bytes(data))
                connection.pause_writing()

        def abort(self) -> None:
            pass

    handed: list[bytes] = []
    clock = SystemClock()
    connection = Connection(clock, clock.monotonic() + 0.05)
    connection.connection_made(Stopped())
    # The first piece has 64 KiB, and the lone dot is its last octet but `behind`.
    message = b"x" * (64 * 1024 - 3 - behind) + b"\r\n.\r\n"
    with suppress(TimedOutError):
        await connection.write_message(message)
    assert b"".join(handed)[-1 - behind :] == b".\r\n"[: 1 + behind]
    assert connection.message_left


async def test_an_unusable_session_says_what_ended_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL")
        await peer.say("250 Ok", "250 And more")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        client.check_usable()
        await asked(client)
        with pytest.raises(ProtocolError) as caught:
            client.check_usable()
        assert caught.value.reason is Reason.UNSOLICITED


async def test_a_session_that_the_relay_has_said_421_on_is_closed() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL")
        await peer.say("421 4.3.2 Closing")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        await asked(client)
        with pytest.raises(ClosedError):
            client.check_usable()
        client.close()


async def test_a_refusal_of_data_is_given_and_nothing_sent() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "250 Ok", "554 5.5.1 No valid recipients"):
            await peer.hear()
            await peer.say(answer)
        await peer.hear("RSET")
        await peer.say("250 Ok")
        await peer.hear("MAIL")
        await peer.say("250 Ok")

    async with relay(script) as running:
        client = await greeted(running)
        message = await named(client)
        assert (await message.data(Content(b"x"))).code == 554
        await asked(client)
        client.close()


async def test_what_the_relay_does_not_offer_is_not_used() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:<a@example.com>")
        await peer.say("250 Ok")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        with pytest.raises(ValueError, match="offer"):
            client.transaction("a@example.com", [], eight_bit=True)
        with pytest.raises(ValueError, match="offer"):
            client.transaction("ä@example.com", [], utf8=True)
        with pytest.raises(ValueError, match="SMTPUTF8"):
            client.transaction("a@example.com", ["ä@example.com"])
        message = client.transaction("a@example.com", [])
        await message.mail_from()
        with pytest.raises(ValueError, match="8-bit"):
            await message.data(Content("ä".encode()))
        client.close()


async def test_an_address_beyond_ascii_goes_out_where_the_relay_takes_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("SMTPUTF8", "8BITMIME")
        await peer.hear("MAIL FROM:<ä@example.com> SMTPUTF8")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:<ö@example.com>")
        await peer.say("250 Ok")

    async with relay(script) as running:
        client = await greeted(running)
        message = client.transaction("ä@example.com", ["ö@example.com"], utf8=True)
        await message.mail_from()
        await message.rcpt_to()
        client.close()


@pytest.mark.parametrize("answer", ["421 Busy", "554 5.7.1 Go away"])
async def test_a_refusal_instead_of_a_greeting_is_told(answer: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(answer)
        assert await peer.is_left()

    async with relay(script) as running:
        client = await connected(running)
        with pytest.raises(RefusedError) as caught:
            await client.greeting()
        assert caught.value.reply.text == answer
        await client.quit() if answer.startswith("421") else client.close()


async def test_a_refusal_of_ehlo_is_told_and_helo_is_not_tried() -> None:
    async def script(peer: Peer) -> None:
        await peer.say("220 Hello")
        await peer.hear("EHLO ")
        await peer.say("500 What?")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await connected(running)
        await client.greeting()
        with pytest.raises(RefusedError) as caught:
            await client.ehlo("client.example.com")
        assert caught.value.reason is Reason.NEGATIVE_REPLY
        client.close()


async def test_a_port_where_nothing_listens_refuses() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clock = SystemClock()
    with pytest.raises(ConnectError) as caught:
        await Client.connect("127.0.0.1", port, clock=clock, deadline=clock.monotonic() + 5)
    assert caught.value.reason is Reason.REFUSED


async def test_a_connection_that_nobody_accepts_times_out() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        # Such a socket holds one or two connections that nobody takes; the kernel drops the rest.
        ends = await asyncio.gather(
            *(connected_to(port, seconds=0.2) for _ in range(8)), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, Client):
                end.close()
        assert isinstance(ends[-1], ConnectError)
        assert ends[-1].reason is Reason.TIMED_OUT


@pytest.mark.allow_hosts(["255.255.255.255"])
async def test_an_address_without_a_route_is_unreachable() -> None:
    clock = SystemClock()
    with pytest.raises(ConnectError) as caught:
        # TCP has no broadcast: the kernel says so at once, and nothing leaves the machine.
        await Client.connect("255.255.255.255", 25, clock=clock, deadline=clock.monotonic() + 5)
    assert caught.value.reason is Reason.UNREACHABLE


async def test_a_name_is_never_connected_to() -> None:
    clock = SystemClock()
    with pytest.raises(ValueError, match="localhost"):
        await Client.connect("localhost", 25, clock=clock, deadline=clock.monotonic() + 5)


async def test_a_silent_relay_is_left_at_the_deadline() -> None:
    async def script(peer: Peer) -> None:
        assert await peer.is_left()

    async with relay(script) as running:
        client = await connected(running, seconds=0.1)
        with pytest.raises(TimedOutError):
            await client.greeting()
        assert not client.usable


async def test_each_step_has_the_deadline_it_was_given() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        client.deadline = SystemClock().monotonic() + 0.05
        with pytest.raises(TimedOutError):
            await asked(client)
        client.deadline += 60
        with pytest.raises(TimedOutError):
            await asked(client)


async def test_a_deadline_that_has_passed_ends_the_step_at_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        client.deadline = SystemClock().monotonic() - 1
        with pytest.raises(TimedOutError):
            await asked(client)
        await running.finished()


async def test_a_relay_that_leaves_is_noticed_while_nothing_is_asked() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()

    async with relay(script) as running:
        client = await greeted(running)
        await until(lambda: not client.usable)
        with pytest.raises(ClosedError):
            await asked(client)
        await client.quit()


async def test_a_cancelled_step_leaves_no_connection_behind() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asked(client)
        assert not client.usable


async def test_goodbye_waits_no_longer_than_the_deadline() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("QUIT")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        client.deadline = SystemClock().monotonic() + 0.05
        await client.quit()
