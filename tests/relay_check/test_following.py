"""A test message followed as steps: what each look tells, and following one to its end."""

import asyncio

import pytest

from smarthost.delivery.outcome import Code, Result, Step
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.store import QueueStore
from smarthost.portals.model import Portal
from smarthost.relay_check.following import LONGEST_SECONDS, LOOK_SECONDS, Way, follow
from smarthost.relay_check.model import StepTold, TrialState
from smarthost.relay_check.stages import path_of
from smarthost.relay_check.store import TrialStore
from smarthost.relay_check.trial import DefaultInForce, Trial
from smarthost.smtp_settings.store import SettingsStore
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import attempted
from tests.mail_queue.scripted import until
from tests.relay_check.trials import BY, TO, claimed, end
from tests.smtp_settings.relays import OPEN_RELAY, draft, relay

PLAIN = ("resolve", "connect", "greeting", "ehlo", "sender", "recipient", "data")
PLAINLY = {"enable_ssl": False, "enable_auth": False, "user_name": None, "port": 25}


def at(step: Step | None) -> TrialState:
    return TrialState(id="1", completed=False, percents=40, status="", step=step, revision=1)


SENT = TrialState(id="1", completed=True, percents=100, status="", revision=1)


def failed(step: Step, code: Code = Code.TIMED_OUT) -> TrialState:
    failure = explain(Facts(step=step, code=code))
    return TrialState(id="1", completed=True, percents=40, status="", failure=failure, revision=1)


def told(path: tuple[Step, ...], *looks: TrialState) -> list[str]:
    way = Way(path)
    return [f"{one.step} {one.state}" for state in looks for one in way.news(state)]


def plain(*looks: TrialState) -> list[str]:
    return told(path_of(relay(**PLAINLY)), *looks)


def test_each_step_begins_once_and_ends_as_the_next_is_seen() -> None:
    looks = (at(None), at(Step.RESOLVE), at(Step.CONNECT), at(Step.CONNECT), SENT)
    first = ["resolve begin", "resolve ok", "connect begin"]
    assert plain(*looks) == [*first, *(f"{step} ok" for step in PLAIN[1:])]


def test_steps_between_two_looks_are_told_as_ended() -> None:
    assert plain(at(Step.RESOLVE), at(Step.SENDER), SENT) == [
        "resolve begin",
        *(f"{step} ok" for step in PLAIN[:4]),
        "sender begin",
        *(f"{step} ok" for step in PLAIN[4:]),
    ]


def test_ehlo_behind_starttls_and_tls_that_nobody_asked_for_are_not_told_again() -> None:
    looks = (at(Step.EHLO), at(Step.TLS), at(Step.EHLO), at(Step.SENDER), SENT)
    asked = told(path_of(relay(**PLAINLY | {"enable_ssl": True, "port": 587})), *looks)
    hello = ["ehlo begin", "ehlo ok"]
    assert [one for one in asked if "ehlo" in one or "tls" in one] == [
        *hello,
        "tls begin",
        "tls ok",
    ]
    assert [one for one in plain(*looks) if "ehlo" in one or "tls" in one] == hello


@pytest.mark.parametrize("step", Step)
def test_what_failed_is_the_last_step_and_those_before_it_are_ok(step: Step) -> None:
    path = path_of(relay(enable_ssl=True, port=465))
    before = path[: path.index(step)]
    assert told(path, failed(step)) == [*(f"{one} ok" for one in before), f"{step} failed"]


def test_a_relay_that_refuses_an_earlier_step_than_was_seen_is_told_so() -> None:
    # MAIL, RCPT and DATA go out together where the relay pipelines.
    looks = (at(Step.DATA), failed(Step.SENDER, Code.SENDER_REFUSED))
    assert plain(*looks)[-2:] == ["data begin", "sender failed"]


def test_without_a_relay_nothing_but_the_failure_is_told() -> None:
    assert told((), failed(Step.RESOLVE, Code.NO_RELAY)) == ["resolve failed"]


