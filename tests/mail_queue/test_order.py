import asyncio
from typing import Any

from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.order import Order
from smarthost.mail_queue.outcomes.model import Recorded, Verdict
from smarthost.mail_queue.recording import Recording
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.values import claim_of, tried


class Taker:
    """Stands for the store: remembers what it is handed, and takes nothing while it is full."""

    def __init__(self) -> None:
        self.handed = 0
        self.full = False
        self.slow: asyncio.Event | None = None

    async def record(self, *_: object, **__: object) -> Recorded:
        self.handed += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.full:
            raise StoreUnavailableError("the disk is full")
        return Recorded(kept=True)


def recording(store: Any, clock: HeldClock) -> Recording:
    return Recording(store, clock, claim_of(), [tried(None)], verdict=Verdict(), then=None)


async def test_a_portal_of_which_nothing_is_known_waits_for_nothing() -> None:
    order = Order()
    order.known("another portal")
    await asyncio.wait_for(order.settle("p"), 1)
    await asyncio.wait_for(order.settle("p"), 1)


async def test_nothing_leaves_before_a_known_outcome_is_with_the_store() -> None:
    order, store = Order(), Taker()
    outcome = order.known("p")
    settling = asyncio.create_task(order.settle("p"))
    await asyncio.sleep(0)
    assert not settling.done()
    await outcome.hand_over(recording(store, HeldClock()))
    assert store.handed == 1
    await asyncio.wait_for(settling, 1)


async def test_a_store_that_writes_side_by_side_has_written_it_before() -> None:
    order, store, clock = Order(in_order=False), Taker(), HeldClock()
    store.slow = asyncio.Event()
    await order.known("p").hand_over(recording(store, clock))
    settling = asyncio.create_task(order.settle("p"))
    await asyncio.sleep(0)
    assert store.handed == 1
    assert not settling.done()
    store.slow.set()
    await asyncio.wait_for(settling, 1)


async def test_nothing_leaves_before_an_outcome_that_the_store_has_put_off() -> None:
    order, store, clock = Order(), Taker(), HeldClock()
    store.full = True
    await order.known("p").hand_over(recording(store, clock))
    settling = asyncio.create_task(order.settle("p"))
    await asyncio.sleep(0)
    assert not settling.done()
    store.full = False
    clock.advance(1)
    await asyncio.wait_for(settling, 1)
    assert store.handed == 2


async def test_an_outcome_that_nobody_records_keeps_nobody_waiting() -> None:
    order = Order()
    outcome = order.known("p")
    settling = asyncio.create_task(order.settle("p"))
    await asyncio.sleep(0)
    outcome.let_go()
    await asyncio.wait_for(settling, 1)


async def test_whoever_gives_up_waiting_leaves_the_others_waiting() -> None:
    order, store = Order(), Taker()
    outcome = order.known("p")
    first, second = (asyncio.create_task(order.settle("p")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    assert not second.done()
    await outcome.hand_over(recording(store, HeldClock()))
    await asyncio.wait_for(second, 1)
