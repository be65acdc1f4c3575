"""AUTH over a connection: each mechanism alone on offer, refusals, and challenges that lie."""

import asyncio
import base64
from typing import Any

import pytest
from scramp import ScramMechanism  # type: ignore[import-untyped]

from smarthost.clock import SystemClock
from smarthost.secret import Secret
from smarthost.smtp.client import Client
from smarthost.smtp.errors import ProtocolError, Reason, RefusedError, SmtpError, TimedOutError
from smarthost.smtp.sasl import Exchange, Login, Plain, Scram, choose
from tests.smtp.relays import Peer, Script, asked, greeted, relay

USER = "notify@example.com"
PASSWORD = Secret("correct horse")


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def exchange_for(client: Client, *, use_ntlm: bool = False) -> Exchange:
    exchange = choose(
        client.extensions.auth,
        user_name=USER,
        password=PASSWORD,
        use_ntlm=use_ntlm,
        tls_verified=client.tls_verified,
    )
    assert exchange is not None
    return exchange


async def accept_plain(peer: Peer) -> None:
    await peer.hear("AUTH PLAIN " + encoded(f"\0{USER}\0{PASSWORD.reveal()}"))
    await peer.say("235 2.7.0 Welcome")


async def accept_login(peer: Peer) -> None:
    await peer.hear("AUTH LOGIN")
    await peer.say("334 " + encoded("Username:"))
    await peer.hear(encoded(USER))
    await peer.say("334 " + encoded("Password:"))
    await peer.hear(encoded(PASSWORD.reveal()))
    await peer.say("235 2.7.0 Welcome")


async def accept_cram_md5(peer: Peer) -> None:
    await peer.hear("AUTH CRAM-MD5")
    await peer.say("334 " + encoded("<1@example.com>"))
    assert base64.b64decode(await peer.hear()).startswith(f"{USER} ".encode())
    await peer.say("235 2.7.0 Welcome")


def scram_server(mechanism: str) -> Any:
    known = ScramMechanism(mechanism)
    information = known.make_auth_info(PASSWORD.reveal())
    return known.make_server(lambda _name: information)


def accept_scram(mechanism: str) -> Script:
    async def script(peer: Peer) -> None:
        server = scram_server(mechanism)
        first = await peer.hear(f"AUTH {mechanism} ")
        server.set_client_first(base64.b64decode(first).decode())
        await peer.say("334 " + encoded(server.get_server_first()))
        server.set_client_final(base64.b64decode(await peer.hear()).decode())
        await peer.say("334 " + encoded(server.get_server_final()))
        assert await peer.hear() == ""
        await peer.say("235 2.7.0 Welcome")

    return script


def offering(mechanisms: str, then: Script) -> Script:
    async def script(peer: Peer) -> None:
        await peer.greet(f"AUTH {mechanisms}")
        await then(peer)
        assert await peer.is_left()

    return script


@pytest.mark.parametrize(
    ("mechanism", "accept"),
    [
        ("PLAIN", accept_plain),
        ("LOGIN", accept_login),
        ("CRAM-MD5", accept_cram_md5),
        ("SCRAM-SHA-1", accept_scram("SCRAM-SHA-1")),
        ("SCRAM-SHA-256", accept_scram("SCRAM-SHA-256")),
    ],
)
async def test_each_mechanism_alone_on_offer_logs_in(mechanism: str, accept: Script) -> None:
    async with relay(offering(mechanism, accept)) as running:
        client = await greeted(running)
        reply = await client.authenticate(exchange_for(client))
        assert reply.text == "235 2.7.0 Welcome"
        assert client.usable
        client.close()


async def test_a_refusal_is_told_and_nothing_weaker_tried() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.hear("AUTH SCRAM-SHA-256 ")
        await peer.say("535 5.7.8 Try LOGIN")

    async with relay(offering("SCRAM-SHA-256 LOGIN PLAIN", refuse)) as running:
        client = await greeted(running)
        with pytest.raises(RefusedError) as caught:
            await client.authenticate(exchange_for(client))
        assert caught.value.reply.text == "535 5.7.8 Try LOGIN"
        client.close()
        await running.finished()
        heard = b"".join(running.peers[0].lines)
        assert encoded(PASSWORD.reveal()).encode() not in heard


async def test_a_relay_that_repeats_the_password_is_not_repeated() -> None:
    secret = encoded(f"\0{USER}\0{PASSWORD.reveal()}")

    async def repeat(peer: Peer) -> None:
        line = await peer.hear()
        await peer.say(f"500 No such command: {line}; is {PASSWORD.reveal()} your password?")

    async with relay(offering("PLAIN", repeat)) as running:
        client = await greeted(running)
        with pytest.raises(RefusedError) as caught:
            await client.authenticate(exchange_for(client))
        assert secret not in caught.value.reply.text
        assert PASSWORD.reveal() not in caught.value.reply.text
        assert "[hidden]" in caught.value.reply.text
        client.close()


@pytest.mark.parametrize(
    "challenge", ["what?", "VXNlcm5hbWU", "=", "\x1b[2J", "VXNl-", "A" * 1500 + "!"]
)
async def test_a_challenge_that_is_not_base64_is_cancelled(challenge: str) -> None:
    async def lie(peer: Peer) -> None:
        await peer.hear("AUTH LOGIN")
        await peer.say(f"334 {challenge}")
        await peer.hear("*")
        await peer.say("501 5.7.0 Cancelled")

    async with relay(offering("LOGIN", lie)) as running:
        client = await greeted(running)
        with pytest.raises(ProtocolError) as caught:
            await client.authenticate(Login(USER, PASSWORD))
        assert caught.value.reason is Reason.BAD_CHALLENGE
        assert not client.usable


