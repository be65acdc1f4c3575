from dataclasses import dataclass, field

from smarthost.submission import replies
from smarthost.submission.limits import Limits
from smarthost.submission.replies import Reply
from smarthost.submission.sessions import Sessions


@dataclass(eq=False)
class Guest:
    rate_key: str | None = "192.0.2.1"
    told: list[Reply] = field(default_factory=list)

    def dismiss(self, reply: Reply) -> None:
        self.told.append(reply)


def opened(sessions: Sessions, *keys: str) -> list[Guest]:
    guests = [Guest(rate_key=key) for key in keys]
    assert all(sessions.admit(guest) for guest in guests)
    return guests


def sent_away(guests: list[Guest]) -> list[int]:
    return [at for at, guest in enumerate(guests) if guest.told == [replies.TOO_MANY_SESSIONS]]


def test_of_one_address_the_oldest_stranger_goes() -> None:
    sessions = Sessions(Limits(strangers=2))
    guests = opened(sessions, "a", "b", "a", "a")
    assert sent_away(guests) == [0]
    assert sessions.logged_in(guests[2], "first")
    guests += opened(sessions, "a")
    assert sent_away(guests) == [0]
    guests += opened(sessions, "a")
    assert sent_away(guests) == [0, 3]


def unknown(sessions: Sessions, count: int) -> list[Guest]:
    guests = [Guest(rate_key=None) for _ in range(count)]
    assert all(sessions.admit(guest) for guest in guests)
    return guests


def told(sessions: Sessions, guest: Guest, key: str) -> bool:
    """Have it known who that is; return whether there is room for it."""
    guest.rate_key = key
    return sessions.count_stranger(guest, key)


def test_who_is_not_known_yet_counts_at_no_address_until_it_is() -> None:
    sessions = Sessions(Limits(strangers=2, sessions=5))
    guests = unknown(sessions, 3) + opened(sessions, "a", "a")
    assert not sent_away(guests)
    assert told(sessions, guests[1], "a")
    assert sent_away(guests) == [3]
    sessions.gone(guests[2])
    sessions.gone(guests[3])
    assert told(sessions, guests[0], "a")
    assert sent_away(guests) == [3, 4]


def test_who_is_not_known_yet_sends_nobody_else_away() -> None:
    sessions = Sessions(Limits(strangers=1, sessions=3))
    guests = opened(sessions, "a", "b", "c") + unknown(sessions, 1)
    assert not sent_away(guests)
    assert told(sessions, guests[3], "c")
    assert sent_away(guests) == [2], "of the crowded address, and not the oldest of all"
    guests += unknown(sessions, 1)
    assert told(sessions, guests[4], "d")
    assert sent_away(guests) == [0, 2]


def test_those_that_are_not_known_make_room_among_themselves() -> None:
    sessions = Sessions(Limits(sessions=2))
    guests = opened(sessions, "a") + unknown(sessions, 2)
    sessions.gone(guests[0])
    guests += unknown(sessions, 1)
    assert sent_away(guests) == [1]


def test_a_crowd_that_is_not_known_makes_room_for_strangers() -> None:
    sessions = Sessions(Limits(sessions=3))
    guests = unknown(sessions, 3) + opened(sessions, "a")
    assert sent_away(guests) == [0]
    sessions.gone(guests[0])
    guests += opened(sessions, "b")
    assert sent_away(guests) == [0, 1]


def test_where_all_have_logged_in_there_is_no_room_for_who_becomes_known() -> None:
    sessions = Sessions(Limits(sessions=1))
    (guest,) = opened(sessions, "a")
    assert sessions.logged_in(guest, "first")
    (late,) = unknown(sessions, 1)
    assert not told(sessions, late, "b")
    sessions.gone(late)
    sessions.gone(guest)
    assert opened(sessions, "b")


def test_of_all_the_oldest_stranger_goes_and_never_who_has_logged_in() -> None:
    sessions = Sessions(Limits(sessions=2))
    guests = opened(sessions, "a", "b")
    assert sessions.logged_in(guests[0], "first")
    guests += opened(sessions, "c")
    assert sent_away(guests) == [1]
    sessions.gone(guests[1])
    assert sessions.logged_in(guests[2], "first")
    late = Guest()
    assert not sessions.admit(late)
    sessions.gone(late)
    sessions.gone(guests[0])
    assert sessions.admit(Guest())


def test_those_that_were_sent_away_and_do_not_leave_are_bounded_too() -> None:
    sessions = Sessions(Limits(sessions=2))
    opened(sessions, *map(str, range(4)))
    assert not sessions.admit(Guest())


def test_one_portal_leaves_room_for_others() -> None:
    sessions = Sessions(Limits(sessions=4, portal_sessions=2))
    guests = opened(sessions, "a", "b", "c", "d")
    assert [sessions.logged_in(guest, "first") for guest in guests[:3]] == [True, True, False]
    assert sessions.logged_in(guests[3], "second")
    sessions.gone(guests[0])
    assert sessions.logged_in(guests[2], "first")
