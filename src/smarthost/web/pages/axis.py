"""What the axes of charts are divided into: numbers that people count in, hours and days."""

from datetime import datetime, timedelta

from smarthost.web.emails.statistics import Step

_MOST_TICKS = 4
_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
# Hours by which a day is divided evenly, then days.
_APART = {
    Step.HOUR: (1, 2, 3, 6, 12, 24, 48, 96),
    Step.DAY: (1, 2, 5, 10, 20, 50, 100),
}
_LONG = {Step.HOUR: timedelta(hours=1), Step.DAY: timedelta(days=1)}
_FIRST = datetime.fromisoformat("1970-01-01T00:00:00Z")


def ticks(most: int) -> list[int]:
    """Return whole numbers from 0 to `most` or beyond, at most five, 1, 2 or 5 times 10ⁿ apart."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            apart = digit * power
            count = -(-most // apart)
            if count <= _MOST_TICKS:
                return [apart * at for at in range(max(1, count) + 1)]
        power *= 10


def compact(count: int) -> str:
    """Return a tick in few characters, such as `500`, `2k` or `1.5M` (the prefixes of the SI)."""
    size = min((len(str(count)) - 1) // 3, len(_PREFIXES) - 1)
    return f"{count / 1_000**size:g}{_PREFIXES[size]}"


def every(points: int, step: Step, at_most: int) -> int:
    """Return how many hours or days apart labels stand, of which `at_most` are wanted."""
    return next((apart for apart in _APART[step] if points <= apart * at_most), _APART[step][-1])


def number_of(at: datetime, step: Step) -> int:
    """Return the hour's or day's number since 1970, by which labels keep to their moments."""
    return (at - _FIRST) // _LONG[step]
