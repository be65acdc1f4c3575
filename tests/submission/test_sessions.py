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


def test_who_is_not_known_yet_counts_at_no_address_until_it_is() -> None:
    sessions = Sessions(Limits(strangers=2, sessions=5))
    unknown = [Guest(rate_key=None) for _ in range(3)]
    assert all(sessions.admit(guest) for guest in unknown)
    guests = unknown + opened(sessions, "a", "a")
    assert not sent_away(guests)
    unknown[1].rate_key = "a"
    assert sessions.count_by_address(unknown[1])
    assert sent_away(guests) == [3]
    opened(sessions, "b")
    assert sent_away(guests) == [0, 3], "the oldest of all, known or not"
    sessions.gone(unknown[2])


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
