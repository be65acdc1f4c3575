"""One message over a session: what leaves together, and what is heard when it is not to leave."""

import asyncio
import ssl

import pytest
import trustme

from smarthost.smtp.client import Client
from smarthost.smtp.data import Content
from smarthost.smtp.errors import ClosedError, ProtocolError, Reason
from smarthost.smtp.transaction import RECIPIENTS_AT_ONCE, Transaction
from tests.smtp.relays import HOST, Peer, asked, greeted, named, relay, server_context

MESSAGE = Content(b"x\r\n")


def message(client: Client, *recipients: str) -> Transaction:
    return client.transaction("a@example.com", recipients or ["b@example.com"])


async def hear_group(peer: Peer, recipients: int = 1) -> list[str]:
    """Hear a whole group before anything is said."""
    return [(await peer.hear())[:4] for _ in range(recipients + 2)]


async def test_where_the_relay_pipelines_all_commands_leave_as_one_group() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        assert await hear_group(peer, 2) == ["MAIL", "RCPT", "RCPT", "DATA"]
        await peer.say("250 Ok", "250 Ok", "550 No", "354 Go")
        assert await peer.hear_message() == b"x\r\n.\r\n"
        await peer.say("250 Queued")

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client, "b@example.com", "c@example.com")
        assert (await transaction.mail_from()).code == 250
        assert [reply.code for reply in await transaction.rcpt_to()] == [250, 550]
        assert (await transaction.data(MESSAGE)).text == "250 Queued"
        assert client.usable
        client.close()


async def test_nothing_of_the_message_leaves_before_data_is_called() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await hear_group(peer)
        await peer.say("250 Ok", "250 Ok", "354 Go")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.reader.read(1), 0.05)
        said.set()
        assert await peer.hear_message() == b"x\r\n.\r\n"
        await peer.say("250 Queued")

    said = asyncio.Event()
    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client)
        await transaction.mail_from()
        await transaction.rcpt_to()
        await said.wait()
        assert (await transaction.data(MESSAGE)).positive
        client.close()


async def test_one_by_one_nothing_leaves_before_the_reply_to_the_last_command() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        for _ in range(2):
            await peer.hear()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(peer.reader.read(1), 0.02)
            await peer.say("250 Ok")

    async with relay(script) as running:
        client = await greeted(running)
        transaction = client.transaction("a@example.com", ["b@example.com"], one_by_one=True)
        await transaction.mail_from()
        await transaction.rcpt_to()
        await transaction.leave()
        assert client.usable
        client.close()


async def test_a_group_is_bounded_and_data_is_the_last_of_all() -> None:
    count = 2 * RECIPIENTS_AT_ONCE + 50

    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        for group in (
            ["MAIL", *["RCPT"] * RECIPIENTS_AT_ONCE],
            ["RCPT"] * RECIPIENTS_AT_ONCE,
            [*["RCPT"] * 50, "DATA"],
        ):
            for verb in group:
                assert (await peer.hear()).startswith(verb)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(peer.reader.read(1), 0.02)
            await peer.say(*("354 Go" if verb == "DATA" else "250 Ok" for verb in group))
        await peer.hear_message()
        await peer.say("250 Queued")

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client, *(f"{number}@example.com" for number in range(count)))
        await transaction.mail_from()
        assert len(await transaction.rcpt_to()) == count
        assert (await transaction.data(MESSAGE)).positive
        client.close()


async def test_a_transaction_that_was_refused_is_dropped_with_the_next_group() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await hear_group(peer)
        await peer.say("250 Ok", "550 No", "554 5.5.1 No valid recipients")
        await peer.hear("RSET")
        await hear_group(peer)
        await peer.say("250 Flushed", "250 Ok", "250 Ok", "354 Go")
        await peer.hear_message()
        await peer.say("250 Queued")
        await hear_group(peer)  # no RSET: the message has used up what was begun
        await peer.say("553 No", "503 No", "503 No")
        assert (await hear_group(peer))[0] == "MAIL"  # nor here: nothing was begun

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client)
        await transaction.mail_from()
        assert [reply.code for reply in await transaction.rcpt_to()] == [550]
        await transaction.leave()
        transaction = message(client)
        assert (await transaction.mail_from()).positive
        await transaction.rcpt_to()
        assert (await transaction.data(MESSAGE)).positive
        transaction = message(client)
        assert (await transaction.mail_from()).code == 553
        await transaction.leave()
        assert client.usable
        with pytest.raises(ClosedError):
            await message(client).mail_from()


async def test_where_the_relay_does_not_pipeline_the_drop_is_a_command_of_its_own() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for answer in ("250 Ok", "550 No"):
            await peer.hear()
            await peer.say(answer)
        await peer.hear("RSET")
        await peer.say("250 Ok")
        await peer.hear("MAIL")
        await peer.say("250 Ok")

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client)
        await transaction.mail_from()
        await transaction.rcpt_to()
        await transaction.leave()
        assert (await asked(client)).positive
        client.close()


