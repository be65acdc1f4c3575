"""What the charts draw, read as the XML that they are."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from smarthost.mail_queue.statistics.model import LONGER_SECONDS, STEPS_SECONDS
from smarthost.web.emails.statistics import DelayAnswer, PointAnswer, Step
from smarthost.web.pages.assets import Assets
from smarthost.web.pages.chart import (
    DelayWords,
    OutcomeWords,
    Row,
    delays_chart,
    outcomes_chart,
    rows,
)

LEVELS = (*STEPS_SECONDS, LONGER_SECONDS)
STEPS = {str(seconds): f"in {seconds}" for seconds in LEVELS}
OUTCOMES = OutcomeWords(
    title="What became of it",
    description="In numbers",
    sent="Sent",
    deferred="Deferred",
    failed="Failed",
    empty="No mail",
)
DELAYS = DelayWords(
    title="How long it took",
    description="By steps",
    median="Half",
    most="Most",
    empty="Nothing sent",
    steps=STEPS,
)
HOSTILE = """<script>alert(1)</script>"'&{0}"""
FIRST = datetime(2026, 11, 22, 0, tzinfo=UTC)


def point(
    at: int = 0,
    *,
    sent: int = 0,
    deferred: int = 0,
    failed: int = 0,
    delay: tuple[int, int] | None = None,
    step: Step = Step.HOUR,
) -> PointAnswer:
    return PointAnswer(
        at=FIRST + at * (timedelta(hours=1) if step is Step.HOUR else timedelta(days=1)),
        sent=sent,
        deferred=deferred,
        failed=failed,
        delay=DelayAnswer(p50_seconds=delay[0], p95_seconds=delay[1]) if delay else None,
    )


def drawn(points: list[PointAnswer], step: Step = Step.HOUR) -> tuple[Element, Element]:
    """Return both charts of them."""
    return (
        ET.fromstring(outcomes_chart(points, step, OUTCOMES)),
        ET.fromstring(delays_chart(points, step, DELAYS)),
    )


def group(chart: Element, **attribute: str) -> list[Element]:
    """Return what is in the group with this attribute (`class` as `kind`)."""
    ((name, value),) = attribute.items()
    (found,) = chart.findall(f".//g[@{'class' if name == 'kind' else name}='{value}']")
    return list(found)


def bars(chart: Element, name: str) -> dict[float, tuple[int, int]]:
    """Return where bars of a series begin and how high they are, by where on the time they are."""
    return {
        float(bar.attrib["x"].rstrip("%")): (int(bar.attrib["y"]), int(bar.attrib["height"]))
        for bar in group(chart, fill=f"url(#chart-{name})")
    }


def texts(chart: Element) -> str:
    return " ".join(" ".join(chart.itertext()).split())


def test_bars_stand_upon_each_other_and_add_up() -> None:
    chart, _ = drawn([point(sent=100, deferred=50, failed=20), point(1, sent=40), point(2)])
    ((at, (sent_y, sent)), (_, (_, later))) = bars(chart, "sent").items()
    ((deferred_y, deferred),) = bars(chart, "deferred").values()
    ((failed_y, failed),) = bars(chart, "failed").values()
    bottom = sent_y + sent
    assert [*bars(chart, "deferred")] == [*bars(chart, "failed")] == [at]
    assert (deferred_y + deferred, failed_y + failed) == (sent_y, deferred_y)
    # 200 is the highest tick, and 150 pixels are between it and 0.
    assert (sent, deferred, failed, later) == (75, 38, 15, 30)
    grid = [int(line.attrib["y1"]) for line in group(chart, kind="chart-grid")]
    assert grid == [bottom, bottom - 38, bottom - 75, bottom - 112, bottom - 150]
    names = [text.text for text in group(chart, kind="chart-levels")]
    assert names == ["0", "50", "100", "150", "200"]


def test_a_small_number_beside_a_large_one_is_seen() -> None:
    chart, _ = drawn([point(sent=1_000_000, failed=1)])
    ((_, height),) = bars(chart, "failed").values()
    assert height == 2


def test_the_legend_has_the_sums() -> None:
    chart, _ = drawn([point(sent=1_000, failed=1), point(1, sent=234)])
    legend = [texts(item) for item in chart.iter("li")]
    assert legend == ["Sent 1,234", "Deferred 0", "Failed 1"]


def test_a_delay_is_a_line_between_its_two_marks() -> None:
    _, chart = drawn([point(sent=1, delay=(1, 3_600)), point(1), point(2, delay=(30, 30))])
    spans = [(line.attrib["y1"], line.attrib["y2"]) for line in group(chart, kind="chart-span")]
    medians = [mark.attrib["cy"] for mark in group(chart, kind="chart-median")]
    most = [int(mark.attrib["y"]) + 1 for mark in group(chart, kind="chart-most")]
    assert spans == [(medians[0], str(most[0])), (medians[1], str(most[1]))]
    assert len(medians) == 2
    grid = [line.attrib["y1"] for line in group(chart, kind="chart-grid")]
    assert (medians[0], str(most[0])) == (grid[0], grid[LEVELS.index(3_600)])
    assert medians[1] == str(most[1]) == grid[LEVELS.index(30)]
    assert [text.text for text in group(chart, kind="chart-levels")] == list(STEPS.values())


