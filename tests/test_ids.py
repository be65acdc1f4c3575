import threading
import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import SystemClock
from smarthost.ids import Ids, before_ids_of, made_at
from tests.clocks import START, FakeClock


@given(st.integers(0, (1 << 48) * 1000 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_is_a_version_7_uuid_of_its_millisecond(now: int, octets: bytes) -> None:
    made = Ids(FakeClock(now), lambda size: octets * (size // 10)).new()
    parsed = uuid.UUID(made)
    assert str(parsed) == made
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == now // 1000


@given(st.integers(0, (1 << 48) * 1000 - 1), st.integers(0, (1 << 48) * 1000 - 1))
def test_ids_stand_behind_the_mark_of_their_time_and_tell_it(made: int, mark: int) -> None:
    made_id = Ids(FakeClock(made), bytes).new()
    assert (made_id > before_ids_of(mark)) == (made // 1000 >= mark // 1000)
    assert made_at(made_id) == made // 1000 * 1000


@pytest.mark.parametrize("at", [-1, 1 << 70])
def test_a_mark_of_no_time_that_an_id_can_tell_is_at_an_end_of_all(at: int) -> None:
    first, last = (Ids(FakeClock(now), bytes).new() for now in (0, ((1 << 48) - 1) * 1000))
    assert before_ids_of(at) == (first if at < 0 else last)[:13]


def test_every_random_bit_is_used() -> None:
    low = uuid.UUID(Ids(FakeClock(START), bytes).new()).int
    high = uuid.UUID(Ids(FakeClock(START), lambda size: b"\xff" * size).new()).int
    assert (low ^ high).bit_count() == 74


def test_later_ids_sort_after_earlier_ones() -> None:
    clock = FakeClock()
    ids = Ids(clock)
    made = []
    for _ in range(1000):
        made.append(ids.new())
        clock.advance(0.001)
    assert all(before < after for before, after in pairwise(made))


def test_ids_of_one_moment_share_nothing_but_the_moment() -> None:
    ids = Ids(FakeClock())
    made = [ids.new() for _ in range(5000)]
    assert len({text[14:] for text in made}) == len(made)
    assert len({text[:13] for text in made}) == 1


def test_threads_are_never_given_the_same_bits() -> None:
    ids = Ids(SystemClock())
    made: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into.extend(ids.new()[14:] for _ in range(20_000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({text for texts in made for text in texts}) == 80_000
