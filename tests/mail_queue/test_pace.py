from smarthost.mail_queue.load import SHARE, Limits, Load
from smarthost.mail_queue.pace import Account, Pace, Place, account_of
from tests.mail_queue.messages import relay

ONE, TWO = Account("one.example.com", 587, "u"), Account("two.example.com", 587, "u")
FREE = Limits(connections=99)


def pace_with(limits: Limits = FREE, /, **accounts: Account) -> Pace:
    """A pace that knows the relay of each of these portals."""
    pace = Pace(lambda _host: limits)
    for portal, account in accounts.items():
        pace.learn(portal, account)
    return pace


def places(pace: Pace, portal: str, now: float = 0.0, most: int = 99) -> list[Place]:
    """Reserve all that there is."""
    found: list[Place] = []
    while len(found) < most and (place := pace.reserve(portal, now)):
        pace.took(place, 1, probe=False)
        found.append(place)
    return found


def test_a_portal_whose_relay_is_not_known_has_room_for_one_message() -> None:
    pace = pace_with()
    assert not pace.knows("p")
    place = pace.reserve("p", 0.0)
    assert place is not None
    assert place.room == 1
    assert pace.reserve("p", 0.0) is None
    assert not pace.found(place, ONE, 0.0), "what it took is for that relay"
    assert pace.knows("p")
    assert pace.reserve("p", 0.0) is not None


def test_a_portal_has_its_share_and_no_more() -> None:
    pace = pace_with(p=ONE)
    taken = places(pace, "p")
    assert len(taken) == SHARE
    pace.leave(taken[0], 0)
    assert len(places(pace, "p")) == 1


def test_a_relay_has_its_share_however_many_portals_use_it() -> None:
    portals = {f"p{number}": Account("one.example.com", 587, f"u{number}") for number in range(9)}
    pace = pace_with(FREE, **portals, other=TWO)
    for portal in portals:
        places(pace, portal, most=2)
    assert sum(pace.reserve(portal, 0.0) is not None for portal in portals) == 0
    assert pace.reserve("other", 0.0) is not None


def test_what_an_account_is_allowed_holds_for_all_portals_that_use_it() -> None:
    pace = pace_with(Limits(connections=3), a=ONE, b=ONE, c=Account(ONE.host, ONE.port, "other"))
    places(pace, "a", most=2)
    assert len(places(pace, "b")) == 1
    assert len(places(pace, "c")) == 3


def test_limits_are_asked_for_by_host() -> None:
    asked = []

    def limits_of(host: str) -> Limits:
        asked.append(host)
        return Limits(connections=1)

    pace = Pace(limits_of)
    pace.learn("p", ONE)
    assert len(places(pace, "p")) == 1
    assert asked == [ONE.host]


def test_what_was_reserved_and_not_claimed_is_given_back() -> None:
    pace = pace_with(Limits(messages_a_minute=60), p=ONE)
    place = pace.reserve("p", 0.0)
    assert place is not None
    assert place.room == 5
    pace.took(place, 2, probe=False)
    pace.leave(place, 1)
    again = pace.reserve("p", 0.0)
    assert again is not None
    assert again.room == 4


def test_a_connection_that_goes_to_another_relay_counts_there() -> None:
    pace = pace_with(Limits(connections=1), p=ONE, q=TWO)
    place = pace.reserve("p", 0.0)
    assert place is not None
    pace.took(place, 1, probe=False)
    assert pace.found(place, TWO, 0.0)
    assert not pace.found(place, TWO, 0.0)
    assert pace.reserve("q", 0.0) is None
    assert pace.reserve("p", 0.0) is None
    pace.leave(place, 0)
    assert pace.reserve("q", 0.0) is not None


def test_a_portal_on_hold_has_room_for_its_probe_alone() -> None:
    pace = pace_with(p=ONE)
    pace.held("p")
    probe = pace.reserve("p", 0.0)
    assert probe is not None
    assert probe.room == 1
    pace.took(probe, 1, probe=True)
    assert pace.reserve("p", 0.0) is None
    pace.leave(probe, 0)
    assert pace.reserve("p", 0.0) is not None


