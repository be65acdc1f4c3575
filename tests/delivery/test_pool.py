"""Which attempts share a session, and which never do."""

import asyncio
import os
from collections.abc import Mapping

import pytest

from smarthost.clock import SystemClock
from smarthost.delivery.attempt import attempt
from smarthost.delivery.outcome import Code, Result, Step, StepState
from smarthost.delivery.pool import MOST_MESSAGES, MOST_SECONDS
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
from tests.smtp.relays import Peer, relay, until

LONG = 60.0  # seconds: none of these tests lasts so long
OPENING = ("resolve", "connect", "greeting", "ehlo", "tls", "authenticate")
OPENED = [*(f"{step} ok" for step in OPENING[:4]), "tls warning", "authenticate skipped"]


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
            ["EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA", "QUIT"]
        ]
    assert told.ends == ["sender ok", "recipient ok", "data ok"]


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


@pytest.mark.parametrize("pipelining", [(), ("PIPELINING",)])
@pytest.mark.parametrize("ending", ["hangs up", "hangs up at MAIL", "says 421 to MAIL"])
async def test_a_relay_that_ended_the_session_meanwhile_costs_nothing_but_a_new_one(
    ending: str, pipelining: tuple[str, ...]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet(*pipelining)
        await take_message(peer)
        if len(running.peers) == 2:
            return await say_goodbye(peer)
        if ending != "hangs up":
            await peer.hear("MAIL FROM:")
        if ending == "says 421 to MAIL":
            await peer.say("421 4.4.2 Too many messages over this connection")
        return None

    told = Told()
    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        to = settings(running.port)
        outcomes = [
            *await attempted(to, connections=connections),
            *await attempted(to, connections=connections, told=told),
        ]

        assert [outcome.result for outcome in outcomes] == [Result.ACCEPTED] * 2
        assert len(running.peers) == 2
    assert told.ends == [*OPENED, "sender ok", "recipient ok", "data ok"]


async def test_a_session_is_replaced_once_and_no_more() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        if len(running.peers) == 1:
            await take_message(peer)
        await peer.hear("MAIL FROM:")

    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        await attempted(settings(running.port), connections=connections)
        [outcome] = await attempted(settings(running.port), connections=connections)

        assert len(running.peers) == 2
    assert (outcome.step, outcome.code) == (Step.SENDER, Code.CONNECTION_CLOSED)


async def test_a_session_that_ends_behind_the_sender_is_not_replaced() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:")

    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        await attempted(settings(running.port), connections=connections)
        [outcome] = await attempted(settings(running.port), connections=connections)

        assert len(running.peers) == 1
    assert (outcome.step, outcome.code) == (Step.RECIPIENT, Code.CONNECTION_CLOSED)
    assert not outcome.in_doubt


async def test_a_new_session_that_fails_as_well_says_where() -> None:
    async def script(peer: Peer) -> None:
        if len(running.peers) == 1:
            await peer.greet()
            await take_message(peer)

    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        await attempted(settings(running.port), connections=connections)
        [outcome] = await attempted(settings(running.port), connections=connections)

    assert (outcome.step, outcome.code) == (Step.GREETING, Code.CONNECTION_CLOSED)
    assert outcome.warnings == ()


async def test_what_came_unasked_and_is_not_read_yet_is_no_reply_to_the_next_message() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)
        if len(running.peers) == 1:
            assert await peer.is_left()

    async def late(step: Step, state: StepState, seen: Mapping[str, object]) -> None:
        """Have the relay speak when the session is taken, before the loop looks again."""
        if (step, state) == (Step.SENDER, StepState.BEGIN) and len(running.peers) == 1:
            descriptor = running.peers[0].writer.get_extra_info("socket").fileno()
            os.write(descriptor, b"250 2.0.0 Late\r\n")

    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        to = settings(running.port)
        await attempted(to, connections=connections)
        [outcome] = await attempt(
            to,
            [envelope()],
            connections=connections,
            clock=SystemClock(),
            report=late,
            deadline_seconds=10,
        )

        assert outcome.reply == "250 2.0.0 Queued as 4711"
        assert len(running.peers) == 2


async def test_a_fresh_session_is_for_one_attempt_alone() -> None:
    async with relay(take_all) as running:
        async with pool(idle_seconds=LONG) as connections:
            to = settings(running.port)
            await attempted(to, connections=connections)
            await attempted(to, connections=connections, fresh=True)
            await until(lambda: verbs(running.peers[1])[-1] == "QUIT")
            await attempted(to, connections=connections)

        assert [verbs(peer).count("DATA") for peer in running.peers] == [2, 1]


async def test_a_session_ends_after_so_many_messages() -> None:
    async with relay(take_all) as running:
        async with pool(idle_seconds=LONG) as connections:
            to = settings(running.port)
            for _ in range(MOST_MESSAGES + 1):
                [outcome] = await attempted(to, connections=connections)
                assert outcome.result is Result.ACCEPTED

        assert [verbs(peer).count("DATA") for peer in running.peers] == [MOST_MESSAGES, 1]


async def test_a_session_ends_when_it_is_old() -> None:
    class Later(SystemClock):
        seconds = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.seconds

    clock = Later()
    async with relay(take_all) as running:
        async with pool(idle_seconds=LONG, clock=clock) as connections:
            to = settings(running.port)
            await attempted(to, connections=connections)
            clock.seconds = MOST_SECONDS - 10
            await attempted(to, connections=connections)
            clock.seconds = MOST_SECONDS
            await attempted(to, connections=connections)

        assert [verbs(peer).count("DATA") for peer in running.peers] == [2, 1]


async def test_settings_that_change_end_the_sessions_in_use_as_well() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        if len(running.peers) == 1:
            await go_on.wait()
        await take_message(peer)
        await say_goodbye(peer)

    go_on = asyncio.Event()
    async with relay(script) as running, pool(idle_seconds=LONG) as connections:
        old, new = settings(running.port), settings(running.port, revision=8)
        first = asyncio.create_task(attempted(old, connections=connections))
        await until(lambda: len(running.peers) == 1)
        await attempted(new, connections=connections)
        go_on.set()
        await first
        # Given back with settings that are no longer asked for: it has said goodbye by itself.
        await until(lambda: verbs(running.peers[0])[-1:] == ["QUIT"])
        assert verbs(running.peers[1])[-1:] == ["DATA"]


async def test_what_is_kept_of_a_portal_ends_with_its_last_session() -> None:
    async with relay(take_all) as running, pool(idle_seconds=0.05) as connections:
        for number in range(3):
            await attempted(
                settings(running.port, portal_id=f"portal-{number}"), connections=connections
            )
        await until(lambda: not connections._portals)
        await until(lambda: not connections._tasks)


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
