"""Which attempts share a session, and which never do."""

import asyncio

import pytest

from smarthost.delivery.outcome import Result, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.secret import Secret
from tests.delivery.attempts import (
    Told,
    attempted,
    envelope,
    pool,
    say_goodbye,
    settings,
    take_message,
)
from tests.smtp.relays import Peer, relay

LONG = 60.0  # seconds: none of these tests lasts so long


async def take_all(peer: Peer) -> None:
    """Play a relay that takes any number of messages."""
    await peer.greet()
    while True:
        line = await peer.hear()
        if line == "DATA":
            await peer.say("354 Go on")
            await peer.hear_message()
        await peer.say("221 Bye" if line == "QUIT" else "250 Ok")


def verbs(peer: Peer) -> list[str]:
    return [line[:4].decode() for line in peer.lines]


async def test_the_same_settings_share_a_session_for_a_while() -> None:
    told = Told()
    async with relay(take_all) as running:
        async with pool(idle_seconds=LONG) as connections:
            await attempted(settings(running.port), connections=connections)
            [outcome] = await attempted(settings(running.port), connections=connections, told=told)

        assert outcome.result is Result.ACCEPTED
        assert outcome.address == "127.0.0.1"
        assert [verbs(peer) for peer in running.peers] == [
            ["EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]
        ]
    assert told.ends[:6] == [
        "resolve skipped",
        "connect skipped",
        "greeting skipped",
        "ehlo skipped",
        "tls skipped",
        "authenticate skipped",
    ]


async def test_warnings_go_with_the_session() -> None:
    async with relay(take_all) as running, pool(idle_seconds=LONG) as connections:
        [first] = await attempted(settings(running.port), connections=connections)
        [second] = await attempted(settings(running.port), connections=connections)

    assert first.warnings == second.warnings != ()


@pytest.mark.parametrize("change", ["revision", "portal", "helo name"])
async def test_other_settings_never_meet_an_old_session(change: str) -> None:
    async with relay(take_all) as running:
        first = settings(running.port)
        second = {
            "revision": settings(running.port, revision=8),
            "portal": settings(running.port, portal_id="portal-2"),
            "helo name": RelaySettings(
                portal_id=first.portal_id,
                revision=first.revision,
                host=first.host,
                port=first.port,
                enable_ssl=False,
                helo_name="other.example.org",
            ),
        }[change]
        async with pool(idle_seconds=LONG) as connections:
            await attempted(first, connections=connections)
            await attempted(second, connections=connections)

        assert [verbs(peer) for peer in running.peers] == [
            ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
        ] * 2


async def test_a_login_is_never_lent_to_another_password() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN")
        await peer.hear("AUTH PLAIN ")
        await peer.say("235 Ok")
        await take_message(peer)
        await say_goodbye(peer)

    async with relay(script) as running:
        first = settings(running.port, auth=True)
        second = RelaySettings(
            portal_id=first.portal_id,
            revision=first.revision,
            host=first.host,
            port=first.port,
            enable_ssl=False,
            enable_auth=True,
            user_name=first.user_name,
            password=Secret("another"),
            helo_name=first.helo_name,
        )
        async with pool(idle_seconds=LONG) as connections:
            await attempted(first, connections=connections)
            await attempted(second, connections=connections)

        assert len(running.peers) == 2


async def test_two_attempts_at_once_have_a_session_each() -> None:
    async with relay(take_all) as running:
        async with pool(idle_seconds=LONG) as connections:
            to = settings(running.port)
            await asyncio.gather(
                *(attempted(to, connections=connections) for _ in range(3)),
            )
            await attempted(to, connections=connections)

        assert len(running.peers) == 3


async def test_an_idle_session_ends_with_a_goodbye_after_its_time() -> None:
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)
        await say_goodbye(peer)
        ended.set()

    async with relay(script) as running, pool(idle_seconds=0.05) as connections:
        await attempted(settings(running.port), connections=connections)
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_relay_that_hung_up_meanwhile_costs_nothing_but_a_new_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)

    async with relay(script) as running:
        async with pool(idle_seconds=LONG) as connections:
            outcomes = [
                *await attempted(settings(running.port), connections=connections),
                *await attempted(settings(running.port), connections=connections),
            ]

        assert [outcome.result for outcome in outcomes] == [Result.ACCEPTED] * 2
        assert len(running.peers) == 2


@pytest.mark.parametrize("says", ["250 2.0.0 Late", "421 4.4.2 Idle too long"])
async def test_what_a_relay_says_unasked_ends_an_idle_session(says: str) -> None:
    said = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)
        if len(running.peers) == 1:
            await peer.say(says)
            said.set()
            assert await peer.is_left()

    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        await attempted(settings(running.port), connections=connections)
        await said.wait()
        [outcome] = await attempted(settings(running.port), connections=connections)

        assert outcome.result is Result.ACCEPTED
        assert outcome.reply == "250 2.0.0 Queued as 4711"
        assert len(running.peers) == 2


async def test_a_session_that_timed_out_is_never_used_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        if len(running.peers) == 1:
            await peer.hear("MAIL FROM:")
            assert await peer.is_left()
        else:
            await take_message(peer)

    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        [late] = await attempted(settings(running.port), connections=connections, seconds=0.3)
        [outcome] = await attempted(settings(running.port), connections=connections)

    assert (late.result, late.step) == (Result.DEFERRED, Step.SENDER)
    assert outcome.result is Result.ACCEPTED


async def test_what_was_begun_is_dropped_before_a_session_is_used_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:")
        await peer.say("550 5.1.1 Unknown")
        await peer.hear("RSET")
        await peer.say("250 Ok")
        await take_message(peer)
        await say_goodbye(peer)

    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        [first] = await attempted(settings(running.port), connections=connections)
        [second] = await attempted(settings(running.port), envelope(), connections=connections)

    assert (first.result, second.result) == (Result.REFUSED, Result.ACCEPTED)


async def test_without_idle_time_every_attempt_starts_from_nothing() -> None:
    async with relay(take_all) as running:
        async with pool(idle_seconds=0) as connections:
            await attempted(settings(running.port), connections=connections)
            await attempted(settings(running.port), connections=connections)

        assert len(running.peers) == 2


async def test_a_relay_that_never_says_goodbye_does_not_delay_the_outcome() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)
        await peer.hear("QUIT")
        assert await peer.is_left()

    async with relay(script) as running, pool() as connections:
        started = asyncio.get_running_loop().time()
        await attempted(settings(running.port), connections=connections)

        assert asyncio.get_running_loop().time() - started < 2
