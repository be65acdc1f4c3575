import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import MICROSECONDS
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.holds.model import (
    after_failure,
    fails_for_all,
    lifts,
    passes,
    probe_wait,
    shared,
)
from smarthost.mail_queue.model import Attempted
from tests.clocks import START
from tests.mail_queue.messages import REVISION
from tests.mail_queue.values import claim_of, tried

AWAY = tried(Code.CONNECTION_REFUSED, Step.CONNECT)
CLAIM, PROBE = claim_of(portal_id="p"), claim_of(portal_id="p", probe=True)
BAD_PASSWORD = tried(Code.LOGIN_REFUSED, Step.AUTHENTICATE, permanent=True, reply="535 no")
MINUTE = 60 * MICROSECONDS


@pytest.mark.parametrize(
    "attempted",
    [
        AWAY,
        BAD_PASSWORD,
        tried(Code.NAME_LOOKUP_FAILED, Step.RESOLVE),
        tried(Code.CERTIFICATE_EXPIRED, Step.TLS, permanent=True),
        tried(Code.TEMPORARILY_REFUSED, Step.AUTHENTICATE),
        tried(Code.LOGIN_REFUSED, Step.SENDER, permanent=True),
        tried(Code.LOGIN_REQUIRED, Step.SENDER, permanent=True),
        tried(Code.TLS_REQUIRED, Step.SENDER, permanent=True),
        tried(Code.NO_RELAY, Step.RESOLVE, permanent=True),
        tried(Code.PASSWORD_UNREADABLE, Step.RESOLVE, permanent=True),
    ],
    ids=lambda one: one.code,
)
def test_a_fault_that_any_message_would_meet_holds_them_all(attempted: Attempted) -> None:
    assert fails_for_all(attempted)
    assert not lifts(attempted)


@pytest.mark.parametrize(
    "attempted",
    [
        tried(Code.INTERRUPTED, Step.CONNECT),
        tried(Code.INTERNAL, Step.RESOLVE),
        tried(Code.TEMPORARILY_REFUSED, Step.SENDER),
        tried(Code.RELAY_UNAVAILABLE, Step.SENDER),
    ],
    ids=lambda one: f"{one.code} at {one.step}",
)
def test_a_fault_of_our_own_or_of_the_moment_says_nothing_of_the_relay(
    attempted: Attempted,
) -> None:
    assert not fails_for_all(attempted)
    assert not lifts(attempted)


@pytest.mark.parametrize(
    "attempted",
    [
        tried(None),
        tried(Code.SENDER_REFUSED, Step.SENDER, result=Result.REFUSED),
        tried(Code.RECIPIENT_REFUSED, Step.RECIPIENT, result=Result.REFUSED),
        tried(Code.TEMPORARILY_REFUSED, Step.RECIPIENT),
        tried(Code.TIMED_OUT, Step.DATA, in_doubt=True),
    ],
    ids=lambda one: f"{one.code} at {one.step}",
)
def test_a_relay_that_deals_with_a_message_is_there(attempted: Attempted) -> None:
    assert lifts(attempted)
    assert not fails_for_all(attempted)


@given(
    code=st.sampled_from([*Code, None]),
    step=st.sampled_from(Step),
    result=st.sampled_from(Result),
)
def test_nothing_holds_and_lifts_at_once(code: Code | None, step: Step, result: Result) -> None:
    attempted = tried(code, step, result=result)
    assert not (fails_for_all(attempted) and lifts(attempted))


def test_some_faults_are_those_that_a_busy_relay_shows() -> None:
    assert passes(AWAY)
    assert passes(tried(Code.RELAY_UNAVAILABLE, Step.GREETING))
    assert not passes(BAD_PASSWORD)
    assert not passes(tried(Code.RELAY_NOT_FOUND, Step.RESOLVE))


def test_a_hold_says_what_was_met_and_since_when() -> None:
    hold = after_failure(CLAIM, BAD_PASSWORD, None, START, 1.0)
    assert (hold.portal_id, hold.revision, hold.default_relay) == ("p", REVISION, False)
    assert (hold.relay_host, hold.relay_port) == ("mail.example.com", 587)
    assert (hold.step, hold.code, hold.permanent) == (Step.AUTHENTICATE, Code.LOGIN_REFUSED, True)
    assert (hold.reply, hold.failures, hold.told_at) == ("535 no", 1, None)
    assert (hold.since, hold.tried_at, hold.probe_at) == (START, START, START + 15 * MINUTE)


def test_the_next_failure_prolongs_the_hold_and_keeps_its_beginning() -> None:
    first = after_failure(CLAIM, BAD_PASSWORD, None, START, 1.0)
    again = tried(Code.CONNECTION_REFUSED, Step.CONNECT, started_at=START + MINUTE)
    second = after_failure(PROBE, again, first, START + 2 * MINUTE, 1.0)
    assert (second.since, second.failures) == (START, 2)
    assert (second.code, second.tried_at) == (Code.CONNECTION_REFUSED, START + 2 * MINUTE)
    assert second.probe_at == START + 4 * MINUTE


def test_connections_that_fail_together_fail_once() -> None:
    first = after_failure(CLAIM, AWAY, None, START + MINUTE, 1.0)
    together = tried(Code.CONNECTION_REFUSED, Step.CONNECT, started_at=START)
    assert after_failure(CLAIM, together, first, START + 2 * MINUTE, 1.0) == first


def test_other_settings_that_fail_are_a_hold_of_their_own() -> None:
    first = after_failure(CLAIM, AWAY, None, START, 1.0)
    other = tried(Code.TIMED_OUT, Step.CONNECT, revision=REVISION + 1, started_at=START)
    second = after_failure(CLAIM, other, first, START + MINUTE, 1.0)
    assert (second.revision, second.failures, second.since) == (REVISION + 1, 1, START + MINUTE)


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 5), (5, 5), (10_000, 5)]
)
def test_a_relay_that_is_away_is_probed_every_one_to_five_minutes(
    failures: int, minutes: int
) -> None:
    assert probe_wait(failures, 1.0, permanent=False) == minutes * MINUTE
    assert probe_wait(failures, 0.0, permanent=False) == minutes * MINUTE * 3 // 4


@given(failures=st.integers(1, 10_000), luck=st.floats(0, 1))
def test_settings_that_fail_are_probed_every_quarter_of_an_hour(
    failures: int, luck: float
) -> None:
    wait = probe_wait(failures, luck, permanent=True)
    assert 0.75 * 15 * MINUTE <= wait <= 15 * MINUTE


def test_who_waits_with_another_portal_has_its_facts_and_probes_later() -> None:
    other = after_failure(CLAIM, tried(Code.TIMED_OUT, Step.CONNECT), None, START, 1.0)
    mine = shared(other, "b", 7, None, START + MINUTE // 2, 0.5)
    assert (mine.portal_id, mine.revision, mine.since) == ("b", 7, START + MINUTE // 2)
    assert (mine.code, mine.step, mine.failures) == (other.code, other.step, other.failures)
    assert mine.probe_at > other.probe_at
    later = shared(other, "b", 7, mine, START + MINUTE, 0.0)
    assert (later.since, later.probe_at) == (mine.since, other.probe_at)