@pytest.mark.parametrize("points", [[], [point(at) for at in range(24)]])
def test_without_mail_there_are_words_in_place_of_bars(points: list[PointAnswer]) -> None:
    outcomes, delays = drawn(points)
    assert "No mail" in texts(outcomes)
    assert "Nothing sent" in texts(delays)
    assert not outcomes.findall(".//g[@fill]")
    assert not delays.findall(".//g[@class='chart-median']")


def test_one_point_is_drawn_no_wider_than_a_bar() -> None:
    outcomes, _ = drawn([point(sent=1)])
    (bar,) = group(outcomes, fill="url(#chart-sent)")
    assert (bar.attrib["x"], bar.attrib["width"]) == ("47%", "6%")
    assert "No mail" not in texts(outcomes)


def test_huge_numbers_have_room() -> None:
    outcomes, _ = drawn([point(sent=2**62, deferred=2**62, failed=2**62)])
    height = sum(bars(outcomes, name)[47.0][1] for name in ("sent", "deferred", "failed"))
    assert 100 <= height <= 152
    assert all(len(str(text.text)) <= 5 for text in group(outcomes, kind="chart-levels"))


def test_what_is_put_in_is_escaped() -> None:
    outcome_words = OutcomeWords(**dict.fromkeys(OUTCOMES.__struct_fields__, HOSTILE))
    names = [name for name in DELAYS.__struct_fields__ if name != "steps"]
    steps = dict.fromkeys(STEPS, HOSTILE)
    delay_words = DelayWords(steps=steps, **dict.fromkeys(names, HOSTILE))
    for chart in (
        outcomes_chart([point()], Step.HOUR, outcome_words),
        delays_chart([point()], Step.HOUR, delay_words),
    ):
        tree = ET.fromstring(chart)
        assert not list(tree.iter("script"))
        assert HOSTILE in texts(tree)
        assert "<script" not in chart


def test_hours_say_which_moment_they_are_and_days_are_those_of_utc() -> None:
    for step, shows, labels in (
        (Step.HOUR, "time", {"00:00": "T00", "06:00": "T06", "12:00": "T12", "18:00": "T18"}),
        (Step.DAY, "day", dict.fromkeys(["11-23", "11-28", "12-03", "12-08", "12-13", "12-18"])),
    ):
        points = [point(at, step=step) for at in range(24 if step is Step.HOUR else 30)]
        for chart in drawn(points, step):
            (when,) = chart.findall(".//g[@class='chart-whens']")
            assert when.attrib["data-shows"] == shows
            assert [text.text for text in when] == list(labels)
            assert [text.get("data-time") for text in when] == [
                hour and f"2026-11-22{hour}:00:00Z" for hour in labels.values()
            ]


def test_hours_of_a_week_are_labelled_with_their_days() -> None:
    outcomes, _ = drawn([point(at) for at in range(168)])
    (when,) = outcomes.findall(".//g[@class='chart-whens']")
    assert when.attrib["data-shows"] == "day"
    assert [text.text for text in when] == ["11-23", "11-25", "11-27"]
    assert when[0].attrib["data-time"] == "2026-11-23T00:00:00Z"


def test_a_chart_is_an_image_with_a_name_and_a_description() -> None:
    told = [
        (OUTCOMES.title, OUTCOMES.description), (DELAYS.title, DELAYS.description),
    ]  # fmt: skip
    for chart, (title, description) in zip(drawn([point(sent=1)]), told, strict=True):
        (image,) = chart.findall("svg[@role='img']")
        by_id = {one.attrib["id"]: one for one in chart.iter() if "id" in one.attrib}
        assert by_id[image.attrib["aria-labelledby"]].text == title
        assert by_id[image.attrib["aria-describedby"]].text == description


def test_nothing_is_in_it_that_the_policy_of_the_pages_forbids() -> None:
    points = [point(at, sent=at, deferred=1, failed=1, delay=(1, 5)) for at in range(31)]
    for chart in drawn(points):
        for element in chart.iter():
            assert element.tag not in ("script", "style", "image", "use", "foreignObject", "a")
            for name, value in element.attrib.items():
                assert name != "style"
                assert not name.startswith("on")
                assert "data:" not in value


def test_every_class_is_in_the_style_sheet() -> None:
    sheet = Assets.load().path("chart.css").rsplit("/", 2)
    asset = Assets.load().find(*sheet[1:])
    assert asset is not None
    styled = set(re.findall(rb"\.(chart[a-z-]*)", asset.content))
    used = {
        name.encode()
        for chart in drawn([point(sent=1, delay=(1, 1)), point(1)])
        for element in chart.iter()
        for name in element.get("class", "").split()
    }
    assert used - styled <= {b"chart-levels"}
    assert styled - used <= {b"chart-empty"}


@pytest.mark.parametrize(("count", "step"), [(24, Step.HOUR), (31, Step.DAY)])
def test_a_chart_is_small(count: int, step: Step) -> None:
    points = [
        point(at, sent=99_999, deferred=9_999, failed=999, delay=(120, 86_400), step=step)
        for at in range(count)
    ]
    for chart in (outcomes_chart(points, step, OUTCOMES), delays_chart(points, step, DELAYS)):
        assert len(chart) <= 7_000


def test_the_table_has_the_same_numbers() -> None:
    points = [point(sent=3, deferred=2, failed=1, delay=(1, 30)), point(1)]
    assert rows(points, STEPS) == [
        Row(at="2026-11-22T00:00:00Z", sent=3, deferred=2, failed=1, median="in 1", most="in 30"),
        Row(at="2026-11-22T01:00:00Z", sent=0, deferred=0, failed=0, median=None, most=None),
    ]