async def test_a_challenge_that_never_ends_is_cut() -> None:
    async def endless(peer: Peer) -> None:
        await peer.hear("AUTH LOGIN")
        await peer.send(b"334 " + b"QUFB" * 250_000)

    async with relay(offering("LOGIN", endless)) as running:
        client = await greeted(running)
        with pytest.raises(ProtocolError) as caught:
            await client.authenticate(Login(USER, PASSWORD))
        assert caught.value.reason is Reason.LINE_TOO_LONG


async def test_endless_challenges_are_cancelled() -> None:
    heard: list[str] = []

    async def endless(peer: Peer) -> None:
        await peer.hear("AUTH LOGIN")
        while not heard or heard[-1] != "*":
            await peer.say("334 ")
            heard.append(await peer.hear())

    async with relay(offering("LOGIN", endless)) as running:
        client = await greeted(running)
        client.deadline = SystemClock().monotonic() + 0.3
        with pytest.raises(ProtocolError) as caught:
            await client.authenticate(Login(USER, PASSWORD))
        assert caught.value.reason is Reason.BAD_CHALLENGE
        await running.finished()
        assert heard == [encoded(USER), encoded(PASSWORD.reveal()), "*"]


async def test_yes_without_proof_ends_scram() -> None:
    async def fake(peer: Peer) -> None:
        await peer.hear("AUTH SCRAM-SHA-256 ")
        await peer.say("235 2.7.0 Trust me")

    async with relay(offering("SCRAM-SHA-256", fake)) as running:
        client = await greeted(running)
        with pytest.raises(ProtocolError) as caught:
            await client.authenticate(exchange_for(client))
        assert caught.value.reason is Reason.BAD_CHALLENGE
        assert not client.usable


async def test_a_relay_that_wants_endless_hashing_gets_none() -> None:
    async def greedy(peer: Peer) -> None:
        first = base64.b64decode(await peer.hear("AUTH SCRAM-SHA-256 ")).decode()
        nonce = first.rpartition("r=")[2]
        await peer.say("334 " + encoded(f"r={nonce}more,s=c2FsdHNhbHRzYWx0,i=9999999"))
        await peer.hear("*")
        await peer.say("501 5.7.0 Cancelled")

    async with relay(offering("SCRAM-SHA-256", greedy)) as running:
        client = await greeted(running)
        with pytest.raises(ProtocolError):
            await client.authenticate(exchange_for(client))


class Slow(Plain):
    """Hashes until it is let go, longer than the step may take."""

    def __init__(self, user_name: str, password: Secret) -> None:
        super().__init__(user_name, password)
        self.loop = asyncio.get_running_loop()
        self.done = asyncio.Event()

    def initial(self) -> bytes:
        asyncio.run_coroutine_threadsafe(self.done.wait(), self.loop).result()
        return super().initial()


async def test_hashing_does_not_outlast_the_deadline() -> None:
    async def nothing(peer: Peer) -> None:
        pass

    async with relay(offering("PLAIN", nothing)) as running:
        client = await greeted(running)
        client.deadline = SystemClock().monotonic() + 0.05
        exchange = Slow(USER, PASSWORD)
        with pytest.raises(TimedOutError):
            await client.authenticate(exchange)
        assert not client.usable
        exchange.done.set()


async def test_a_530_after_the_login_is_the_relays_answer() -> None:
    async def forget(peer: Peer) -> None:
        await accept_plain(peer)
        await peer.hear("MAIL FROM:")
        await peer.say("530 5.7.0 Authentication required")

    async with relay(offering("PLAIN", forget)) as running:
        client = await greeted(running)
        await client.authenticate(exchange_for(client))
        assert (await asked(client)).code == 530
        client.close()


@pytest.mark.parametrize("code", [220, 250, 354])
async def test_only_235_is_a_yes(code: int) -> None:
    async def odd(peer: Peer) -> None:
        await peer.hear("AUTH PLAIN ")
        await peer.say(f"{code} Hm")

    async with relay(offering("PLAIN", odd)) as running:
        client = await greeted(running)
        with pytest.raises(SmtpError) as caught:
            await client.authenticate(exchange_for(client))
        assert caught.value.reason is Reason.UNEXPECTED_REPLY


async def test_a_long_scram_name_waits_to_be_asked_for() -> None:
    user_name = "x" * 400 + "@example.com"

    async def ask_first(peer: Peer) -> None:
        server = scram_server("SCRAM-SHA-256")
        assert await peer.hear() == "AUTH SCRAM-SHA-256"
        await peer.say("334 ")
        server.set_client_first(base64.b64decode(await peer.hear()).decode())
        await peer.say("334 " + encoded(server.get_server_first()))
        server.set_client_final(base64.b64decode(await peer.hear()).decode())
        await peer.say("334 " + encoded(server.get_server_final()))
        await peer.hear()
        await peer.say("235 2.7.0 Welcome")

    async with relay(offering("SCRAM-SHA-256", ask_first)) as running:
        client = await greeted(running)
        await client.authenticate(Scram("SCRAM-SHA-256", user_name, PASSWORD))
        client.close()
