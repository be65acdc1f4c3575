import asyncio

import pytest

from smarthost.relay_check.suggestions.memory import (
    KEEP_FAILURE_SECONDS,
    KEEP_SECONDS,
    Looked,
    Memory,
)
from smarthost.relay_check.suggestions.model import Confidence, Found, Source
from tests.mail_queue.clocks import HeldClock

FOUND = Found(
    host="mail.example.com",
    port=587,
    enable_ssl=True,
    source=Source.DNS_SRV,
    confidence=Confidence.HIGH,
)


class LookUps:
    """Counts; waits while `gate` is closed."""

    def __init__(self, looked: Looked) -> None:
        self.looked = looked
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, domain: str) -> Looked:
        self.asked.append(domain)
        await self.gate.wait()
        return self.looked


@pytest.mark.parametrize(
    ("looked", "seconds"),
    [
        (Looked((FOUND,), complete=True), KEEP_SECONDS),
        (Looked((FOUND,), complete=False), KEEP_FAILURE_SECONDS),
        (Looked((), complete=True), KEEP_FAILURE_SECONDS),
    ],
    ids=["found", "somebody late", "nothing"],
)
async def test_what_was_found_is_kept_so_long(looked: Looked, seconds: float) -> None:
    clock = HeldClock(0)
    look_up = LookUps(looked)
    memory = Memory(look_up, clock)
    assert await memory.of("example.com") == looked.found
    clock.advance(seconds - 1)
    assert await memory.of("example.com") == looked.found
    assert look_up.asked == ["example.com"]
    clock.advance(2)
    await memory.of("example.com")
    assert look_up.asked == ["example.com"] * 2


async def test_one_domain_is_looked_up_once_at_a_time() -> None:
    look_up = LookUps(Looked((FOUND,), complete=True))
    look_up.gate.clear()
    memory = Memory(look_up, HeldClock(0))
    asking = [asyncio.create_task(memory.of("example.com")) for _ in range(5)]
    other = asyncio.create_task(memory.of("example.net"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking[0].cancel()
    look_up.gate.set()
    results = await asyncio.gather(*asking, other, return_exceptions=True)
    assert look_up.asked == ["example.com", "example.net"]
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [(FOUND,)] * 5


async def test_the_number_of_domains_is_bounded() -> None:
    look_up = LookUps(Looked((FOUND,), complete=True))
    memory = Memory(look_up, HeldClock(0), most_domains=2)
    for domain in ("a.example", "b.example", "c.example"):
        await memory.of(domain)
    look_up.asked.clear()
    await memory.of("c.example")
    await memory.of("b.example")
    assert look_up.asked == []
    await memory.of("a.example")
    assert look_up.asked == ["a.example"]


async def test_a_fault_of_our_own_is_raised_and_not_kept() -> None:
    failing = True

    async def look_up(_domain: str) -> Looked:
        if failing:
            raise ZeroDivisionError
        return Looked((FOUND,), complete=True)

    memory = Memory(look_up, HeldClock(0))
    with pytest.raises(ZeroDivisionError):
        await memory.of("example.com")
    failing = False
    assert await memory.of("example.com") == (FOUND,)
