"""Several messages of one claim, one after the other, and what breaks them off."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.delivery.outcome import Code, Outcome, Report, Result, Step, StepState
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import BrokenOffError, Claim, Kind
from smarthost.mail_queue.pace import Place
from tests.clocks import START
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import REVISION, outcome, relay, submit_mail, submit_test
from tests.mail_queue.scripted import Faltering, Held, Script, Scripted, accept_all, until
from tests.mail_queue.workers import Delivering, delivering

ROWS = "SELECT state, attempts_count, step FROM recipients ORDER BY message_id"
CODES = "SELECT code, step, revision FROM attempts ORDER BY message_id, attempt"
SENT, UNTOUCHED = ("sent", 1, "data"), ("queued", 0, None)


class Settings:
    """The settings in force, and the default relay."""

    def __init__(self) -> None:
        self.in_force: dict[str, RelaySettings | Exception] = {}
        self.default: RelaySettings | None = None

    async def __call__(self, portal_id: str) -> RelaySettings:
        found = self.in_force.get(portal_id, relay(portal_id, 0))
        if isinstance(found, Exception):
            raise found
        return found

    async def default_of(self, _portal_id: str) -> RelaySettings:
        if self.default is None:
            raise BrokenOffError(Code.NO_RELAY, 0)
        return self.default


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that delivers, and what it delivers to."""

    parts: Delivering
    intake: Intake
    attempt: Scripted
    settings: Settings
    database: Faltering
    clock: HeldClock
    portal: str

    async def submit(self, count: int, portal: str | None = None) -> list[str]:
        ids = []
        for _ in range(count):
            self.clock.advance(1)
            ids.append(await submit_mail(self.intake, portal or self.portal))
        return ids

    async def take(self, portal: str | None = None) -> tuple[list[Claim], Place]:
        portal = portal or self.portal
        await self.parts.courier.learn_relay(portal)
        place = self.parts.pace.reserve(portal, self.clock.monotonic())
        assert place is not None
        claims = await self.parts.store.claim(portal, Kind.MAIL, (), at_most=place.room)
        assert claims
        self.parts.pace.took(place, len(claims), probe=claims[0].probe)
        return claims, place

    async def carry(self, portal: str | None = None) -> None:
        await self.parts.courier.carry(*await self.take(portal))

    async def carry_beside(self, kind: Kind, portal: str | None = None) -> None:
        claims = await self.parts.store.claim(portal or self.portal, kind, ())
        await self.parts.courier.carry(claims)

    async def held(self, portal: str | None = None) -> Code | None:
        hold = await self.parts.holds.current(portal or self.portal)
        return None if hold is None else hold.code

    async def rows(self) -> list[tuple[str, int, str | None]]:
        return [tuple(row) for row in await self.database.fetch(ROWS)]

    def is_free(self) -> bool:
        """Whether every place was given back."""
        pace = self.parts.pace
        return not any(one.open for one in pace._portals.values()) and not any(
            load.open for load in pace._loads.values()
        )


@pytest.fixture
def bench(database: Database, intake: Intake, clock: HeldClock, portal: str) -> Bench:
    settings, attempt, faltering = Settings(), Scripted(), Faltering(database)
    parts = delivering(faltering, clock, settings, attempt, notice_relay_of=settings.default_of)
    return Bench(
        parts=parts,
        intake=intake,
        attempt=attempt,
        settings=settings,
        database=faltering,
        clock=clock,
        portal=portal,
    )


def meeting(
    code: Code, step: Step, *, result: Result = Result.DEFERRED, permanent: bool = False
) -> Script:
    """An attempt that ends with `code`, for all recipients."""

    async def script(settings: RelaySettings, envelope: Envelope, _: Report) -> list[Outcome]:
        revision = settings.revision
        fields = {"step": step, "code": code, "permanent": permanent, "revision": revision}
        return [outcome(one, result, **fields) for one in envelope.recipients]

    return script


AWAY = meeting(Code.CONNECTION_REFUSED, Step.CONNECT)
BAD_PASSWORD = meeting(Code.LOGIN_REFUSED, Step.AUTHENTICATE, permanent=True)


