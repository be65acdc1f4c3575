import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import MICROSECONDS
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.model import Attempted, Kind, State
from smarthost.mail_queue.schedule import (
    LEASE_SECONDS,
    TEST_SECONDS,
    after,
    deadline_seconds,
    in_doubt,
    is_over,
    lease_end,
)
from tests.clocks import START


def attempt(result: Result, code: Code | None = None, number: int = 1) -> Attempted:
    return Attempted(
        address="a@example.org",
        attempt=number,
        started_at=START,
        microseconds=1,
        result=result,
        step=Step.DATA,
        code=code,
    )


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


@pytest.mark.parametrize("kind", Kind)
def test_what_the_relay_took_is_sent(kind: Kind) -> None:
    assert after(kind, attempt(Result.ACCEPTED), START) == (State.SENT, None)


@pytest.mark.parametrize("kind", Kind)
def test_what_the_relay_will_never_take_has_failed(kind: Kind) -> None:
    refused = attempt(Result.REFUSED, Code.RECIPIENT_REFUSED)
    assert after(kind, refused, START) == (State.FAILED, None)


@given(code=st.sampled_from(Code), number=st.integers(1, 9))
def test_a_test_is_tried_once(code: Code, number: int) -> None:
    tried = attempt(Result.DEFERRED, code, number)
    assert after(Kind.TEST, tried, START) == (State.FAILED, None)


@given(number=st.integers(1, 10_000))
def test_deferred_mail_waits_longer_each_time_but_never_beyond_an_hour(number: int) -> None:
    def wait(number: int) -> int:
        state, due_at = after(Kind.MAIL, attempt(Result.DEFERRED, Code.TIMED_OUT, number), START)
        assert state is State.QUEUED
        assert due_at is not None
        return due_at - START

    assert 60 * MICROSECONDS <= wait(number) <= wait(number + 1) <= 3600 * MICROSECONDS


def test_mail_whose_attempt_was_interrupted_does_not_wait() -> None:
    interrupted = attempt(Result.DEFERRED, Code.INTERRUPTED, 5)
    assert after(Kind.MAIL, interrupted, START) == (State.QUEUED, START)


def test_only_an_attempt_that_had_begun_to_hand_over_is_in_doubt() -> None:
    assert [step for step in (None, *Step) if in_doubt(step)] == [Step.DATA]