def test_a_hold_that_another_worker_left_is_learned_from_the_probe() -> None:
    pace = pace_with(p=ONE)
    place = pace.reserve("p", 0.0)
    assert place is not None
    pace.took(place, 1, probe=True)
    assert pace.reserve("p", 0.0) is None


def test_after_a_hold_it_starts_slowly() -> None:
    pace = pace_with(p=ONE)
    pace.held("p")
    pace.lifted("p", 100.0)
    taken = places(pace, "p", 100.0)
    assert [place.room for place in taken] == [1]
    assert pace.reserve("p", 159.0) is None
    assert pace.reserve("p", 160.0) is not None


def test_after_a_hold_that_was_lifted_elsewhere_the_new_relay_starts_slowly() -> None:
    pace = pace_with(p=ONE)
    pace.held("p")
    place = pace.reserve("p", 100.0)
    assert place is not None
    pace.took(place, 1, probe=False)
    assert pace.found(place, TWO, 100.0)
    assert pace.reserve("p", 100.0) is None
    pace.leave(place, 0)
    assert len(places(pace, "p", 101.0)) == 1


def test_a_neighbour_of_a_portal_on_hold_does_not_notice() -> None:
    pace = pace_with(p=ONE, q=TWO)
    pace.held("p")
    pace.lifted("p", 0.0)
    assert len(places(pace, "q")) == SHARE


def test_a_relay_works_for_a_minute_after_it_took_mail() -> None:
    pace = pace_with(p=ONE)
    (place,) = places(pace, "p", most=1)
    assert not pace.works(place, 0.0)
    pace.worked(place, 10.0, 0.1)
    assert pace.works(place, 69.0)
    assert not pace.works(place, 70.0)


def test_a_complaint_makes_room_smaller() -> None:
    pace = pace_with(p=ONE)
    taken = places(pace, "p", most=8)
    pace.complained(taken[0], 0.0, 0.5)
    for place in taken:
        pace.leave(place, 0)
    assert 0 < len(places(pace, "p", 60.0)) < 8


def test_nothing_is_known_of_a_relay_that_nobody_has_read() -> None:
    pace = pace_with()
    place = pace.reserve("p", 0.0)
    assert place is not None
    pace.worked(place, 0.0, 1.0)
    pace.complained(place, 0.0, 0.5)
    assert not pace.works(place, 0.0)
    pace.leave(place, 1)
    pace.lifted("p", 0.0)
    pace.lifted("unheard of", 0.0)
    assert pace.reserve("p", 0.0) is not None


def test_few_portals_are_kept_in_mind() -> None:
    pace = pace_with(busy=ONE)
    (place,) = places(pace, "busy", most=1)
    pace.held("held")
    for number in range(25_000):
        pace.learn(f"p{number}", ONE)
    assert len(pace._portals) <= 10_000
    assert pace.knows("busy")
    assert pace._portals["held"].held
    pace.leave(place, 0)


def test_an_account_is_host_port_and_login() -> None:
    assert account_of(relay("p", user_name="x")) == Account("mail.example.com", 587, "x")


def test_what_is_known_of_the_installations_own_relay_is_divided_among_the_nodes() -> None:
    def of_three(limits: Limits, account: Account) -> int:
        pace = Pace(lambda _host: limits, lambda: 3)
        pace.learn("p", account)
        return len(places(pace, "p"))

    own = account_of(relay("p", policy_exempt=True))
    assert of_three(Limits(connections=10), own) == 3
    assert of_three(Limits(connections=2), own) == 1, "one connection each at least"
    assert of_three(Limits(connections=10), ONE) == 10, "a portal's own is used by one node"


def test_messages_a_minute_are_divided_too() -> None:
    limits = Limits(messages_a_minute=90)
    assert Load(limits).room(0.0) == 7, "what five seconds have gathered"
    assert Load(limits, lambda: 3).room(0.0) == 2
