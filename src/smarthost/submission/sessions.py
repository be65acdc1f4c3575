"""How many sessions are open, and who makes room when these are too many.

Who connects and does not log in costs little and could be many, so it is the oldest of these that
has to go: a program that means it has logged in before its turn comes. One portal never has all.
"""

from typing import Protocol

from smarthost.submission import replies
from smarthost.submission.limits import Limits
from smarthost.submission.replies import Reply


class Guest(Protocol):
    """A session as it is counted."""

    @property
    def rate_key(self) -> str | None:
        """What its address is counted by; None: that is not known yet."""
        ...

    def dismiss(self, reply: Reply) -> None:
        """Say this and close as soon as no message is on its way."""
        ...


class Sessions:
    """Admits sessions."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: set[Guest] = set()
        # Whose proxy has not said yet who they are, oldest first.
        self._unknown: dict[Guest, None] = {}
        # Who has not logged in, oldest first; all, and by address.
        self._strangers: dict[Guest, None] = {}
        self._by_address: dict[str, dict[Guest, None]] = {}
        self._of_portals: dict[str, set[Guest]] = {}
        self._portal_of: dict[Guest, str] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, guest: Guest) -> bool:
        """Count a session in; return whether it may stay.

        Whoever is behind a proxy is judged when that has said who it is, by `count_stranger`:
        until then nobody knows whose turn it is to go.
        """
        self._open.add(guest)
        if guest.rate_key is None:
            if len(self._unknown) >= self._limits.sessions:
                self._send_away(self._unknown)
            self._unknown[guest] = None
        elif not self.count_stranger(guest, guest.rate_key):
            return False
        # Those that were sent away are still leaving; more than this do not come in meanwhile.
        return len(self._open) <= 2 * self._limits.sessions

    def count_stranger(self, guest: Guest, rate_key: str) -> bool:
        """Count a session whose address is known now; return whether there is room for it."""
        self._unknown.pop(guest, None)
        if len(self._by_address.get(rate_key, ())) >= self._limits.strangers:
            self._send_away(self._by_address[rate_key])
        elif len(self._open) > self._limits.sessions:
            # Who is not known yet soon is, as a rule, and goes only where these are a crowd.
            crowd = max(self._strangers, self._unknown, key=len)
            if not crowd:
                return False
            self._send_away(crowd)
        self._by_address.setdefault(rate_key, {})[guest] = None
        self._strangers[guest] = None
        return True

    def logged_in(self, guest: Guest, portal_id: str) -> bool:
        """Count it as its portal's; False if that has so many that others would find no room."""
        of_portal = self._of_portals.setdefault(portal_id, set())
        if len(of_portal) >= self._limits.portal_sessions:
            return False
        of_portal.add(guest)
        self._portal_of[guest] = portal_id
        self._known(guest)
        return True

    def gone(self, guest: Guest) -> None:
        """Count a session out."""
        self._open.discard(guest)
        self._known(guest)
        portal_id = self._portal_of.pop(guest, None)
        if portal_id is None:
            return
        of_portal = self._of_portals[portal_id]
        of_portal.discard(guest)
        if not of_portal:
            del self._of_portals[portal_id]

    def _known(self, guest: Guest) -> None:
        """Count it as no stranger any more."""
        self._unknown.pop(guest, None)
        self._strangers.pop(guest, None)
        if guest.rate_key is None:
            return
        same_address = self._by_address.get(guest.rate_key, {})
        same_address.pop(guest, None)
        if not same_address:
            self._by_address.pop(guest.rate_key, None)

    def _send_away(self, oldest_first: dict[Guest, None]) -> None:
        guest = next(iter(oldest_first))
        self._known(guest)
        guest.dismiss(replies.TOO_MANY_SESSIONS)
