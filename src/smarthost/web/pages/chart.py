"""Draws what became of a portal's mail: SVG beside its legend, and the same numbers as rows.

Places along the time are shares of the width and all else is pixels, so that a chart is as wide as
there is room and its words are as large on a phone as on a desk. What is told by colour is told by
form as well. Colours and sizes of words are the style sheet's; words come from the caller, moments
are UTC's, and the page's script may put those that have `data-time` into the reader's zone. All
functions are pure, and what is put in is escaped.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from markupsafe import Markup

from smarthost.mail_queue.statistics.model import LONGER_SECONDS, STEPS_SECONDS
from smarthost.web.emails.statistics import PointAnswer, Step
from smarthost.web.pages.axis import compact, every, number_of, ticks

_HEIGHT = 150
"""Pixels from the lowest place to the highest, on both charts."""
_TOP = 12
"""Pixels above that: half a line of words, and what small numbers are drawn larger."""
_WHEN = _TOP + _HEIGHT + 18
"""Where the words below the chart stand."""
_LEAST = 2
"""Pixels of a number that is not 0, however small beside the others."""
_LEVELS = (*STEPS_SECONDS, LONGER_SECONDS)
_MOST_LABELS = 6
_MARGIN = 52
"""Pixels beside the chart, which the style sheet leaves for the names of the levels."""
_WIDEST = 6
"""Percent of the width for what stands for one point, however few there are."""
_RADIUS = 3.5
_CROWDED = 60
"""So many circles have room beside each other on a phone."""


class OutcomeWords(msgspec.Struct, frozen=True, kw_only=True):
    """What the chart of outcomes says."""

    title: str
    description: str
    """For who does not see it: the numbers as a whole."""
    sent: str
    deferred: str
    failed: str
    empty: str
    """In place of bars where there are none."""


class DelayWords(msgspec.Struct, frozen=True, kw_only=True):
    """What the chart of delays says."""

    title: str
    description: str
    median: str
    most: str
    """95 of 100."""
    empty: str
    steps: Mapping[str, str]
    """What each step is called, by its seconds: `STEPS_SECONDS`, and `LONGER_SECONDS`."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A point as the row of a table."""

    at: str
    """ISO 8601, UTC."""
    sent: int
    deferred: int
    failed: int
    median: str | None
    """Within which step half of them were sent; None where nothing was."""
    most: str | None
    """Likewise 95 of 100."""


def outcomes_chart(points: Sequence[PointAnswer], step: Step, words: OutcomeWords) -> Markup:
    """Return bars of what was sent, deferred and failed, one upon the other, as a figure.

    One of it has room on a page, by its ids; so it is with the other chart.
    """
    series = {
        "sent": (words.sent, [point.sent for point in points]),
        "deferred": (words.deferred, [point.deferred for point in points]),
        "failed": (words.failed, [point.failed for point in points]),
    }
    most = max((point.sent + point.deferred + point.failed for point in points), default=0)
    scale = ticks(most)
    heights = {
        name: [_height(count, scale[-1]) for count in counts]
        for name, (_, counts) in series.items()
    }
    plot = _grid([round(tick * _HEIGHT / scale[-1]) for tick in scale])
    plot += _bars(heights) if most else _empty(words.empty)
    legend = [
        (_KEY.format(name=name), Markup("{} <b>{}</b>").format(word, f"{sum(counts):,}"))
        for name, (word, counts) in series.items()
    ]
    marks = _level_names((round(tick * _HEIGHT / scale[-1]), compact(tick)) for tick in scale)
    return _figure("outcomes", words, _PATTERNS + marks, plot, legend, _whens(points, step))


def delays_chart(points: Sequence[PointAnswer], step: Step, words: DelayWords) -> Markup:
    """Return how long half of what was sent took, and how long 95 of 100, as a figure.

    The scale is that of the steps, which are about as far apart as a logarithm has them.
    """
    places = [round(at * _HEIGHT / (len(_LEVELS) - 1)) for at in range(len(_LEVELS))]
    plot = _grid(places)
    if any(point.delay for point in points):
        plot += _spans(points, dict(zip(_LEVELS, places, strict=True)))
    else:
        plot += _empty(words.empty)
    legend = [
        (_KEY_OF_MEDIAN, Markup("{}").format(words.median)),
        (_KEY_OF_MOST, Markup("{}").format(words.most)),
    ]
    names = [words.steps[str(level)] for level in _LEVELS]
    marks = _level_names(zip(places, names, strict=True))
    return _figure("delays", words, marks, plot, legend, _whens(points, step))


def rows(points: Iterable[PointAnswer], steps: Mapping[str, str]) -> list[Row]:
    """Return the numbers of both charts; `steps` are those of `DelayWords`."""
    return [
        Row(
            at=_iso(point.at),
            sent=point.sent,
            deferred=point.deferred,
            failed=point.failed,
            median=steps[str(point.delay.p50_seconds)] if point.delay else None,
            most=steps[str(point.delay.p95_seconds)] if point.delay else None,
        )
        for point in points
    ]


