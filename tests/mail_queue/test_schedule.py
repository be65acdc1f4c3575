from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import MICROSECONDS
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.model import Attempted, Claim, HeldFor, Kind, State
from smarthost.mail_queue.schedule import (
    FEWEST_TRIES,
    LEASE_SECONDS,
    MOST_DEATHS,
    TEST_SECONDS,
    Circumstances,
    Patience,
    Standing,
    after,
    after_death,
    deadline_seconds,
    in_doubt,
    is_over,
    is_useless,
    lease_end,
)
from tests.clocks import START
from tests.mail_queue.values import claim_of, tried

PATIENCE = Patience(retry_seconds=300, expire_seconds=432_000)
OLD = 432_000 * MICROSECONDS
MAIL, TEST, NOTICE = (claim_of(kind) for kind in (Kind.MAIL, Kind.TEST, Kind.NOTICE))
TIMED_OUT = tried(Code.TIMED_OUT)
REFUSED = tried(Code.RECIPIENT_REFUSED, Step.RECIPIENT, result=Result.REFUSED, permanent=True)
AWAY = tried(Code.CONNECTION_REFUSED, Step.CONNECT)
every_claim = pytest.mark.parametrize("claim", [MAIL, TEST, NOTICE], ids=lambda one: one.kind)


def ended(claim: Claim, attempted: Attempted, **fields: Any) -> Standing:
    values: dict[str, Any] = {"now": START, "age": 0, "luck": 0.5}
    return after(claim, attempted, PATIENCE, Circumstances(**(values | fields)))


def waited(attempted: Attempted, **fields: Any) -> float:
    """How many seconds a recipient waits."""
    standing = ended(MAIL, attempted, **fields)
    assert standing.state is State.QUEUED
    assert standing.due_at is not None
    return (standing.due_at - START) / MICROSECONDS


def test_a_test_has_thirty_seconds_to_send_and_is_over_after_forty() -> None:
    assert deadline_seconds(Kind.TEST) == 30
    assert not is_over(START, START + 40 * MICROSECONDS - 1)
    assert is_over(START, START + 40 * MICROSECONDS)


def test_a_lease_is_longer_than_a_test_may_take() -> None:
    assert deadline_seconds(Kind.TEST) < LEASE_SECONDS <= TEST_SECONDS
    assert lease_end(START) == START + LEASE_SECONDS * MICROSECONDS


def test_a_clock_set_back_does_not_prolong_a_test() -> None:
    assert not is_over(START, START - MICROSECONDS)
    assert is_over(START, START - 3600 * MICROSECONDS)


def test_a_message_is_useless_from_the_moment_that_its_sender_named() -> None:
    assert not is_useless(None, START)
    assert not is_useless(START + 1, START)
    assert is_useless(START, START)


@every_claim
def test_what_the_relay_took_is_sent(claim: Claim) -> None:
    standing = ended(claim, tried(None))
    assert standing == Standing(State.SENT)
    assert standing.is_final


@every_claim
def test_what_the_relay_will_never_take_has_failed(claim: Claim) -> None:
    assert ended(claim, REFUSED) == Standing(State.FAILED)


@given(code=st.sampled_from(Code), number=st.integers(1, 9))
def test_a_test_is_tried_once(code: Code, number: int) -> None:
    assert ended(TEST, tried(code, attempt=number)) == Standing(State.FAILED)


def test_a_notice_is_tried_again_unless_there_is_no_default_relay() -> None:
    assert ended(NOTICE, TIMED_OUT).state is State.QUEUED
    assert ended(NOTICE, tried(Code.NO_RELAY, Step.RESOLVE)) == Standing(State.FAILED)


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(1, 300), (2, 600), (3, 1200), (6, 9600), (7, 14_400), (8, 14_400), (10_000, 14_400)],
)
def test_deferred_mail_waits_twice_as_long_each_time_up_to_four_hours(
    attempt: int, seconds: float
) -> None:
    assert waited(tried(Code.TIMED_OUT, attempt=attempt)) == seconds


def test_a_first_wait_beyond_four_hours_is_every_wait() -> None:
    patience = Patience(retry_seconds=50_000)
    here = Circumstances(now=START, age=0, luck=0.5)
    for attempt in (1, 5):
        standing = after(MAIL, tried(Code.TIMED_OUT, attempt=attempt), patience, here)
        assert standing.due_at == START + 50_000 * MICROSECONDS


@given(luck=st.floats(0, 1), attempt=st.integers(1, 50))
def test_mail_that_failed_together_is_tried_at_different_times(luck: float, attempt: int) -> None:
    middle = waited(tried(Code.TIMED_OUT, attempt=attempt))
    assert 0.75 * middle <= waited(tried(Code.TIMED_OUT, attempt=attempt), luck=luck)
    assert waited(tried(Code.TIMED_OUT, attempt=attempt), luck=luck) <= 1.25 * middle


def test_mail_whose_attempt_was_interrupted_does_not_wait() -> None:
    assert waited(tried(Code.INTERRUPTED, attempt=5)) == 0
    assert waited(tried(Code.INTERRUPTED, attempt=50), age=2 * OLD) == 0


