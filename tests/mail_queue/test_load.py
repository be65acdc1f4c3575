from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail_queue.load import MOST_TOGETHER, SHARE, Limits, Load

FREE = Limits(connections=99)


def carried(load: Load, now: float, seconds: float) -> int:
    """Let as much go as may in so many seconds, looked at twice a second; each takes no time."""
    count = 0
    for half in range(round(seconds * 2)):
        at = now + half / 2
        while room := load.room(at):
            load.begin(room, at)
            load.end(0)
            count += room
            if count > 100_000:
                return count
    return count


def test_a_relay_takes_as_many_connections_as_are_known_to_be_allowed() -> None:
    load = Load(Limits(connections=3))
    for _ in range(3):
        assert load.room(0.0) > 0
        load.begin(1, 0.0)
    assert load.room(0.0) == 0
    load.end(0)
    assert load.room(0.0) > 0


def test_a_generous_relay_gets_no_more_than_its_share() -> None:
    load = Load(FREE)
    for _ in range(SHARE):
        assert load.room(0.0) > 0
        load.begin(1, 0.0)
    assert load.room(0.0) == 0


def test_as_many_messages_are_taken_together_as_go_in_two_seconds() -> None:
    load = Load(FREE)
    assert load.room(0.0) == 8
    for _ in range(50):
        load.worked(0.0, 0.01)
    assert load.room(0.0) == MOST_TOGETHER
    for _ in range(50):
        load.worked(0.0, 0.5)
    assert 3 <= load.room(0.0) <= 4
    for _ in range(50):
        load.worked(0.0, 30.0)
    assert load.room(0.0) == 1


def test_a_known_limit_of_messages_is_kept_each_minute() -> None:
    load = Load(Limits(messages_a_minute=30))
    first = carried(load, 0.0, 60)
    assert 30 <= first <= 33
    assert all(carried(load, 60.0 * minute, 60) == 30 for minute in range(1, 10))


def test_what_was_not_begun_may_go_later() -> None:
    load = Load(Limits(messages_a_minute=60))
    room = load.room(0.0)
    load.begin(room, 0.0)
    load.end(room)
    assert load.room(0.0) == room


def test_after_an_outage_it_is_one_a_second_and_twice_as_many_each_minute() -> None:
    load = Load(FREE)
    load.start_slowly(0.0)
    assert load.room(0.0) == 1
    minutes = [carried(load, 60.0 * minute, 60) for minute in range(6)]
    for minute, count in enumerate(minutes):
        assert 0.9 * 60 * 2**minute <= count <= 1.15 * 60 * 2**minute
    assert carried(load, 480.0, 1) > 100_000, "ten thousand a minute bind nobody"


def test_after_an_outage_no_ten_seconds_have_twice_the_mean_of_their_minute() -> None:
    load = Load(FREE)
    load.start_slowly(0.0)
    for minute in range(6):
        tens = [carried(load, 60.0 * minute + 10 * ten, 10) for ten in range(6)]
        assert max(tens) <= 2 * sum(tens) / 6


def test_after_an_outage_connections_double_as_well() -> None:
    load = Load(FREE)
    load.start_slowly(0.0)
    for minute, connections in enumerate([1, 2, 4, 8, 16]):
        now = 60.0 * minute + 59
        load.open = connections - 1
        assert load.room(now) > 0
        load.open = connections
        assert load.room(now) == 0


def test_a_slow_start_goes_on_where_it_was_unless_the_relay_was_away_again() -> None:
    load = Load(FREE)
    load.start_slowly(0.0)
    load.start_slowly(100.0)
    load.open = 1
    assert load.room(100.0) > 0
    load.fell_silent()
    load.start_slowly(100.0)
    assert load.room(100.0) == 0


def test_a_complaint_halves_what_went_through() -> None:
    load = Load(FREE)
    for _ in range(10):
        load.begin(30, 0.0)
    load.complained(1.0, 0.5)
    load.open = 8
    assert load.room(30.0) == 0
    load.open = 7
    assert load.room(30.0) > 0
    load.open = 0
    assert 150 <= carried(load, 100.0, 60) <= 165


def test_connections_that_fail_together_complain_once() -> None:
    load = Load(Limits(connections=16))
    for _ in range(16):
        load.begin(1, 0.0)
    for second in range(8):
        load.complained(float(second), 0.5)
        load.end(0)
    load.open = 7
    assert load.room(9.0) > 0
    load.open = 8
    assert load.room(9.0) == 0


def test_a_relay_that_takes_fewer_connections_gets_one_less_than_failed() -> None:
    load = Load(Limits(connections=16))
    for _ in range(3):
        load.begin(1, 0.0)
    load.complained(0.0, 0.5)
    load.end(0)
    assert load.room(0.0) == 0
    load.end(0)
    assert load.room(0.0) > 0


def test_a_relay_that_refuses_the_only_connection_has_half_a_minute_of_peace() -> None:
    load = Load(FREE)
    load.begin(1, 0.0)
    load.complained(0.0, 1.0)
    load.end(0)
    assert load.room(37.0) == 0
    assert load.room(37.5) > 0


def test_a_complaint_counts_for_ten_minutes_and_then_less_and_less() -> None:
    load = Load(FREE)
    load.begin(1, 0.0)
    load.complained(0.0, 0.0)
    load.end(0)
    assert 29 <= carried(load, 30.0, 60) <= 33
    assert carried(load, 530.0, 60) == 30 + 2
    assert 50 <= carried(load, 605.0, 50) <= 60, "one a second"
    assert carried(load, 1200.0, 1) > 100_000


def test_what_went_freely_is_no_debt_when_limits_come() -> None:
    load = Load(FREE)
    assert carried(load, 0.0, 5) > 100_000
    load.begin(1, 10.0)
    load.start_slowly(10.0)
    load.end(0)
    assert carried(load, 10.0, 10) >= 10


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["room", "complained", "slow", "silent", "worked"]), st.floats(0, 500)
        ),
        max_size=60,
    ),
    st.one_of(st.none(), st.integers(1, 1000)),
)
def test_it_always_lets_something_go_in_the_end(
    events: list[tuple[str, float]], rate: int | None
) -> None:
    load, now, places = Load(Limits(messages_a_minute=rate)), 0.0, 0
    for event, passed in events:
        now += passed
        if event == "room" and (room := load.room(now)):
            assert 1 <= room <= MOST_TOGETHER
            load.begin(room, now)
            places += 1
        elif event == "complained":
            load.complained(now, 0.5)
        elif event == "slow":
            load.start_slowly(now)
        elif event == "silent":
            load.fell_silent()
        elif event == "worked":
            load.worked(now, passed)
        assert load.open == places <= SHARE
    for _ in range(places):
        load.end(0)
    assert any(load.room(now + seconds) for seconds in range(0, 1300, 10))
