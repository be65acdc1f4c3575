"""A server that does not answer: is it slow, or is it gone?"""

import asyncio

import pytest

from smarthost.database.postgresql_pulse import Pulse

DOUBT = 0.02


class Line:
    """A connection that somebody waits at."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def terminate(self) -> None:
        self.closed.set()


class Server:
    """Answers when it is told to; counts how often it was asked."""

    def __init__(self) -> None:
        self.is_there = True
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> bool:
        self.asked += 1
        await self.answers.wait()
        return self.is_there


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def pulse(server: Server) -> Pulse:
    return Pulse(server, DOUBT)


async def wait_until_asked(server: Server, times: int) -> None:
    async with asyncio.timeout(10):
        while server.asked < times:  # noqa: ASYNC110 - real time passes
            await asyncio.sleep(DOUBT / 4)


async def test_what_is_answered_soon_has_nobody_asked(pulse: Pulse, server: Server) -> None:
    line = Line()
    for _ in range(3):
        with pulse.watching(line):
            await asyncio.sleep(0)
    await asyncio.sleep(3 * DOUBT)
    assert (server.asked, line.closed.is_set()) == (0, False)


async def test_a_slow_statement_is_waited_for_while_its_server_is_there(
    pulse: Pulse, server: Server
) -> None:
    line = Line()
    with pulse.watching(line):
        await wait_until_asked(server, 3)
    assert not line.closed.is_set()
    asked = server.asked
    await asyncio.sleep(5 * DOUBT)
    assert server.asked <= asked + 1, "nobody waits any more"


async def test_all_who_wait_for_a_server_that_is_gone_are_let_go_by_one_question(
    pulse: Pulse, server: Server
) -> None:
    first, second, late = Line(), Line(), Line()
    server.is_there = False
    server.answers.clear()
    with pulse.watching(first):
        await asyncio.sleep(DOUBT / 2)
        with pulse.watching(second):
            await wait_until_asked(server, 1)
            with pulse.watching(late):
                server.answers.set()
                async with asyncio.timeout(10):
                    await first.closed.wait()
                    await second.closed.wait()
                assert not late.closed.is_set(), "it was sent behind the question"
                async with asyncio.timeout(10):
                    await late.closed.wait()
    assert server.asked == 2


async def test_a_question_ends_with_the_one_who_asks(pulse: Pulse, server: Server) -> None:
    server.answers.clear()
    line = Line()
    with pulse.watching(line):
        await wait_until_asked(server, 1)
        await asyncio.wait_for(pulse.close(), 10)
    assert not line.closed.is_set()
