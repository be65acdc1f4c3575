"""How much mail may go to which relay just now: connections at once, messages a minute, shares.

Everything is counted in this process's memory: a portal's mail is left to one node at a time.
What a relay allows is known beforehand or learned from its complaints; after an outage it is asked
for little at first. What is known of the installation's own relay is divided among the nodes.
The worker asks before it claims, so that a relay with no room left takes nobody's place.

All times are seconds of the clock's `monotonic()`.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from smarthost.delivery.relay import RelaySettings
from smarthost.mail_queue.load import SHARE, Limits, Load

AT_ONCE = 4 * SHARE
"""How many connections carry mail at the same time."""

WORKING_SECONDS = 60.0
"""A relay that took mail so lately is not away, whatever one connection meets."""

_MOST_REMEMBERED = 10_000

LimitsOf = Callable[[str], Limits]
"""Tells what is known about the relay with this host name."""


class Account(NamedTuple):
    """Whom a relay counts as one: the same login, or without one the same machine."""

    host: str
    port: int
    user_name: str
    everybodys: bool = False
    """It is the installation's own, which all nodes use."""


class Place:
    """One connection's place, from before its messages are claimed until they are done."""

    def __init__(self, portal_id: str, account: Account | None, room: int) -> None:
        self.portal_id = portal_id
        self.account = account
        self.room = room
        """So many messages may be claimed for it."""


class _Portal:
    def __init__(self) -> None:
        self.account: Account | None = None
        self.open = 0
        self.held = False
        self.was_held = False


def account_of(relay: RelaySettings) -> Account:
    """Return whom `relay` counts this portal as."""
    return Account(relay.host, relay.port, relay.user_name, relay.policy_exempt)


class Pace:
    """Counts what is under way, and says how much more may be begun."""

    def __init__(self, limits_of: LimitsOf, nodes: Callable[[], int] = lambda: 1) -> None:
        """`nodes` tells how many deliver, this one included."""
        self._limits_of = limits_of
        self._nodes = nodes
        self._portals: dict[str, _Portal] = {}
        self._loads: dict[Account, Load] = {}
        self._open_at: Counter[tuple[str, int]] = Counter()
        self._forget_at = _MOST_REMEMBERED

    def knows(self, portal_id: str) -> bool:
        """Tell whether the portal's relay is known."""
        portal = self._portals.get(portal_id)
        return portal is not None and portal.account is not None

    def learn(self, portal_id: str, account: Account) -> None:
        """Take notice of the portal's relay before anything is claimed."""
        self._forget_idle()
        self._portal(portal_id).account = account

    def reserve(self, portal_id: str, now: float) -> Place | None:
        """Return a place for one more connection of a portal, None if there is no room."""
        portal = self._portal(portal_id)
        room = self._room(portal, now)
        if not room:
            return None
        place = Place(portal_id, portal.account, room)
        portal.open += 1
        self._add(place, room, now)
        return place

    def _room(self, portal: _Portal, now: float) -> int:
        if portal.held or portal.account is None:
            return 0 if portal.open else 1
        if portal.open >= SHARE or self._open_at[portal.account[:2]] >= SHARE:
            return 0
        return self._load(portal.account).room(now)

    def took(self, place: Place, messages: int, *, probe: bool) -> None:
        """Take notice of how many messages were claimed."""
        portal = self._portal(place.portal_id)
        # The hold that this process knew of may have been lifted by another one.
        portal.was_held = portal.held and not probe
        portal.held = probe
        if place.account is not None:
            self._load(place.account).spare(place.room - messages)

    def found(self, place: Place, account: Account, now: float) -> bool:
        """Take notice of the relay that a connection really goes to.

        True if it is another one than was thought: what else was claimed has to be looked at
        anew.
        """
        portal = self._portal(place.portal_id)
        moved = place.account is not None and place.account != account
        if place.account != account:
            self._remove(place, 0)
            place.account = portal.account = account
            self._add(place, 1, now)
        if portal.was_held:
            portal.was_held = False
            self._load(account).start_slowly(now)
        return moved

    def leave(self, place: Place, unused: int) -> None:
        """Give a place back, of whose messages so many were not begun."""
        self._portal(place.portal_id).open -= 1
        self._remove(place, unused)

    def worked(self, place: Place, now: float, seconds: float) -> None:
        """Take notice that a message was handed over, or refused, in so many seconds."""
        if place.account is not None:
            self._load(place.account).worked(now, seconds)

    def works(self, place: Place, now: float) -> bool:
        """Tell whether the relay took mail lately."""
        if place.account is None:
            return False
        return now - self._load(place.account).worked_at < WORKING_SECONDS

    def complained(self, place: Place, now: float, luck: float) -> None:
        """Take notice that the relay wants fewer connections or messages."""
        if place.account is not None:
            self._load(place.account).complained(now, luck)

    def held(self, portal_id: str) -> None:
        """Take notice that the portal waits for its relay: one probe at a time is all."""
        portal = self._portal(portal_id)
        portal.held = True
        if portal.account is not None:
            self._load(portal.account).fell_silent()

    def lifted(self, portal_id: str, now: float) -> None:
        """Take notice that the portal's relay takes mail again."""
        portal = self._portals.get(portal_id)
        if portal is None:
            return
        portal.held = portal.was_held = False
        if portal.account is not None:
            self._load(portal.account).start_slowly(now)

    def _portal(self, portal_id: str) -> _Portal:
        return self._portals.setdefault(portal_id, _Portal())

    def _load(self, account: Account) -> Load:
        load = self._loads.get(account)
        if load is None:
            limits = self._limits_of(account.host)
            load = Load(limits, self._nodes) if account.everybodys else Load(limits)
            self._loads[account] = load
        return load

    def _add(self, place: Place, messages: int, now: float) -> None:
        if place.account is not None:
            self._open_at[place.account[:2]] += 1
            self._load(place.account).begin(messages, now)

    def _remove(self, place: Place, unused: int) -> None:
        if place.account is not None:
            self._open_at[place.account[:2]] -= 1
            self._load(place.account).end(unused)

    def _forget_idle(self) -> None:
        """Keep no more in mind than a few thousand portals need."""
        if len(self._portals) < self._forget_at:
            return
        self._portals = {key: one for key, one in self._portals.items() if one.open or one.held}
        used = {one.account for one in self._portals.values()}
        self._loads = {key: one for key, one in self._loads.items() if one.open or key in used}
        self._open_at = +self._open_at
        self._forget_at = max(_MOST_REMEMBERED, 2 * len(self._portals))
