"""Many portals and one worker: who has to wait for whom."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from smarthost.database.engine import Database
from smarthost.delivery.outcome import Outcome, Report, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.load import MOST_TOGETHER, SHARE
from smarthost.mail_queue.ring import PAGE
from smarthost.mail_queue.worker import POLL_SECONDS
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import BY, relay, submission, submit_mail
from tests.mail_queue.scripted import Held, accept_all, until
from tests.mail_queue.working import Bench, Outage, away, make_bench

pytestmark = pytest.mark.one_engine


@pytest.fixture
def bench(database: Database, clock: HeldClock, tmp_path: Path) -> Bench:
    return make_bench(database, clock, tmp_path)


async def test_a_portal_on_hold_is_left_alone_and_its_neighbours_are_not(
    bench: Bench, portal: str, neighbour: str
) -> None:
    async def away_for_one(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        if settings.portal_id == neighbour:
            return await accept_all(settings, envelope, report)
        return away(envelope)

    bench.attempt.script = away_for_one
    for _ in range(30):
        await submit_mail(bench.quiet, portal)
        await submit_mail(bench.quiet, neighbour)
    async with bench.working():
        await until(bench.are("sent", 30))
        await bench.idle()
        tries = [used for used, _ in bench.attempt.asked if used.portal_id == portal]
        assert 1 <= len(tries) <= 10, "one for each connection that was begun before"
        before = len(bench.attempt.asked)
        for _ in range(50):
            bench.clock.advance(1)
            await bench.idle()
        assert len(bench.attempt.asked) == before
        bench.clock.advance(10)
        await until(bench.asked(before + 1))


async def test_a_relay_that_is_back_gets_its_mail_little_by_little(
    bench: Bench, portal: str
) -> None:
    bench.attempt.script = Outage(bench.clock, 900)
    many = [submission(bench.quiet) for _ in range(400)]
    await bench.quiet.submit(portal, many, by=BY, owner=None)
    sent = [0]
    async with bench.working():
        while bench.clock.monotonic() < 1500 and sent[-1] < 400:
            for _ in range(60):
                await bench.quiet_down()
                bench.clock.advance(1)
            sent.append(await bench.count("sent"))
    assert sent[15] == 0
    minutes = [later - earlier for earlier, later in pairwise(sent) if later]
    assert sum(minutes) == 400
    assert minutes[0] <= 61
    for minute, count in enumerate(minutes):
        assert count <= 60 * 2**minute * 1.2 + 5, minutes
    tries = await bench.database.fetch("SELECT count(*) FROM attempts WHERE code IS NOT NULL")
    assert tries[0][0] <= 10 + 20 // 2, "the first connections, and the probes"


async def test_one_portal_with_ten_thousand_messages_keeps_nobody_waiting(
    bench: Bench, database: Database
) -> None:
    flood = await make_portal(database, bench.clock, "flood")
    others = [await make_portal(database, bench.clock, f"other{number}") for number in range(2)]
    for _ in range(10):
        many = [submission(bench.quiet) for _ in range(1_000)]
        await bench.quiet.submit(flood, many, by=BY, owner=None)
    order: list[str] = []

    async def note(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        order.append(settings.portal_id)
        return await accept_all(settings, envelope, report)

    bench.attempt.script = note
    async with bench.working():
        for other in others * 10:
            began = len(order)
            await submit_mail(bench.intake, other)

            async def had_its_turn(began: int = began, other: str = other) -> bool:
                return other in order[began:]

            await until(had_its_turn)
            passed_by = order[began:].index(other)
            assert passed_by <= 2 * SHARE * MOST_TOGETHER, "all that may be on its way at a time"
        assert await bench.count("queued") > 0, "the flood is not over yet"


async def test_many_portals_without_room_hide_nobody(
    database: Database, clock: HeldClock, tmp_path: Path
) -> None:
    alone: list[str] = []

    async def shared_but_for_one(portal_id: str) -> RelaySettings:
        return relay(portal_id, host="own.example.com" if portal_id in alone else "of.all")

    bench = make_bench(database, clock, tmp_path, shared_but_for_one)
    bench.attempt.script = held = Held(Step.CONNECT)
    names = [f"p{number}" for number in range(PAGE + 200)]
    crowd = await asyncio.gather(*(make_portal(database, clock, name) for name in names))
    await asyncio.gather(*(submit_mail(bench.quiet, crowded) for crowded in crowd))
    clock.advance(1)
    alone.append(await make_portal(database, clock, "last"))
    async with bench.working():
        await until(bench.asked(10))
        bench.attempt.script = accept_all
        await submit_mail(bench.quiet, alone[0])

        async def is_sent() -> bool:
            if clock.monotonic() < 30:
                clock.advance(POLL_SECONDS)
            return await bench.count("sent") == 1

        await until(is_sent)
        assert len(bench.attempt.asked) == 11, "no more go to the relay of all"
        held.go.set()