async def test_a_session_that_cannot_drop_what_was_begun_is_over() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL")
        await peer.say("250 Ok")
        await peer.hear("RSET")
        await peer.say("451 Not now")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        await asked(client)
        with pytest.raises(ClosedError):
            await asked(client)
        assert not client.usable


@pytest.mark.parametrize(("answer", "usable"), [("554 5.5.1 For whom?", True), ("250 Ok", False)])
async def test_a_relay_that_waits_for_a_message_to_nobody_gets_an_empty_one(
    answer: str, usable: bool
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await hear_group(peer)
        await peer.say("250 Ok", "550 No", "354 Go")
        assert await peer.reader.readexactly(3) == b".\r\n"
        await peer.say(answer)
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client)
        await transaction.mail_from()
        await transaction.rcpt_to()
        await transaction.leave()
        assert client.usable is usable
        client.close()


async def test_to_recipients_of_a_refused_sender_no_empty_message_goes_out() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await hear_group(peer)
        await peer.say("553 Not yours", "250 Ok", "354 Go")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client)
        assert (await transaction.mail_from()).code == 553
        await transaction.leave()
        assert not client.usable


@pytest.mark.parametrize(
    "answers", [["421 Closing"], ["250 Ok", "421 Closing"], ["250 Ok", "550 No", "421 Closing"]]
)
async def test_after_a_421_nothing_more_is_waited_for(answers: list[str]) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await hear_group(peer)
        await peer.say(*answers)
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client)
        if (await transaction.mail_from()).positive:
            await transaction.rcpt_to()
        await transaction.leave()
        assert not client.usable
        client.close()


async def test_a_yes_to_data_in_place_of_354_ends_the_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await hear_group(peer)
        await peer.say("250 Ok", "250 Ok", "250 Delivered")
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client)
        await transaction.mail_from()
        await transaction.rcpt_to()
        with pytest.raises(ProtocolError) as caught:
            await transaction.data(MESSAGE)
        assert caught.value.reason is Reason.UNEXPECTED_REPLY
        assert not client.message_left


@pytest.mark.parametrize("answer", ["220 Ok", "235 2.7.0 Welcome", "354 Go on", "200 Ok"])
async def test_another_yes_than_250_to_the_message_is_not_believed(answer: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await hear_group(peer)
        await peer.say("250 Ok", "250 Ok", "354 Go")
        await peer.hear_message()
        await peer.say(answer)
        assert await peer.is_left()

    async with relay(script) as running:
        client = await greeted(running)
        transaction = await named(client)
        with pytest.raises(ProtocolError) as caught:
            await transaction.data(MESSAGE)
        assert caught.value.reason is Reason.UNEXPECTED_REPLY
        assert client.message_left


async def test_a_group_with_replies_of_a_flood_is_no_deadlock() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        for _ in range(RECIPIENTS_AT_ONCE + 2):
            await peer.hear()
            # As long as a reply may be: together far more than the buffers of both ends.
            await peer.send(b"250-x%s\r\n" % (b"y" * 1_900) * 7 + b"250 Ok\r\n")

    async with relay(script) as running:
        client = await greeted(running)
        transaction = message(client, *(f"{n}@example.com" for n in range(RECIPIENTS_AT_ONCE)))
        await transaction.mail_from()
        assert len(await transaction.rcpt_to()) == RECIPIENTS_AT_ONCE
        client.close()


async def test_a_session_is_quiet_until_the_relay_says_something_or_hangs_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await go.wait()
        peer.writer.transport.abort()

    go = asyncio.Event()
    async with relay(script) as running:
        client = await greeted(running)
        heard = [client.quiet]
        go.set()
        # The relay hangs up, and our side of the loop has not looked yet.
        while heard[-1]:
            await asyncio.sleep(0)
            heard.append(client.quiet)
        assert len(heard) > 1
        client.close()


async def test_a_session_over_tls_is_never_asked_for_a_socket_that_it_has_let_go(
    ca: trustme.CA, trusting: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("STARTTLS")
        await peer.hear("STARTTLS")
        await peer.say("220 Go on")
        await peer.start_tls(server_context(ca))
        await peer.answer_ehlo()
        await go.wait()
        peer.writer.close()

    go = asyncio.Event()
    async with relay(script) as running:
        client = await greeted(running)
        await client.start_tls(trusting, HOST)
        await client.ehlo("app.example.org")
        go.set()
        # Whatever turn of the loop the end of the connection takes.
        while client.usable:
            await asyncio.sleep(0)
            assert isinstance(client.quiet, bool)
        client.close()