def in_turn(*scripts: Script) -> Script:
    """One script for each attempt; the last for all that follow."""
    left = list(scripts)

    async def script(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        now = left.pop(0) if len(left) > 1 else left[0]
        return await now(settings, envelope, report)

    return script


async def test_all_that_was_claimed_is_carried_one_after_the_other(bench: Bench) -> None:
    await bench.submit(5)
    await bench.carry()
    assert await bench.rows() == [SENT] * 5
    assert len(bench.attempt.asked) == 5
    assert not any(bench.attempt.fresh), "over connections that are kept"
    assert bench.is_free()


async def test_a_message_leaves_only_when_the_outcome_of_the_one_before_is_on_the_disk(
    bench: Bench,
) -> None:
    seen = []

    async def look(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        await report(Step.SENDER, StepState.BEGIN, {})
        await report(Step.DATA, StepState.BEGIN, {})
        seen.append([state for state, *_ in await bench.rows()])
        await report(Step.DATA, StepState.OK, {})
        return [outcome(one) for one in envelope.recipients]

    bench.attempt.script = look
    await bench.submit(3)
    await bench.carry()
    assert seen == [
        ["sending", "sending", "sending"],
        ["sent", "sending", "sending"],
        ["sent", "sent", "sending"],
    ]


async def test_a_message_waits_for_an_outcome_that_the_store_does_not_take(bench: Bench) -> None:
    reached = asyncio.Event()

    async def not_written() -> bool:
        return any(entry["event"] == "outcome not written" for entry in logs)

    async def second(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        await until(not_written)
        reached.set()
        return await accept_all(settings, envelope, report)

    async def first(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        accepted = await accept_all(settings, envelope, report)
        bench.database.full = True
        return accepted

    bench.attempt.script = in_turn(first, second)
    await bench.submit(3)
    with capture_logs() as logs:
        carrying = asyncio.create_task(bench.parts.courier.carry(*await bench.take()))
        await reached.wait()
        await until(bench.clock.is_slept_on)
        assert {state for state, *_ in await bench.rows()} == {"sending"}
        bench.database.full = False

        async def carried() -> bool:
            bench.clock.advance(1)
            return carrying.done()

        await until(carried)
    assert [state for state, *_ in await bench.rows()] == ["sent", "sent", "queued"]
    assert bench.is_free()


async def test_settings_that_are_saved_between_two_messages_are_used_for_the_second(
    bench: Bench,
) -> None:
    async def save(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        bench.settings.in_force[bench.portal] = relay(bench.portal, 1)
        return await accept_all(settings, envelope, report)

    bench.attempt.script = in_turn(save, accept_all)
    await bench.submit(3)
    await bench.carry()
    assert [used.revision for used, _ in bench.attempt.asked] == [0, 1, 1]
    assert [state for state, *_ in await bench.rows()] == ["sent"] * 3


async def test_another_relay_is_asked_for_room_before_the_rest_goes_there(bench: Bench) -> None:
    async def save(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        bench.settings.in_force[bench.portal] = relay(bench.portal, 1, host="other.example.com")
        return await accept_all(settings, envelope, report)

    bench.attempt.script = in_turn(save, accept_all)
    await bench.submit(4)
    await bench.carry()
    assert [used.host for used, _ in bench.attempt.asked] == [
        "mail.example.com",
        "other.example.com",
    ]
    assert await bench.rows() == [SENT, SENT, UNTOUCHED, UNTOUCHED]
    assert bench.is_free()


async def test_a_dead_relay_costs_one_attempt_and_holds_the_portal(bench: Bench) -> None:
    bench.attempt.script = AWAY
    await bench.submit(4)
    await bench.carry()
    assert await bench.rows() == [("queued", 1, "connect"), *[UNTOUCHED] * 3]
    assert await bench.database.fetch(CODES) == [("connection_refused", "connect", 0)]
    assert await bench.held() is Code.CONNECTION_REFUSED
    assert await bench.parts.store.due_turns(Kind.MAIL, at_most=9) == []
    assert bench.is_free()
    assert bench.parts.pace._portals[bench.portal].held


@pytest.mark.parametrize("code", [Code.NO_RELAY, Code.PASSWORD_UNREADABLE])
async def test_settings_that_cannot_be_used_hold_the_portal(bench: Bench, code: Code) -> None:
    bench.settings.in_force[bench.portal] = BrokenOffError(code, 0)
    await bench.submit(2)
    await bench.carry()
    assert bench.attempt.asked == []
    assert await bench.held() is code
    hold = await bench.parts.holds.current(bench.portal)
    assert hold is not None
    assert (hold.permanent, hold.relay_host) == (True, None)
    assert await bench.database.fetch(CODES) == [(code.value, "resolve", 0)]
    assert bench.is_free()


async def test_a_probe_that_goes_through_ends_the_hold_and_the_rest_starts_slowly(
    bench: Bench,
) -> None:
    bench.attempt.script = in_turn(BAD_PASSWORD, accept_all)
    await bench.submit(3)
    await bench.carry()
    bench.clock.advance(15 * 60)
    claims, place = await bench.take()
    assert [claim.probe for claim in claims] == [True]
    await bench.parts.courier.carry(claims, place)
    assert await bench.held() is None
    claims, place = await bench.take()
    assert len(claims) == 1, "one a second"
    await bench.parts.courier.carry(claims, place)
    assert bench.parts.pace.reserve(bench.portal, bench.clock.monotonic()) is None
    bench.clock.advance(1)
    await bench.carry()
    assert {state for state, *_ in await bench.rows()} == {"sent"}


async def test_one_connection_that_a_working_relay_refuses_is_no_hold(bench: Bench) -> None:
    bench.attempt.script = in_turn(accept_all, AWAY)
    await bench.submit(4)
    await bench.carry()
    assert await bench.held() is None
    assert await bench.rows() == [SENT, ("queued", 1, "connect"), UNTOUCHED, UNTOUCHED]
    due = await bench.database.fetch("SELECT max(due_at) FROM recipients")
    assert due == [(bench.clock.now() + 30 * MICROSECONDS,)]
    monotonic = bench.clock.monotonic()
    assert bench.parts.pace.reserve(bench.portal, monotonic) is None, "peace for half a minute"
    assert bench.parts.pace.reserve(bench.portal, monotonic + 40) is not None


async def test_a_relay_that_took_mail_long_ago_is_away_now(bench: Bench) -> None:
    bench.attempt.script = in_turn(accept_all, AWAY)
    await bench.submit(1)
    await bench.carry()
    bench.clock.advance(60)
    await bench.submit(1)
    await bench.carry()
    assert await bench.held() is Code.CONNECTION_REFUSED


async def test_a_bad_password_holds_even_if_the_relay_works_for_others(bench: Bench) -> None:
    bench.attempt.script = in_turn(accept_all, BAD_PASSWORD)
    await bench.submit(2)
    await bench.carry()
    assert await bench.held() is Code.LOGIN_REFUSED


@pytest.mark.parametrize("code", [Code.RATE_LIMITED, Code.RELAY_UNAVAILABLE])
async def test_a_complaint_breaks_the_batch_off_and_is_tried_again_soon(
    bench: Bench, code: Code
) -> None:
    bench.attempt.script = in_turn(accept_all, meeting(code, Step.RECIPIENT), accept_all)
    await bench.submit(4)
    await bench.carry()
    assert await bench.rows() == [SENT, ("queued", 1, "recipient"), UNTOUCHED, UNTOUCHED]
    due = await bench.database.fetch("SELECT max(due_at) FROM recipients")
    assert due == [(bench.clock.now() + 30 * MICROSECONDS,)]


async def test_one_recipient_that_is_refused_does_not_stop_the_others(bench: Bench) -> None:
    refused = meeting(
        Code.RECIPIENT_REFUSED, Step.RECIPIENT, result=Result.REFUSED, permanent=True
    )
    bench.attempt.script = in_turn(refused, accept_all)
    await bench.submit(3)
    await bench.carry()
    assert await bench.rows() == [("failed", 1, "recipient"), SENT, SENT]


async def test_a_fault_of_our_own_does_not_stop_the_others(bench: Bench) -> None:
    async def fail(*_: object) -> Sequence[Outcome]:
        raise RuntimeError("a fault of our own")

    bench.attempt.script = in_turn(fail, accept_all)
    await bench.submit(2)
    with capture_logs():
        await bench.carry()
    assert await bench.rows() == [("queued", 1, "resolve"), SENT]
    assert await bench.held() is None


async def test_a_stop_lets_the_message_under_way_end_and_gives_the_others_back(
    bench: Bench,
) -> None:
    held = Held(Step.CONNECT)
    bench.attempt.script = held
    await bench.submit(3)
    carrying = asyncio.create_task(bench.parts.courier.carry(*await bench.take()))
    await held.reached.wait()
    bench.parts.courier.stop()
    held.go.set()
    await carrying
    assert await bench.rows() == [SENT, UNTOUCHED, UNTOUCHED]
    assert bench.is_free()


async def test_a_stop_that_waits_no_longer_loses_nothing(bench: Bench) -> None:
    held = Held(Step.CONNECT, Step.DATA)
    bench.attempt.script = in_turn(accept_all, held)
    await bench.submit(4)
    carrying = asyncio.create_task(bench.parts.courier.carry(*await bench.take()))
    await held.reached.wait()
    carrying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await carrying
    assert await bench.rows() == [SENT, ("queued", 1, "data"), UNTOUCHED, UNTOUCHED]
    assert bench.is_free()


async def test_a_stop_waits_for_no_store_that_takes_nothing(bench: Bench) -> None:
    held = Held(Step.CONNECT)

    async def fill(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        accepted = await accept_all(settings, envelope, report)
        bench.database.full = True
        return accepted

    bench.attempt.script = in_turn(fill, held)
    await bench.submit(3)
    with capture_logs() as logs:
        carrying = asyncio.create_task(bench.parts.courier.carry(*await bench.take()))
        await held.reached.wait()
        carrying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await carrying
    events = [entry["event"] for entry in logs]
    assert "messages not given back" in events
    assert {state for state, *_ in await bench.rows()} == {"sending"}
    assert bench.is_free()


async def test_a_store_that_is_away_breaks_the_batch_off(bench: Bench) -> None:
    await bench.submit(3)
    claims, place = await bench.take()
    bench.settings.in_force[bench.portal] = StoreUnavailableError("the disk is full")
    with capture_logs():
        await bench.parts.courier.carry(claims, place)
    assert await bench.rows() == [("queued", 1, "resolve"), UNTOUCHED, UNTOUCHED]
    assert await bench.held() is None
    assert bench.is_free()


async def test_a_lost_claim_ends_the_batch(bench: Bench) -> None:
    held = Held(Step.CONNECT)
    bench.attempt.script = held
    await bench.submit(2)
    carrying = asyncio.create_task(bench.parts.courier.carry(*await bench.take()))
    await held.reached.wait()
    bench.clock.jump(40)
    theirs = await bench.parts.store.claim(bench.portal, Kind.MAIL, (), at_most=9)
    assert len(theirs) == 2
    held.go.set()
    with capture_logs():
        await carrying
    assert {state for state, *_ in await bench.rows()} == {"sending"}
    assert len(bench.attempt.asked) == 1


def through_the_default(bench: Bench, *portals: str) -> None:
    for portal in portals:
        bench.settings.in_force[portal] = relay(portal, 0, policy_exempt=True)


async def test_a_default_relay_that_just_failed_another_portal_is_not_tried_again(
    bench: Bench, neighbour: str
) -> None:
    through_the_default(bench, bench.portal, neighbour)
    bench.attempt.script = AWAY
    await bench.submit(2)
    await bench.carry()
    await bench.submit(3, neighbour)
    await bench.carry(neighbour)
    assert len(bench.attempt.asked) == 1
    assert await bench.held(neighbour) is Code.CONNECTION_REFUSED
    theirs = await bench.database.fetch(
        "SELECT state, attempts_count FROM recipients WHERE portal_id = $1", neighbour
    )
    assert theirs == [("queued", 0)] * 3
    assert bench.is_free()


async def test_one_probe_through_the_default_relay_frees_all(bench: Bench, neighbour: str) -> None:
    through_the_default(bench, bench.portal, neighbour)
    bench.attempt.script = in_turn(AWAY, accept_all)
    await bench.submit(1)
    await bench.carry()
    await bench.submit(2, neighbour)
    await bench.carry(neighbour)
    bench.clock.advance(60)
    await bench.carry()
    assert await bench.held() is None
    assert await bench.held(neighbour) is None
    assert not bench.parts.pace._portals[neighbour].held
    assert [
        turn.portal_id for turn in await bench.parts.store.due_turns(Kind.MAIL, at_most=9)
    ] == [neighbour]
    bench.clock.advance(1)
    await bench.carry(neighbour)
    assert bench.attempt.asked[-1][0].portal_id == neighbour


async def test_a_portals_own_relay_is_tried_whatever_the_default_relay_does(
    bench: Bench, neighbour: str
) -> None:
    through_the_default(bench, bench.portal)
    bench.attempt.script = in_turn(AWAY, accept_all)
    await bench.submit(1)
    await bench.carry()
    await bench.submit(1, neighbour)
    await bench.carry(neighbour)
    assert await bench.held(neighbour) is None
    assert len(bench.attempt.asked) == 2


async def test_a_test_goes_over_a_connection_of_its_own_and_frees_the_portal(
    bench: Bench,
) -> None:
    bench.attempt.script = in_turn(AWAY, accept_all)
    await bench.submit(1)
    await bench.carry()
    await submit_test(bench.intake, bench.portal, revision=0)
    await bench.carry_beside(Kind.TEST)
    assert bench.attempt.fresh == [False, True]
    assert await bench.held() is None
    assert not bench.parts.pace._portals[bench.portal].held


async def test_a_test_that_fails_holds_nothing(bench: Bench) -> None:
    bench.attempt.script = BAD_PASSWORD
    await submit_test(bench.intake, bench.portal, revision=0)
    await bench.carry_beside(Kind.TEST)
    assert await bench.held() is None


async def test_a_notice_goes_through_the_default_relay_and_ignores_the_hold(
    bench: Bench,
) -> None:
    bench.settings.default = relay(
        bench.portal, REVISION, host="d.example.com", policy_exempt=True
    )
    bench.attempt.script = in_turn(AWAY, accept_all)
    await bench.submit(1)
    await bench.carry()
    await submit_mail(bench.intake, bench.portal, kind=Kind.NOTICE)
    await bench.carry_beside(Kind.NOTICE)
    assert bench.attempt.asked[-1][0].host == "d.example.com"
    assert await bench.held() is Code.CONNECTION_REFUSED
    rows = await bench.database.fetch("SELECT state FROM recipients WHERE kind = 'notice'")
    assert rows == [("sent",)]


async def test_a_notice_without_a_default_relay_has_failed(bench: Bench) -> None:
    await submit_mail(bench.intake, bench.portal, kind=Kind.NOTICE)
    await bench.carry_beside(Kind.NOTICE)
    assert await bench.rows() == [("failed", 1, "resolve")]
    assert await bench.held() is None
    assert await bench.database.fetch(CODES) == [("no_relay", "resolve", 0)]


async def test_a_notice_that_meets_a_dead_relay_is_tried_again_and_holds_nothing(
    bench: Bench,
) -> None:
    bench.settings.default = relay(bench.portal, REVISION, policy_exempt=True)
    bench.attempt.script = AWAY
    await submit_mail(bench.intake, bench.portal, kind=Kind.NOTICE)
    await bench.carry_beside(Kind.NOTICE)
    assert await bench.database.fetch("SELECT state, due_at FROM recipients") == [
        ("queued", START + 300 * MICROSECONDS)
    ]
    assert await bench.held() is None