_FIGURE = Markup(
    '<figure class="chart" id="chart-{name}">'
    '<figcaption id="chart-{name}-title">{title}</figcaption>'
    '<svg role="img" width="100%" height="{height}"'
    ' aria-labelledby="chart-{name}-title" aria-describedby="chart-{name}-text">'
    '<desc id="chart-{name}-text">{text}</desc>{marks}{plot}{whens}</svg>'
    '<ul class="chart-legend">{legend}</ul></figure>'
)
_PATTERN = Markup(
    '<pattern id="chart-{name}" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="chart-{name}-ground" width="6" height="6"/>{lines}</pattern>'
)
_PATTERNS = Markup("<defs>{}{}{}</defs>").format(
    _PATTERN.format(name="sent", lines=""),
    _PATTERN.format(
        name="deferred",
        lines=Markup('<path class="chart-deferred-lines" d="M-1 1l2-2M0 6l6-6M5 7l2-2"/>'),
    ),
    _PATTERN.format(
        name="failed", lines=Markup('<path class="chart-failed-lines" d="M0 0l6 6M0 6l6-6"/>')
    ),
)
_KEY = Markup('<rect width="14" height="14" fill="url(#chart-{name})"/>')
_KEY_OF_MEDIAN = Markup('<circle class="chart-median" cx="7" cy="7" r="3.5"/>')
_KEY_OF_MOST = Markup('<rect class="chart-most" y="5" width="14" height="3"/>')
_LEGEND = Markup('<li><svg aria-hidden="true" width="14" height="14">{key}</svg> {text}</li>')


def _figure(
    name: str,
    words: OutcomeWords | DelayWords,
    marks: Markup,
    plot: Markup,
    legend: Iterable[tuple[Markup, Markup]],
    whens: Markup,
) -> Markup:
    return _FIGURE.format(
        name=name,
        height=_WHEN + 6,
        title=words.title,
        text=words.description,
        marks=marks,
        plot=plot,
        whens=whens,
        legend=_joined(_LEGEND.format(key=key, text=text) for key, text in legend),
    )


def _bars(heights: Mapping[str, Sequence[int]]) -> Markup:
    """Return the bars, series by series, since one of a kind look alike."""
    bar = Markup('<rect x="{}%" width="{}%" y="{}" height="{}"/>')
    drawn = Markup("")
    below = [0] * len(heights["sent"])
    for name, series in heights.items():
        tops = [start + height for start, height in zip(below, series, strict=True)]
        bars = _joined(
            bar.format(*_place(at, len(below)), _y(tops[at]), height)
            for at, height in enumerate(series)
            if height
        )
        drawn += Markup('<g fill="url(#chart-{})">{}</g>').format(name, bars)
        below = tops
    return drawn


def _spans(points: Sequence[PointAnswer], places: Mapping[int, int]) -> Markup:
    """Return for each point a line from the median to what 95 of 100 took, and a mark for each."""
    count = len(points)
    found = [
        (at, _y(places[point.delay.p50_seconds]), _y(places[point.delay.p95_seconds]))
        for at, point in enumerate(points)
        if point.delay
    ]
    line = Markup('<line x1="{0}%" y1="{1}" x2="{0}%" y2="{2}"/>')
    dash = Markup('<rect x="{}%" width="{}%" y="{}" height="3"/>')
    circle = Markup('<circle cx="{}%" cy="{}" r="{}"/>')
    middle = [_middle(at, count) for at in range(count)]
    radius = _RADIUS if count <= _CROWDED else _RADIUS / 2
    return Markup(
        '<g class="chart-span">{}</g><g class="chart-most">{}</g><g class="chart-median">{}</g>'
    ).format(
        _joined(line.format(middle[at], median, most) for at, median, most in found),
        _joined(dash.format(*_place(at, count), most - 1) for at, _, most in found),
        _joined(circle.format(middle[at], median, radius) for at, median, _ in found),
    )


def _grid(places: Iterable[int]) -> Markup:
    line = Markup('<line x2="100%" y1="{0}" y2="{0}"/>')
    return Markup('<g class="chart-grid">{}</g>').format(
        _joined(line.format(_y(place)) for place in places)
    )


def _level_names(names: Iterable[tuple[int, str]]) -> Markup:
    text = Markup('<text x="-{}" y="{}">{}</text>')
    return Markup('<g class="chart-levels">{}</g>').format(
        _joined(text.format(_MARGIN, _y(place) + 4, name) for place, name in names)
    )


def _empty(word: str) -> Markup:
    return Markup('<text class="chart-empty" x="50%" y="{}">{}</text>').format(
        _TOP + _HEIGHT // 2, word
    )


def _whens(points: Sequence[PointAnswer], step: Step) -> Markup:
    """Return the moments below the chart.

    A day of UTC is no day of the reader's, so that only hours say which moment they are.
    """
    apart = every(len(points), step, _MOST_LABELS)
    of_hours = step is Step.HOUR and apart < timedelta(days=1) // timedelta(hours=1)
    label = Markup('<text x="{}%" y="{}"{}>{}</text>')
    labels = _joined(
        label.format(
            _middle(at, len(points)),
            _WHEN,
            Markup(' data-time="{}"').format(_iso(point.at)) if step is Step.HOUR else "",
            point.at.strftime("%H:%M" if of_hours else "%m-%d"),
        )
        for at, point in enumerate(points)
        if number_of(point.at, step) % apart == 0
    )
    shows = "time" if of_hours else "day"
    return Markup('<g class="chart-whens" data-shows="{}">{}</g>').format(shows, labels)


def _height(count: int, top: int) -> int:
    return max(_LEAST, round(count * _HEIGHT / top)) if count else 0


def _y(place: int) -> int:
    """Return where so many pixels above the lowest place are."""
    return _TOP + _HEIGHT - place


def _middle(at: int, count: int) -> str:
    return _share((at + 0.5) * 100 / count)


def _place(at: int, count: int) -> tuple[str, str]:
    """Return where what stands for one of so many points begins, and how wide it is."""
    width = min(80 / count, _WIDEST)
    return _share((at + 0.5) * 100 / count - width / 2), _share(width)


def _share(percent: float) -> str:
    return f"{percent:.2f}".rstrip("0").rstrip(".")


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _joined(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
