"""What goes to one account of one relay, and what may.

Known limits are the provider's. A complaint halves what went through; that counts for ten minutes
in full, and then twice as much is allowed each minute. After an outage there is one message a
second over one connection at first, and twice as much each minute.

All times are seconds of the clock's `monotonic()`; `luck` is from 0 to 1.
"""

from collections.abc import Callable

import msgspec

SHARE = 16
"""So many connections serve one account at the most, one portal, or one relay."""

MOST_TOGETHER = 20
"""How many messages are claimed for one connection."""

TURN_SECONDS = 2.0
"""About how long a connection is used before somebody else has a turn."""

PAUSE_SECONDS = 30.0
"""After the only connection to a busy relay was refused."""

LIMITED_SECONDS = 600.0
"""How long a complaint counts in full."""

SLOW_START = 60.0
"""Messages a minute after an outage."""

FULL_SPEED = 10_000.0
"""Messages a minute that no longer bind anybody."""

_ONE_COMPLAINT_SECONDS = 10.0
_BURST_SECONDS = 5.0
_MINUTE = 60.0
_FIRST_GUESS_SECONDS = 0.25


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a relay is known to allow one account."""

    connections: int = 10
    messages_a_minute: int | None = None
    """None: as many as it takes."""


class Load:
    """What goes to one account, and what may."""

    def __init__(self, limits: Limits, nodes: Callable[[], int] = lambda: 1) -> None:
        """`nodes` tells among how many the limits are to be divided, this one included."""
        self.open = 0
        self.worked_at = float("-inf")
        """When a message was last handed over, or refused for its own sake."""
        self._limits = limits
        self._nodes = nodes
        self._seconds = _FIRST_GUESS_SECONDS
        self._paused_until = float("-inf")
        self._slow_since: float | None = None
        self._complained_at = float("-inf")
        self._connections: int | None = None
        self._rate: float | None = None
        self._tokens = 1.0
        self._counted_at = float("-inf")
        self._minute = float("-inf")
        self._this_minute = self._last_minute = 0

    def room(self, now: float) -> int:
        """Return how many messages one more connection may carry."""
        if now < self._paused_until or self.open >= self._most_connections(now):
            return 0
        many = min(MOST_TOGETHER, max(1, int(TURN_SECONDS / self._seconds)))
        rate = self._most_a_minute(now)
        if rate is None:
            self._tokens, self._counted_at = 1.0, now  # what went freely is no debt
            return many
        return max(0, min(many, int(self._count(rate, now))))

    def begin(self, messages: int, now: float) -> None:
        """Count one more connection, for so many messages."""
        self.open += 1
        self._tokens -= messages
        if now - self._minute >= _MINUTE:
            self._last_minute = self._this_minute if now - self._minute < 2 * _MINUTE else 0
            self._minute, self._this_minute = now, 0
        self._this_minute += messages

    def end(self, unused: int) -> None:
        """Count one connection less, of whose messages so many were not begun."""
        self.open -= 1
        self.spare(unused)

    def spare(self, unused: int) -> None:
        """Take back messages that were counted and not begun."""
        self._tokens += unused
        self._this_minute = max(0, self._this_minute - unused)

    def worked(self, now: float, seconds: float) -> None:
        """Take notice of a message that took so many seconds."""
        self.worked_at = now
        self._seconds += (max(seconds, 0.001) - self._seconds) / 8

    def start_slowly(self, now: float) -> None:
        """Ask for little at first, unless that is how it is already."""
        if self._slow_since is None:
            self._slow_since = now
            self._tokens, self._counted_at = 1.0, now
        self._paused_until = float("-inf")

    def fell_silent(self) -> None:
        """Begin anew at the next slow start."""
        self._slow_since = None

    def complained(self, now: float, luck: float) -> None:
        """Allow half of what went through; connections that fail together complain once."""
        most = self._most_connections(now)
        if now - self._complained_at >= _ONE_COMPLAINT_SECONDS:
            most //= 2
            known = self._most_a_minute(now)
            if known is None:
                self._tokens, self._counted_at = 1.0, now
            went = max(self._this_minute, self._last_minute, SLOW_START)
            self._rate = max(1.0, (went if known is None else known) / 2)
        self._connections = max(1, min(most, self.open - 1))
        self._complained_at = now
        if self.open <= 1:
            self._paused_until = now + PAUSE_SECONDS * (0.75 + 0.5 * luck)

    def _most_connections(self, now: float) -> int:
        most = max(1, min(self._limits.connections, SHARE) // self._nodes())
        if self._connections is not None:
            most = min(most, self._connections * self._growth(now))
        return most if self._slow_since is None else min(most, self._slowness(now))

    def _most_a_minute(self, now: float) -> float | None:
        """Return how many messages a minute may go; None: as many as it takes."""
        rates = [] if self._rate is None else [self._rate * self._growth(now)]
        if self._slow_since is not None:
            rates.append(SLOW_START * self._slowness(now))
            if rates[-1] >= FULL_SPEED:
                self._slow_since = None
        if self._limits.messages_a_minute is not None:
            rates.append(self._limits.messages_a_minute / self._nodes())
        least = min(rates, default=FULL_SPEED)
        return None if least >= FULL_SPEED else least

    def _slowness(self, now: float) -> int:
        since = now if self._slow_since is None else self._slow_since
        return 1 << min(int((now - since) / _MINUTE), 20)

    def _growth(self, now: float) -> int:
        over = now - self._complained_at - LIMITED_SECONDS
        return 1 if over < 0 else 2 << min(int(over / _MINUTE), 20)

    def _count(self, rate: float, now: float) -> float:
        """Return how many messages may go at once: what a few seconds have gathered."""
        gathered = self._tokens + rate / _MINUTE * min(now - self._counted_at, _MINUTE)
        self._tokens = min(gathered, max(1.0, rate / _MINUTE * _BURST_SECONDS))
        self._counted_at = now
        return self._tokens
