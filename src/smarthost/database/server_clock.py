"""The time of a PostgreSQL server, for all that work with it.

Nodes whose own clocks disagree are to agree on what is due and on whose lease has ended. The
server is asked now and then; in between the machine's monotonic clock counts on, so that a clock
that somebody sets on a node changes nothing.
"""

from smarthost.clock import MICROSECONDS, Clock

MEASURE_SECONDS = 10.0
"""So old a measurement is good without another one: two good clocks part by a millisecond."""

# Beyond the way there and back, by which a measurement may be wrong.
_ROUNDING = 1_000


class ServerClock:
    """Tells the machine's own time until the server has been asked for the first time."""

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._at: float | None = None
        self._said = 0

    def now(self) -> int:
        """Return the microseconds since 1970-01-01T00:00:00Z, as the server has it."""
        if self._at is None:
            return self._machine.now()
        return self._counted(self._machine.monotonic())

    def monotonic(self) -> float:
        """Return seconds of the machine's monotonic clock."""
        return self._machine.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds."""
        await self._machine.sleep(seconds)

    @property
    def is_old(self) -> bool:
        """Whether it is time to ask the server again."""
        return self._at is None or self._machine.monotonic() - self._at >= MEASURE_SECONDS

    def measured(self, said: int, asked_at: float) -> None:
        """Take notice of what the server says now; it was asked at `asked_at`, as `monotonic`.

        What may as well come from the way to the server and back does not move the clock.
        """
        here = self._machine.monotonic()
        doubt = round((here - asked_at) / 2 * MICROSECONDS) + _ROUNDING
        then = (asked_at + here) / 2
        if self._at is not None and abs(self._counted(then) - said) <= doubt:
            said = self._counted(then)
        self._at, self._said = then, said

    def _counted(self, monotonic: float) -> int:
        assert self._at is not None  # noqa: S101 - whoever calls has looked
        return self._said + round((monotonic - self._at) * MICROSECONDS)
