"""Charts: round ticks, everything inside the frame, texts escaped."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import hypothesis
import hypothesis.strategies as st
import pytest

from automl.report.blocks import Chart, Interval, Score, Series, Span, Timeline
from automl.report.charts import draw_chart
from automl.report.gauge import draw_interval, draw_score, draw_spark
from automl.report.svg import CHARACTER, Axis, format_tick, log_ticks, nice_ticks
from automl.report.timeline import draw_timeline, list_groups


def test_ticks_are_round() -> None:
    assert nice_ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert nice_ticks(0.81, 0.86) == [0.81, 0.82, 0.83, 0.84, 0.85, 0.86]
    assert nice_ticks(-3, 47) == [0, 10, 20, 30, 40]
    assert nice_ticks(5, 5) == [5]


def test_ticks_have_the_digits_of_their_step() -> None:
    assert [format_tick(tick, 0.25) for tick in (0, 0.25, 0.5)] == ["0", "0.25", "0.5"]
    assert [format_tick(tick, 500) for tick in (500, 1000, 2_500_000)] == ["500", "1,000", "2.5M"]


@hypothesis.given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_lie_within_the_range_and_are_few(low: float, span: float) -> None:
    high = low + span
    hypothesis.assume(high > low)
    ticks = nice_ticks(low, high)
    assert len(ticks) <= 7
    assert all(low - 1e-6 * span - 1e-9 <= tick <= high + 1e-6 * span + 1e-9 for tick in ticks)


@pytest.mark.parametrize("kind", ["line", "step", "scatter"])
@pytest.mark.parametrize("width", [360, 720])
def test_points_lie_inside_the_frame(kind: str, width: int) -> None:
    series = Series(name="s", x=(0.0, 5.0, 10.0), y=(0.1, 0.9, 0.4), mark="scatter")
    chart = Chart(kind=kind, title="T", x_label="x", y_label="y", series=(series,))  # type: ignore[arg-type]
    root = ElementTree.fromstring(draw_chart(chart, width, "c"))
    _, _, right, bottom = map(float, root.attrib["viewBox"].split())
    dots = root.findall(".//circle")
    assert len(dots) == 3
    assert all(0 < float(dot.attrib["cx"]) < right and 0 < float(dot.attrib["cy"]) < bottom for dot in dots)
    # a larger figure stands higher
    assert float(dots[1].attrib["cy"]) < float(dots[2].attrib["cy"]) < float(dots[0].attrib["cy"])


def test_bars_are_as_long_as_their_figures() -> None:
    series = Series(name="s", x=("a", "b"), y=(4.0, 1.0))
    chart = Chart(kind="bar", title="T", x_label="x", y_label="y", series=(series,))
    widths = [
        float(width) for width in re.findall(r'class="fill0"[^>]* width="([0-9.]+)"', draw_chart(chart, 720, "c"))
    ]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)


def test_histogram_bars_stand_side_by_side() -> None:
    series = Series(name="rows", x=(0.0, 1.0, 3.0), y=(10, 5))
    chart = Chart(kind="bar", title="T", x_label="x", y_label="rows", series=(series,))
    root = ElementTree.fromstring(draw_chart(chart, 720, "c"))
    first, second = [rect for rect in root.iter("rect") if rect.attrib.get("class") == "fill0"]
    assert float(second.attrib["width"]) == pytest.approx(2 * float(first.attrib["width"]) + 1.5, abs=0.1)
    assert float(first.attrib["height"]) == pytest.approx(2 * float(second.attrib["height"]), abs=0.1)


def test_names_in_a_chart_are_text() -> None:
    series = Series(name="s", x=("<script>alert(1)</script>", 'a" onload="x'), y=(2.0, 1.0))
    chart = Chart(kind="bar", title="<b>", x_label='"', y_label="'", series=(series,))
    drawn = draw_chart(chart, 720, "c")
    assert "<script" not in drawn
    ElementTree.fromstring(drawn)


@pytest.mark.parametrize("y", [(), (0.0,), (0.0, 0.0), (-1.0, -2.0), (1e300, 1e-300)])
def test_odd_figures_draw_without_an_error(y: tuple[float, ...]) -> None:
    for kind, x in (("bar", tuple("ab"[: len(y)])), ("line", tuple(range(len(y)))), ("bar", tuple(range(len(y) + 1)))):
        chart = Chart(kind=kind, title="T", x_label="x", y_label="y", series=(Series(name="s", x=x, y=y),))  # type: ignore[arg-type]
        drawn = draw_chart(chart, 360, "c")
        assert "nan" not in drawn
        assert "inf" not in drawn


def test_baseline_names_do_not_lie_over_each_other() -> None:
    score = Score(label="AUC", value=0.83, marks=(("constant guess", 0.5), ("linear model", 0.82), ("tree", 0.821)))
    root = ElementTree.fromstring(draw_score(score, 640, "c"))
    places = {text.text: (text.attrib["x"], text.attrib["y"]) for text in root.iter("text")}
    assert places["linear model 0.8200"][1] != places["tree 0.8210"][1]


def test_a_lower_score_is_better_at_the_left() -> None:
    score = Score(label="RMSE", value=3.0, low=2.5, high=3.5, maximize=False, marks=(("linear model", 5.0),))
    assert "← better" in draw_score(score, 640, "c")


def test_small_drawings_are_well_formed() -> None:
    ElementTree.fromstring(draw_spark((1.0, 5.0, 2.0)))
    ElementTree.fromstring(draw_interval(Interval(value=0.5, low=0.4, high=0.6), 0.0, 1.0))
    assert draw_spark(()) == ""


def test_dots_with_names_need_not_begin_at_zero() -> None:
    def places(mark: str) -> list[float]:
        series = Series(name="best", x=("a", "b"), y=(0.90, 0.93), mark=mark)  # type: ignore[arg-type]
        chart = Chart(kind="bar", title="T", x_label="x", y_label="y", series=(series,))
        root = ElementTree.fromstring(draw_chart(chart, 250, "c"))
        dots = [float(node.attrib["cx"]) for node in root.iter("circle")]
        return dots or [float(node.attrib["x"]) + float(node.attrib["width"]) for node in root.iter("rect")]

    bars, dots = places(""), places("scatter")
    assert bars[1] - bars[0] < 10
    assert dots[1] - dots[0] > 60


def test_dates_under_a_small_chart_are_not_written_over_each_other() -> None:
    """Two years, in days since the epoch: short enough for whole dates, too narrow for all of them."""
    days = tuple(86_400.0 * day for day in (15_000, 15_365, 15_730))
    series = Series(name="rows", x=days, y=(1.0, 2.0, 3.0))
    chart = Chart(kind="bar", title="T", x_label="x", y_label="y", series=(series,), x_scale="date")
    root = ElementTree.fromstring(draw_chart(chart, 280, "c"))
    texts = [
        (float(node.attrib["x"]), node.text or "") for node in root.iter("text") if (node.text or "").count("-") == 2
    ]
    assert len(texts) >= 2
    for (left, before), (right, after) in itertools.pairwise(sorted(texts)):
        assert right - left >= (len(before) + len(after)) / 2 * CHARACTER


def test_a_logarithmic_axis_has_powers_of_ten_at_equal_distances() -> None:
    axis = Axis(0.01, 100.0, 0.0, 400.0, log=True)
    assert [round(axis.at(tick)) for tick in (0.01, 0.1, 1.0, 10.0, 100.0)] == [0, 100, 200, 300, 400]
    assert log_ticks(0.01, 100.0) == [0.01, 0.1, 1.0, 10.0, 100.0]
    assert log_ticks(0.9, 5.5) == [1.0, 2.0, 5.0]


def test_cells_are_squares_as_strong_as_their_weight() -> None:
    series = Series(name="rows", x=(1.0, 2.0), y=(1.0, 2.0), weights=(100.0, 25.0), mark="cells")
    chart = Chart(kind="scatter", title="T", x_label="x", y_label="y", series=(series,), square=True)
    root = ElementTree.fromstring(draw_chart(chart, 400, "c"))
    strength = [float(node.attrib["fill-opacity"]) for node in root.iter("rect") if "fill-opacity" in node.attrib]
    assert strength == [1.0, 0.56]  # 0.12 + 0.88 * sqrt(25 / 100)


def test_a_timeline_has_a_bar_for_each_job_in_its_lane() -> None:
    spans = (
        Span(lane=0, start=0.0, end=2.0, group="linear", label="linear #1"),
        Span(lane=1, start=1.0, end=5.0, group="xgboost", label="xgboost #2"),
    )
    block = Timeline(title="T", lanes=("worker 0", "worker 1"), spans=spans)
    assert list_groups(block) == ["xgboost", "linear"]
    root = ElementTree.fromstring(draw_timeline(block, 720, "t"))
    first, second = list(root.iter("rect"))
    assert [node.attrib["class"] for node in (first, second)] == ["fill1", "fill0"]
    assert float(second.attrib["y"]) - float(first.attrib["y"]) == 26
    assert 1.9 < float(second.attrib["width"]) / float(first.attrib["width"]) < 2.1
    assert first.find("title").text == "linear #1: 2.0 s"  # type: ignore[union-attr]


def test_bars_of_two_series_stand_beside_each_other_even_in_a_small_chart() -> None:
    names = tuple(f"{low} to {low + 1}" for low in range(10))
    then = Series(name="then", x=names, y=tuple(map(float, range(10))))
    now = Series(name="now", x=names, y=tuple(map(float, range(9, -1, -1))))
    chart = Chart(kind="bar", title="T", x_label="x", y_label="y", series=(then, now))
    drawn = str(draw_chart(chart, 250, "c"))
    assert (drawn.count('class="fill0"'), drawn.count('class="fill1"')) == (10, 10)
    assert drawn.count('class="name"') == 10
    tops = [float(top) for top in re.findall(r'<rect class="fill[01]"[^>]* y="([0-9.]+)"', drawn)]
    heights = [float(height) for height in re.findall(r'<rect class="fill[01]"[^>]* height="([0-9.]+)"', drawn)]
    assert all(top + height <= after for top, height, after in zip(tops, heights, tops[1:], strict=False))


def test_ticks_of_large_figures_differ() -> None:
    for low, step in ((1.700e9, 2e6), (1_000_000.0, 1.0), (1_000_000.0, 500_000.0)):
        texts = [format_tick(low + at * step, step) for at in range(4)]
        assert len(set(texts)) == 4, texts


def test_cells_in_one_column_are_as_wide_as_their_rows_are_apart() -> None:
    series = Series(name="s", x=(5e4,) * 3, y=(0.0, 5e4, 1e5), mark="cells", weights=(1.0, 2.0, 3.0))
    chart = Chart(kind="scatter", title="T", x_label="x", y_label="y", series=(series,), square=True)
    found = re.findall(r'<rect class="fill0"[^>]* width="([0-9.]+)"', draw_chart(chart, 400, "c"))
    widths = list(map(float, found))
    assert len(widths) == 3 and all(20 < width < 400 for width in widths)