def test_mail_that_waits_for_its_relay_is_due_when_that_is_back() -> None:
    assert waited(AWAY, on_hold=True) == 0


def test_mail_that_found_no_room_at_a_busy_relay_is_tried_soon() -> None:
    crowded = tried(Code.RELAY_UNAVAILABLE, Step.GREETING, attempt=5)
    assert waited(crowded, crowded=True) == 30
    limited = tried(Code.RATE_LIMITED, Step.RECIPIENT)
    assert waited(limited, crowded=True) == 30


def test_mail_that_a_working_relay_complains_of_again_waits_as_ever() -> None:
    limited = tried(Code.RATE_LIMITED, Step.RECIPIENT, attempt=2)
    assert waited(limited, crowded=True) == 600


def test_mail_expires_when_it_is_old_and_was_tried_often() -> None:
    often = tried(Code.TIMED_OUT, attempt=FEWEST_TRIES)
    seldom = tried(Code.TIMED_OUT, attempt=FEWEST_TRIES - 1)
    assert ended(MAIL, often, age=OLD) == Standing(State.EXPIRED)
    assert ended(MAIL, often, age=OLD - 1).state is State.QUEUED
    assert ended(MAIL, seldom, age=100 * OLD).state is State.QUEUED


def test_mail_that_waits_for_its_relay_does_not_grow_old() -> None:
    often = tried(Code.CONNECTION_REFUSED, Step.CONNECT, attempt=99)
    assert ended(MAIL, often, age=2 * OLD, on_hold=True) == Standing(State.QUEUED, START)


@pytest.mark.parametrize("on_hold", [False, True])
def test_mail_that_its_sender_wants_no_more_expires_by_time_alone(on_hold: bool) -> None:
    claim = claim_of(expires_at=START)
    assert ended(claim, AWAY, on_hold=on_hold) == Standing(State.EXPIRED)
    assert ended(claim, tried(None)) == Standing(State.SENT)
    assert ended(claim, REFUSED) == Standing(State.FAILED)


def test_what_must_not_arrive_twice_is_held_when_it_may_have_arrived() -> None:
    once = claim_of(at_most_once=True, expires_at=START)
    doubtful = tried(Code.TIMED_OUT, in_doubt=True)
    standing = ended(once, doubtful)
    assert standing == Standing(State.HELD, held_for=HeldFor.IN_DOUBT)
    assert not standing.is_final
    assert ended(MAIL, doubtful).state is State.QUEUED
    assert ended(once, tried(None)) == Standing(State.SENT)


def died(kind: Kind, step: Step, deaths: int = 1, *, at_most_once: bool = False) -> Standing:
    return after_death(kind, step, deaths, START, at_most_once=at_most_once)


def test_mail_whose_worker_died_is_due_at_once() -> None:
    for kind in (Kind.MAIL, Kind.NOTICE):
        assert died(kind, Step.DATA) == Standing(State.QUEUED, START)


def test_a_test_whose_worker_died_has_failed() -> None:
    assert died(Kind.TEST, Step.CONNECT) == Standing(State.FAILED)


def test_mail_that_takes_its_worker_along_each_time_is_held() -> None:
    assert died(Kind.MAIL, Step.EHLO, MOST_DEATHS - 1).state is State.QUEUED
    quarantined = Standing(State.HELD, held_for=HeldFor.WORKER_DEATHS)
    assert died(Kind.MAIL, Step.EHLO, MOST_DEATHS) == quarantined


def test_what_must_not_arrive_twice_is_held_when_its_worker_died_over_data() -> None:
    held = Standing(State.HELD, held_for=HeldFor.IN_DOUBT)
    assert died(Kind.MAIL, Step.DATA, at_most_once=True) == held
    assert died(Kind.MAIL, Step.RECIPIENT, at_most_once=True).state is State.QUEUED


@given(
    kind=st.sampled_from(Kind),
    code=st.sampled_from([*Code, None]),
    step=st.sampled_from(Step),
    attempt=st.integers(1, 10**6),
    age=st.integers(-(10**18), 10**18),
    luck=st.floats(0, 1),
    flags=st.tuples(*[st.booleans()] * 4),
)
def test_a_recipient_is_due_exactly_while_it_is_queued(
    kind: Kind,
    code: Code | None,
    step: Step,
    attempt: int,
    age: int,
    luck: float,
    flags: tuple[bool, bool, bool, bool],
) -> None:
    once, doubt, on_hold, crowded = flags
    standing = ended(
        claim_of(kind, at_most_once=once),
        tried(code, step, attempt=attempt, in_doubt=doubt),
        age=age,
        luck=luck,
        on_hold=on_hold,
        crowded=crowded,
    )
    assert (standing.due_at is not None) == (standing.state is State.QUEUED)
    assert (standing.held_for is not None) == (standing.state is State.HELD)
    if standing.due_at is not None:
        assert START <= standing.due_at <= START + 5 * 3600 * MICROSECONDS


def test_only_an_attempt_that_had_begun_to_hand_over_is_in_doubt() -> None:
    assert [step for step in (None, *Step) if in_doubt(step)] == [Step.DATA]
