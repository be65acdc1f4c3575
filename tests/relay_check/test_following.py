"""A test message followed as steps, by rows as a worker leaves them."""

from dataclasses import dataclass, field

import pytest

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts
from smarthost.relay_check.following import LONGEST_SECONDS, follow
from smarthost.relay_check.model import StepTold, TrialState
from smarthost.relay_check.stages import path_of
from smarthost.smtp_settings.model import SmtpSettings
from tests.clocks import FakeClock
from tests.smtp_settings.relays import relay

PLAIN = ("resolve", "connect", "greeting", "ehlo", "sender", "recipient", "data")


@dataclass
class Rows:
    """Stands for `Trial`: gives one state after the other, the last again and again."""

    states: list[TrialState | None]
    relay: SmtpSettings
    asked: int = 0
    told: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)

    async def status(self, _portal_id: str) -> TrialState | None:
        self.asked += 1
        return self.states[min(self.asked, len(self.states)) - 1]

    async def path(self, _portal_id: str, state: TrialState) -> tuple[Step, ...]:
        return () if state.revision is None else path_of(self.relay)

    async def tell(self, step: StepTold) -> None:
        self.told.append(f"{step.step} {step.state}")

    async def follow(self) -> TrialState | None:
        return await follow(self, "portal", self.clock, self.tell)


def at(step: Step | None, test_id: str = "1") -> TrialState:
    return TrialState(id=test_id, completed=False, percents=40, status="", step=step, revision=1)


def sent(test_id: str = "1") -> TrialState:
    return TrialState(id=test_id, completed=True, percents=100, status="", revision=1)


def failed(step: Step, code: Code, revision: int | None = 1) -> TrialState:
    failure = explain(Facts(step=step, code=code))
    return TrialState(
        id="1", completed=True, percents=40, status="", failure=failure, revision=revision
    )


def rows(*states: TrialState | None, **fields: object) -> Rows:
    return Rows(states=list(states), relay=relay(**fields))


PLAINLY = {"enable_ssl": False, "enable_auth": False, "user_name": None, "port": 25}


async def test_each_step_begins_once_and_ends_as_the_next_is_seen() -> None:
    seen = rows(at(None), at(Step.RESOLVE), at(Step.CONNECT), at(Step.CONNECT), sent(), **PLAINLY)
    assert await seen.follow() == sent()
    first = ["resolve begin", "resolve ok", "connect begin"]
    assert seen.told == [*first, *(f"{step} ok" for step in PLAIN[1:])]


async def test_steps_between_two_looks_are_told_as_ended() -> None:
    seen = rows(at(Step.RESOLVE), at(Step.SENDER), sent(), **PLAINLY)
    await seen.follow()
    assert seen.told == [
        "resolve begin",
        *(f"{step} ok" for step in PLAIN[:4]),
        "sender begin",
        *(f"{step} ok" for step in PLAIN[4:]),
    ]


async def test_ehlo_behind_starttls_and_tls_that_nobody_asked_for_are_not_told_again() -> None:
    looks = [at(Step.EHLO), at(Step.TLS), at(Step.EHLO), at(Step.SENDER), sent()]
    asked = rows(*looks, **PLAINLY | {"enable_ssl": True, "port": 587})
    await asked.follow()
    assert [one for one in asked.told if "ehlo" in one or "tls" in one] == [
        "ehlo begin",
        "ehlo ok",
        "tls begin",
        "tls ok",
    ]
    unasked = rows(*looks, **PLAINLY)
    await unasked.follow()
    assert [one for one in unasked.told if "ehlo" in one or "tls" in one] == [
        "ehlo begin",
        "ehlo ok",
    ]


@pytest.mark.parametrize("step", Step)
async def test_what_failed_is_the_last_step_and_those_before_it_are_ok(step: Step) -> None:
    seen = rows(failed(step, Code.TIMED_OUT), enable_ssl=True, port=465)
    await seen.follow()
    assert seen.told[-1] == f"{step} failed"
    path = path_of(seen.relay)
    assert seen.told[:-1] == [f"{one} ok" for one in path[: path.index(step)]]


async def test_a_relay_that_refuses_an_earlier_step_than_was_seen_is_told_so() -> None:
    # MAIL, RCPT and DATA go out together where the relay pipelines.
    seen = rows(at(Step.DATA), failed(Step.SENDER, Code.SENDER_REFUSED), **PLAINLY)
    await seen.follow()
    assert seen.told[-2:] == ["data begin", "sender failed"]


async def test_without_a_relay_nothing_but_the_failure_is_told() -> None:
    seen = rows(failed(Step.RESOLVE, Code.NO_RELAY, revision=None))
    await seen.follow()
    assert seen.told == ["resolve failed"]


async def test_another_test_that_starts_meanwhile_is_told_from_its_beginning() -> None:
    seen = rows(at(Step.GREETING), at(Step.CONNECT, "2"), sent("2"), **PLAINLY)
    assert await seen.follow() == sent("2")
    assert seen.told.count("resolve ok") == 2
    assert seen.told.count("data ok") == 1


async def test_where_there_never_was_a_test_there_is_none_to_follow() -> None:
    seen = rows(None)
    assert await seen.follow() is None
    assert seen.told == []


async def test_it_ends_though_the_test_does_not() -> None:
    seen = rows(at(Step.CONNECT), **PLAINLY)
    assert await seen.follow() == at(Step.CONNECT)
    assert seen.clock.monotonic() == pytest.approx(LONGEST_SECONDS, abs=0.5)
    assert seen.told == ["resolve ok", "connect begin"]


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