@pytest.mark.parametrize(
    ("changes", "opened"),
    [
        ({"enable_ssl": False, "port": 465}, ["greeting", "ehlo"]),
        ({"enable_ssl": True, "port": 465}, ["tls", "greeting", "ehlo"]),
        ({"enable_ssl": True, "port": 2465}, ["tls", "greeting", "ehlo"]),
        ({"enable_ssl": True, "port": 587}, ["greeting", "ehlo", "tls"]),
    ],
)
def test_tls_is_where_the_settings_have_it(changes: dict[str, object], opened: list[str]) -> None:
    path = path_of(relay(**changes, enable_auth=True, user_name="u"))
    assert [*path] == ["resolve", "connect", *opened, "authenticate", *PLAIN[4:]]


# --- to the end


class Follower:
    """Follows the portal's test while the test's own hands move the clock and the rows."""

    def __init__(self, trial: Trial, portal: Portal, clock: HeldClock) -> None:
        self.told: list[str] = []
        self._clock = clock
        self.ended = asyncio.ensure_future(follow(trial, portal.id, clock, self._tell))

    async def look(self, seconds: float = 0.0) -> None:
        """Wait for the next look at the row to be over, so many seconds later."""
        self._clock.advance(seconds)
        await until(self._has_looked)

    async def _has_looked(self) -> bool:
        return self.ended.done() or await self._clock.is_slept_on()

    async def _tell(self, step: StepTold) -> None:
        self.told.append(f"{step.step} {step.state}")


@pytest.fixture
async def trial(
    settings: SettingsStore,
    intake: Intake,
    messages: MessageStore,
    store: TrialStore,
    clock: HeldClock,
    portal: Portal,
) -> Trial:
    """The portal has settings of its own: STARTTLS on 587, no login."""
    await settings.save(portal.id, draft(OPEN_RELAY, None), BY)
    return Trial(
        settings=settings,
        default=DefaultInForce(settings=None, hidden=False),
        intake=intake,
        messages=messages,
        store=store,
        clock=clock,
        ids=Ids(clock),
    )


async def test_a_test_is_followed_from_its_start_to_its_end(
    trial: Trial, portal: Portal, queue: QueueStore, clock: HeldClock
) -> None:
    started = await trial.start(portal, TO, BY)
    follower = Follower(trial, portal, clock)
    await follower.look()
    assert follower.told == []
    claim = await claimed(queue, portal)
    await queue.record_step(claim, Step.TLS)
    await follower.look(LOOK_SECONDS)
    assert follower.told == [*(f"{step} ok" for step in PLAIN[:4]), "tls begin"]
    ends = attempted(claim, Result.DEFERRED, step=Step.TLS, code=Code.TLS_FAILED)
    assert (await queue.record(claim, ends)).kept
    await follower.look(LOOK_SECONDS)
    state = await follower.ended
    assert follower.told[-1] == "tls failed"
    assert state is not None
    assert (state.id, state.completed) == (started.id, True)


async def test_another_test_that_starts_meanwhile_is_told_from_its_beginning(
    trial: Trial, portal: Portal, queue: QueueStore, clock: HeldClock
) -> None:
    await trial.start(portal, TO, BY)
    claim = await claimed(queue, portal)
    await queue.record_step(claim, Step.CONNECT)
    follower = Follower(trial, portal, clock)
    await follower.look()
    assert (await queue.record(claim, attempted(claim))).kept
    second = await trial.start(portal, TO, BY)
    await follower.look(LOOK_SECONDS)
    await end(queue, portal)
    await follower.look(LOOK_SECONDS)
    state = await follower.ended
    assert state is not None
    assert (state.id, state.percents) == (second.id, 100)
    assert follower.told.count("resolve ok") == 2
    assert follower.told.count("data ok") == 1


async def test_it_ends_after_a_while_though_another_test_has_just_begun(
    trial: Trial, portal: Portal, queue: QueueStore, clock: HeldClock
) -> None:
    await trial.start(portal, TO, BY)
    follower = Follower(trial, portal, clock)
    await follower.look()
    await follower.look(30)
    await end(queue, portal)
    second = await trial.start(portal, TO, BY)
    await follower.look(LONGEST_SECONDS - 31)
    assert not follower.ended.done()
    await follower.look(1)
    assert await follower.ended == second
    assert follower.told == []


async def test_where_there_never_was_a_test_there_is_none_to_follow(
    trial: Trial, portal: Portal, clock: HeldClock
) -> None:
    follower = Follower(trial, portal, clock)
    await follower.look()
    assert await follower.ended is None
