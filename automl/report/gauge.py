"""Scores and intervals on a line, and histograms the size of a word, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from automl.report.blocks import Interval, Score
from automl.report.svg import CHARACTER, Axis, element, plain
from automl.report.text import format_score


def draw_score(score: Score, width: int, ident: str) -> Markup:
    """The interval on an axis with a tick and a name for each baseline."""
    if score.value is None:
        return Markup("")
    ends = [score.value, *(end for end in (score.low, score.high) if end is not None)]
    ends += [figure for _, figure in score.marks]
    least, most = min(ends), max(ends)
    if most <= least:
        return Markup("")
    margin = 0.08 * (most - least)
    axis = Axis(least - margin, most + margin, 2.0, width - 2.0)
    middle = 16.0
    children = [element("line", class_name="track", x1=2.0, x2=width - 2.0, y1=middle, y2=middle)]
    if score.low is not None and score.high is not None:
        low, high = axis.at(score.low), axis.at(score.high)
        children.append(
            element("rect", class_name="interval", x=low, y=middle - 6, width=max(4.0, high - low), height=12.0, rx=6)
        )
    marks, height = _draw_marks(score, axis, width, middle)
    dot = element("circle", class_name="point", cx=axis.at(score.value), cy=middle, r=7.0)
    better = "better →" if score.maximize else "← better"
    children += [*marks, dot]
    children.append(
        element(
            "text",
            better,
            class_name="tick",
            x=width - 2.0 if score.maximize else 2.0,
            y=height - 4,
            text_anchor="end" if score.maximize else "start",
        )
    )
    title = f"{score.label} {format_score(score.value, score.decimals)} beside the baselines"
    return element(
        "svg",
        element("title", title, id=f"{ident}-title"),
        *children,
        class_name=f"gauge tone-{score.tone}",
        role="img",
        viewBox=f"0 0 {width} {plain(height)}",
        aria_labelledby=f"{ident}-title",
    )


def _draw_marks(score: Score, axis: Axis, width: int, middle: float) -> tuple[list[Markup], float]:
    """Baselines below the axis; one that would lie over its neighbour's name goes a line down."""
    drawn: list[Markup] = []
    taken: list[tuple[float, float, int]] = []
    for name, figure in sorted(score.marks, key=lambda mark: mark[1]):
        text = f"{name} {format_score(figure, score.decimals, like=score.value)}"
        x, half = axis.at(figure), len(text) * CHARACTER / 2
        centre = min(max(x, half + 2), width - half - 2)
        row = 0
        while any(row == other and centre - half < end and centre + half > start for start, end, other in taken):
            row += 1
        taken.append((centre - half - 8, centre + half + 8, row))
        foot = middle + 16 + 18 * row
        drawn.append(element("line", class_name="mark", x1=x, x2=x, y1=middle - 9, y2=foot))
        drawn.append(element("text", text, class_name="tick", x=centre, y=foot + 13, text_anchor="middle"))
    rows = 1 + max((row for _, _, row in taken), default=0)
    return drawn, middle + 16 + 18 * rows + 20


def draw_spark(values: Sequence[float]) -> Markup:
    """A histogram the size of a word."""
    heights = [value for value in values if value is not None]
    if not heights or max(heights) <= 0:
        return Markup("")
    room, most = 72.0 / len(heights), max(heights)
    bars = [
        element(
            "rect",
            x=index * room,
            y=20 - 20 * max(0.0, value) / most,
            width=max(1.0, room - 1),
            height=20 * max(0.0, value) / most,
        )
        for index, value in enumerate(heights)
    ]
    return element("svg", *bars, class_name="spark", viewBox="0 0 72 20", aria_hidden="true")


def draw_interval(cell: Interval, low: float, high: float) -> Markup:
    """A point with its interval on a scale from `low` to `high`; what lies outside stands at the edge."""
    if high <= low:
        return Markup("")
    axis = Axis(low, high, 4.0, 92.0)

    def place(value: float) -> float:
        return min(94.0, max(2.0, axis.at(value)))

    children = [element("line", class_name="track", x1=2, x2=94, y1=8, y2=8)]
    if cell.low is not None and cell.high is not None:
        start, end = place(cell.low), place(cell.high)
        children.append(
            element("rect", class_name="interval", x=start, y=5, width=max(2.0, end - start), height=6, rx=3)
        )
    children.append(element("circle", class_name="point", cx=place(cell.value), cy=8, r=3.5))
    return element("svg", *children, class_name="range", viewBox="0 0 96 16", aria_hidden="true")
