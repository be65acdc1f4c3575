"""Counts are exact in one process, and one count where several share them."""

import os

import pytest

from smarthost.tally import OwnTally, SharedTallies, SharedTally, Tally, own_tallies

BOTH = pytest.mark.parametrize("kind", [OwnTally, SharedTally])


@BOTH
def test_subjects_are_counted_apart(kind: type[Tally]) -> None:
    tally = kind()
    assert [tally.add("a", 7) for _ in range(3)] == [1, 2, 3]
    assert tally.add("b", 7) == 1
    assert tally.add("a", 7) == 4


@BOTH
@pytest.mark.parametrize("other", [8, 6, 7 + 2**31])
def test_another_window_begins_anew_be_it_an_earlier_one(kind: type[Tally], other: int) -> None:
    tally = kind()
    for _ in range(3):
        tally.add("a", 7)
    assert tally.add("a", other) == 1
    assert tally.add("a", other) == 2


def test_processes_that_are_forked_count_together() -> None:
    tally = SharedTally()
    tally.add("a", 7)
    child = os.fork()
    if child == 0:
        tally.add("a", 7)
        os._exit(tally.add("a", 7))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert tally.add("a", 7) == 4


def test_a_flood_of_subjects_hardly_touches_others() -> None:
    tally = SharedTally()
    for number in range(20_000):
        tally.add(f"flood {number}", 7)
    mistaken = sum(tally.add(f"late {number}", 7) > 1 for number in range(1000))
    # Both of two counters are taken for (1 - e^(-20/65.5))^2 = 7 % of them, and by one or two.
    assert mistaken < 150
    assert tally.add("never seen", 7) < 10


def test_names_have_tallies_of_their_own() -> None:
    for tallies in (SharedTallies(("x", "y")), own_tallies):
        assert tallies("x").add("a", 7) == 1
        assert tallies("y").add("a", 7) == 1
    shared = SharedTallies(("x",))
    assert shared("x").add("a", 7) == 1
    assert shared("x").add("a", 7) == 2
