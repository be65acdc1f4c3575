from smarthost.submission.bad_logins import BadLogins
from smarthost.tally import OwnTally
from tests.clocks import FakeClock


def test_an_address_may_have_so_many_in_a_minute_and_again_in_the_next() -> None:
    clock = FakeClock()
    counted = BadLogins(clock, OwnTally(), 2, enforced=True)
    assert [counted.are_too_many("192.0.2.1") for _ in range(3)] == [False, False, True]
    assert not counted.are_too_many("192.0.2.2")
    clock.advance(60)
    assert not counted.are_too_many("192.0.2.1")


def test_where_limits_are_off_they_are_never_too_many() -> None:
    counted = BadLogins(FakeClock(), OwnTally(), 0, enforced=False)
    assert not counted.are_too_many("192.0.2.1")
