import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import apsw
import pytest
from structlog.testing import capture_logs

from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.delivery.outcome import Code, Outcome, Report, Result, Step, StepState
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.courier import Courier
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Attempted, BrokenOffError, Claim, Kind, LastTest, State
from smarthost.mail_queue.schedule import LEASE_SECONDS
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.watch import LOOK_SECONDS
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import (
    ANNA,
    BORIS,
    REVISION,
    envelope,
    outcome,
    relay,
    submit_mail,
    submit_test,
)
from tests.mail_queue.scripted import Faltering, Held, Script, Scripted, accept_all, until
from tests.mail_queue.workers import delivering

STATES = "SELECT address, state, step FROM recipients ORDER BY address"
ATTEMPTS = "SELECT address, result, step, code, in_doubt FROM attempts ORDER BY address"


class Settings:
    """The settings in force for every portal, and how often they were read."""

    def __init__(self) -> None:
        self.revision: int | None = REVISION
        self.default = False
        self.error: Exception | None = None
        self.reads = 0
        self.seen: Callable[[], Awaitable[None]] | None = None
        """Is called where they are read."""

    async def __call__(self, portal_id: str) -> RelaySettings:
        self.reads += 1
        if self.seen is not None:
            await self.seen()
        if self.error is not None:
            raise self.error
        if self.revision is None:
            raise BrokenOffError(Code.NO_RELAY, 0)
        return relay(portal_id, self.revision, policy_exempt=self.default)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A courier with everything around it."""

    store: QueueStore
    messages: MessageStore
    intake: Intake
    courier: Courier
    attempt: Scripted
    settings: Settings
    database: Database
    clock: HeldClock
    portal: str

    async def take(self, kind: Kind = Kind.TEST) -> Claim:
        (claim,) = await self.store.claim(self.portal, kind, ())
        return claim

    async def carry(self, kind: Kind = Kind.TEST) -> None:
        await self.courier.carry([await self.take(kind)])

    async def start(self, held: Held, kind: Kind = Kind.TEST) -> "asyncio.Task[None]":
        """Carry until `held` is reached."""
        self.attempt.script = held
        carrying = asyncio.create_task(self.courier.carry([await self.take(kind)]))
        await held.reached.wait()
        return carrying

    async def look_at_settings(self, seconds: float) -> None:
        """Let time pass until the settings have been read once more."""
        reads = self.settings.reads
        self.clock.advance(seconds)

        async def read() -> bool:
            return self.settings.reads > reads

        await until(read)

    async def last_test(self) -> LastTest:
        last = await self.messages.last_test(self.portal)
        assert last is not None
        return last

    async def last_attempt(self) -> Attempted:
        last = await self.last_test()
        assert last.attempt is not None
        return last.attempt


@pytest.fixture
def bench(
    messages: MessageStore, intake: Intake, database: Database, clock: HeldClock, portal: str
) -> Bench:
    settings, attempt = Settings(), Scripted()
    parts = delivering(database, clock, settings, attempt)
    return Bench(
        store=parts.store,
        messages=messages,
        intake=intake,
        courier=parts.courier,
        attempt=attempt,
        settings=settings,
        database=database,
        clock=clock,
        portal=portal,
    )


async def test_the_message_goes_to_the_relay_in_force_and_its_outcome_is_recorded(
    bench: Bench,
) -> None:
    await submit_test(bench.intake, bench.portal)
    await bench.carry()
    assert bench.attempt.asked == [(relay(bench.portal), envelope())]
    assert bench.attempt.deadlines == [30]
    last = await bench.last_test()
    assert (last.state, last.step) == (State.SENT, Step.DATA)


async def test_what_the_attempt_saw_is_recorded(bench: Bench) -> None:
    async def refuse(*_: object) -> Sequence[Outcome]:
        bench.clock.advance(1.5)
        return [
            outcome(
                result=Result.REFUSED,
                step=Step.RECIPIENT,
                code=Code.RECIPIENT_REFUSED,
                permanent=True,
                in_doubt=True,
                reply="550 5.1.1 no",
                address="192.0.2.25",
                tls="TLSv1.3",
                warnings=(Code.NOT_ENCRYPTED,),
            )
        ]

    bench.attempt.script = refuse
    bench.settings.default = True
    await submit_test(bench.intake, bench.portal)
    claim = await bench.take()
    await bench.courier.carry([claim])
    assert await bench.last_attempt() == Attempted(
        address=ANNA,
        attempt=1,
        started_at=claim.started_at,
        microseconds=1_500_000,
        result=Result.REFUSED,
        step=Step.RECIPIENT,
        code=Code.RECIPIENT_REFUSED,
        permanent=True,
        in_doubt=True,
        reply="550 5.1.1 no",
        revision=REVISION,
        relay_host="mail.example.com",
        relay_port=587,
        default_relay=True,
        relay_address="192.0.2.25",
        tls="TLSv1.3",
        warnings=(Code.NOT_ENCRYPTED,),
    )


@pytest.mark.parametrize("now", [REVISION + 1, None])
async def test_a_test_is_not_sent_through_other_settings_than_its_own(
    bench: Bench, now: int | None
) -> None:
    await submit_test(bench.intake, bench.portal)
    bench.settings.revision = now
    await bench.carry()
    assert bench.attempt.asked == []
    ended = await bench.last_attempt()
    assert (ended.code, ended.step, ended.permanent) == (
        Code.SETTINGS_CHANGED,
        Step.RESOLVE,
        True,
    )


async def test_mail_takes_the_settings_of_the_moment(bench: Bench) -> None:
    await submit_mail(bench.intake, bench.portal)
    bench.settings.revision = 9
    await bench.carry(Kind.MAIL)
    assert [used.revision for used, _ in bench.attempt.asked] == [9]


async def test_mail_without_a_relay_stays_in_the_queue(bench: Bench) -> None:
    await submit_mail(bench.intake, bench.portal)
    bench.settings.revision = None
    await bench.carry(Kind.MAIL)
    assert await bench.database.fetch(STATES) == [(ANNA, "queued", "resolve")]
    assert await bench.database.fetch(ATTEMPTS) == [(ANNA, "deferred", "resolve", "no_relay", 0)]


async def test_steps_are_written_down_while_the_attempt_runs(bench: Bench) -> None:
    held = Held(Step.RESOLVE, Step.CONNECT, Step.AUTHENTICATE)
    await submit_test(bench.intake, bench.portal)
    carrying = await bench.start(held)
    assert (await bench.last_test()).step is None, "not yet: a write costs a sync"
    bench.clock.advance(LOOK_SECONDS)

    async def written() -> bool:
        return (await bench.last_test()).step is not None

    await until(written)
    last = await bench.last_test()
    assert (last.state, last.step) == (State.SENDING, Step.AUTHENTICATE)
    held.go.set()
    await carrying
    assert (await bench.last_test()).state is State.SENT


async def test_that_the_message_is_about_to_leave_is_on_the_disk_before(bench: Bench) -> None:
    seen = []

    async def look(
        settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        await report(Step.RECIPIENT, StepState.BEGIN, {})
        await report(Step.DATA, StepState.BEGIN, {})
        seen.extend(await bench.database.fetch(STATES))
        return [outcome(recipient) for recipient in envelope.recipients]

    bench.attempt.script = look
    await submit_mail(bench.intake, bench.portal)
    await bench.carry(Kind.MAIL)
    assert seen == [(ANNA, "sending", "data")]


async def test_settings_changed_in_the_middle_of_a_test_end_it(bench: Bench) -> None:
    held = Held(Step.CONNECT)
    await submit_test(bench.intake, bench.portal)
    carrying = await bench.start(held)
    bench.settings.revision = REVISION + 1
    bench.clock.advance(LOOK_SECONDS)
    await carrying
    assert bench.attempt.ended == 1
    ended = await bench.last_attempt()
    assert (ended.code, ended.step) == (Code.SETTINGS_CHANGED, Step.CONNECT)
    assert (ended.revision, ended.relay_host) == (REVISION, "mail.example.com")


async def test_settings_changed_at_the_last_moment_keep_the_message_back(bench: Bench) -> None:
    left = []

    async def change(
        _settings: RelaySettings, _envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        await report(Step.RECIPIENT, StepState.BEGIN, {})
        bench.settings.revision = REVISION + 1
        await report(Step.DATA, StepState.BEGIN, {})
        left.append("the message")
        return [outcome()]

    bench.attempt.script = change
    await submit_test(bench.intake, bench.portal)
    await bench.carry()
    assert left == []
    ended = await bench.last_attempt()
    assert (ended.code, ended.step, ended.in_doubt) == (
        Code.SETTINGS_CHANGED,
        Step.RECIPIENT,
        False,
    )


async def test_settings_changed_while_the_message_leaves_change_nothing(bench: Bench) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slowly(
        _settings: RelaySettings, _envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        await report(Step.DATA, StepState.BEGIN, {})
        begun.set()
        await go.wait()
        return [outcome()]

    bench.attempt.script = slowly
    await submit_test(bench.intake, bench.portal)
    carrying = asyncio.ensure_future(bench.courier.carry([await bench.take()]))
    await begun.wait()
    bench.settings.revision = REVISION + 1
    await bench.look_at_settings(LOOK_SECONDS)
    go.set()
    await carrying
    assert (await bench.last_test()).state is State.SENT


async def test_a_worker_that_lost_its_lease_sends_nothing(bench: Bench) -> None:
    held = Held(Step.RECIPIENT)
    await submit_mail(bench.intake, bench.portal)
    carrying = await bench.start(held, Kind.MAIL)
    bench.clock.jump(LEASE_SECONDS)
    other = await bench.take(Kind.MAIL)
    before = await bench.database.fetch(ATTEMPTS)
    held.go.set()
    await carrying
    assert await bench.database.fetch(ATTEMPTS) == before
    assert await bench.store.record_step(other, Step.CONNECT), "the other still holds it"


async def test_a_lost_lease_is_noticed_while_the_relay_is_silent(bench: Bench) -> None:
    held = Held(Step.GREETING)
    await submit_mail(bench.intake, bench.portal)
    carrying = await bench.start(held, Kind.MAIL)
    bench.clock.jump(LEASE_SECONDS)
    await bench.take(Kind.MAIL)
    bench.clock.advance(LOOK_SECONDS)
    with capture_logs() as logs:
        await carrying
    assert [entry["event"] for entry in logs] == ["lease ended during an attempt"]
    assert bench.attempt.ended == 1


async def _raise(settings: RelaySettings, envelope: Envelope, report: Report) -> list[Outcome]:
    await report(Step.EHLO, StepState.BEGIN, {})
    raise RuntimeError("a fault of our own")


async def _raise_in_data(
    settings: RelaySettings, envelope: Envelope, report: Report
) -> list[Outcome]:
    await report(Step.DATA, StepState.BEGIN, {})
    raise RuntimeError("a fault of our own")


@pytest.mark.parametrize(
    ("script", "step", "in_doubt"), [(_raise, "ehlo", 0), (_raise_in_data, "data", 1)]
)
async def test_a_fault_of_our_own_is_an_outcome_too(
    bench: Bench, script: Script, step: str, in_doubt: int
) -> None:
    bench.attempt.script = script
    await submit_test(bench.intake, bench.portal)
    claim = await bench.take()
    with capture_logs() as logs:
        await bench.courier.carry([claim])
    assert await bench.database.fetch(STATES) == [(ANNA, "failed", step)]
    assert await bench.database.fetch(ATTEMPTS) == [(ANNA, "deferred", step, "internal", in_doubt)]
    assert [entry["event"] for entry in logs] == ["attempt failed by a fault of our own"]


async def test_a_recipient_without_an_outcome_is_a_fault_of_our_own(bench: Bench) -> None:
    async def forget(*_: object) -> Sequence[Outcome]:
        return [outcome(ANNA)]

    bench.attempt.script = forget
    await submit_mail(bench.intake, bench.portal, ANNA, BORIS)
    await bench.carry(Kind.MAIL)
    assert await bench.database.fetch(ATTEMPTS) == [
        (ANNA, "accepted", "data", None, 0),
        (BORIS, "deferred", "resolve", "internal", 0),
    ]


async def test_an_attempt_beyond_its_deadline_is_ended(bench: Bench) -> None:
    held = Held(Step.GREETING)
    await submit_test(bench.intake, bench.portal)
    carrying = await bench.start(held)
    await bench.look_at_settings(34)
    await until(bench.clock.is_slept_on)
    assert not carrying.done()
    bench.clock.advance(1)
    await carrying
    ended = await bench.last_attempt()
    assert (ended.code, ended.step) == (Code.INTERNAL, Step.GREETING)


@pytest.mark.parametrize(
    ("steps", "state", "in_doubt"),
    [((Step.EHLO,), "queued", 0), ((Step.EHLO, Step.DATA), "queued", 1)],
)
async def test_a_stop_in_the_middle_is_recorded(
    bench: Bench, steps: tuple[Step, ...], state: str, in_doubt: int
) -> None:
    held = Held(*steps)
    await submit_mail(bench.intake, bench.portal)
    carrying = await bench.start(held, Kind.MAIL)
    carrying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await carrying
    assert bench.attempt.ended == 1
    reached = steps[-1].value
    assert await bench.database.fetch(STATES) == [(ANNA, state, reached)]
    assert await bench.database.fetch(ATTEMPTS) == [
        (ANNA, "deferred", reached, "interrupted", in_doubt)
    ]
    (turn,) = await bench.store.due_turns(Kind.MAIL, at_most=9)
    assert turn.portal_id == bench.portal, "it does not wait"


async def test_settings_that_cannot_be_read_end_the_attempt_before_it_begins(
    bench: Bench,
) -> None:
    await submit_test(bench.intake, bench.portal)
    bench.settings.error = StoreUnavailableError("the disk is full")
    await bench.carry()
    assert bench.attempt.asked == []
    assert (await bench.last_attempt()).code is Code.INTERRUPTED


async def test_a_password_that_does_not_open_is_the_outcome(bench: Bench) -> None:
    await submit_mail(bench.intake, bench.portal)
    bench.settings.error = BrokenOffError(Code.PASSWORD_UNREADABLE)
    await bench.carry(Kind.MAIL)
    assert bench.attempt.asked == []
    rows = await bench.database.fetch("SELECT result, code, permanent FROM attempts")
    assert rows == [("deferred", "password_unreadable", 1)]


async def test_an_attempt_goes_on_while_the_store_is_away(bench: Bench) -> None:
    held = Held(Step.CONNECT)
    await submit_test(bench.intake, bench.portal)
    carrying = await bench.start(held)
    bench.settings.error = StoreUnavailableError("the disk is full")
    await bench.look_at_settings(LOOK_SECONDS)
    bench.settings.error = None
    held.go.set()
    await carrying
    assert (await bench.last_test()).state is State.SENT


async def test_an_outcome_is_written_as_soon_as_the_store_can_be(
    database: Database, clock: HeldClock, portal: str, bench: Bench
) -> None:
    faltering = Faltering(database)
    courier = delivering(faltering, clock, bench.settings, bench.attempt).courier
    held = Held(Step.CONNECT)
    bench.attempt.script = held
    await submit_test(bench.intake, portal)
    carrying = asyncio.create_task(courier.carry([await bench.take()]))
    await held.reached.wait()
    faltering.full = True  # so DATA cannot be written, which ends the attempt
    held.go.set()
    with capture_logs() as logs:

        async def tried_three_times() -> bool:
            clock.advance(1)
            return [entry["event"] for entry in logs].count("outcome not written") >= 3

        async def written() -> bool:
            clock.advance(1)
            return carrying.done()

        await until(tried_three_times)
        assert (await bench.last_test()).state is State.SENDING
        faltering.full = False
        await until(written)
        await carrying
    assert (await bench.last_attempt()).code is Code.INTERRUPTED


async def test_several_recipients_are_handed_over_together(bench: Bench) -> None:
    bench.attempt.script = accept_all
    await submit_mail(bench.intake, bench.portal, ANNA, BORIS)
    await bench.carry(Kind.MAIL)
    assert [sent.recipients for _, sent in bench.attempt.asked] == [(ANNA, BORIS)]
    assert {row[1] for row in await bench.database.fetch(STATES)} == {"sent"}


async def test_an_attempt_sees_what_another_process_has_saved_before_it_began(
    bench: Bench,
) -> None:
    if bench.database.dialect != "sqlite":
        pytest.skip("no two reads share a state")
    await submit_mail(bench.intake, bench.portal)
    claim = await bench.take(Kind.MAIL)
    [[_, _, file]] = await bench.database.fetch("PRAGMA database_list")
    other = apsw.Connection(str(file))
    found = []

    async def look() -> None:
        found.append(await bench.database.fetch("SELECT key_id FROM sealing_keys"))

    bench.settings.seen = look
    # All within one turn of the loop, as on a machine that has much to do: a read by somebody
    # else, the other process's save and its answer, and the beginning of the attempt.
    await bench.database.fetch("SELECT count(*) FROM portals")
    other.execute("INSERT INTO sealing_keys (key_id, first_used_at) VALUES ('saved', 1)")
    await bench.courier.carry([claim])
    other.close()

    assert found == [[("saved",)]]
