"""Charts as inline SVG, drawn here and styled by the page's colours; every text is escaped on its way in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from automl.report.blocks import Chart, Interval, Score, Series
from automl.report.text import format_figure, format_score

_CHARACTER = 7.2  # width of a 12 px character of the page's font, in px, on the generous side


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """One element. Children that are not Markup and all attributes are escaped; `class_name` and `stroke_width`
    become `class` and `stroke-width`; None leaves an attribute out."""
    parts = [
        Markup(' {}="{}"').format(key.replace("class_name", "class").replace("_", "-"), _plain(value))
        for key, value in attributes.items()
        if value is not None
    ]
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, Markup("").join(parts), inside)


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round figures (1, 2, 2.5 or 5 times a power of ten) in [low, high], about `count` of them."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return []
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # no round figure between them that a float could hold
        return [low]
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1.0, 2.0, 2.5, 5.0) if factor * power >= raw * 0.999), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    places = min(300, max(0, 3 - math.floor(math.log10(step))))
    return [round(index * step, places) for index in range(first, last + 1)]


def format_tick(value: float, step: float) -> str:
    """A tick with as many digits as the step needs: 0.5, 0.55; 1,000; 2M."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M" if abs(value) < 1e9 else f"{value:.3g}"
    if value == 0:
        return "0"
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 2
    if places > 6:
        return f"{value:.3g}"
    # a step of 2.5 needs one digit more than its size says
    while places < 6 and abs(round(value, places) - value) > abs(step) * 1e-6:
        places += 1
    return f"{value:,.{places}f}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Axis:
    """From figures to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def draw_chart(chart: Chart, width: int, ident: str) -> Markup:
    """The chart at a width in px; `ident` must be unique in the page."""
    named = chart.kind == "bar" and all(isinstance(x, str) for series in chart.series for x in series.x)
    if not any(y is not None for series in chart.series for y in series.y):
        return Markup("")
    return _draw_bars(chart, width, ident) if named else _draw_plane(chart, width, ident)


def _frame(chart: Chart, width: int, height: float, ident: str, *children: Markup) -> Markup:
    described = f"{chart.y_label} by {chart.x_label}. {chart.caption} The figures are in the table below."
    return element(
        "svg",
        element("title", chart.title, id=f"{ident}-title"),
        element("desc", described, id=f"{ident}-desc"),
        *children,
        class_name="chart",
        role="img",
        viewBox=f"0 0 {width} {_plain(float(height))}",
        aria_labelledby=f"{ident}-title {ident}-desc",
    )


def _draw_bars(chart: Chart, width: int, ident: str) -> Markup:
    """Lying bars with names at the left and figures at the right."""
    series = chart.series[0]
    rows = [index for index, y in enumerate(series.y) if y is not None]
    left = min(max((len(str(series.x[index])) for index in rows), default=1) * _CHARACTER + 18, width * 0.34)
    ends = [series.y[index] for index in rows]
    ends += [end for end in (*series.low, *series.high) if end is not None]
    least, most = min(0.0, *ends), max(0.0, *ends)
    axis = _Axis(least, most if most > least else least + 1, left, width - 64.0)
    pitch = 26.0
    children = [_bar_row(series, index, axis, position * pitch + 4, left) for position, index in enumerate(rows)]
    zero = axis.at(0.0)
    baseline = element("line", class_name="axis", x1=zero, x2=zero, y1=0.0, y2=len(rows) * pitch + 4)
    return _frame(chart, width, len(rows) * pitch + 8, ident, *children, baseline)


def _bar_row(series: Series, index: int, axis: _Axis, top: float, left: float) -> Markup:
    name, value = str(series.x[index]), series.y[index]
    middle, start, end = top + 10, axis.at(min(0.0, value)), axis.at(max(0.0, value))
    tip, parts = end, []
    label = f"{name}: {format_figure(value)}"
    if series.low and series.high and series.low[index] is not None and series.high[index] is not None:
        low, high = axis.at(series.low[index]), axis.at(series.high[index])
        parts.append(element("path", class_name="whisker", d=_whisker(low, high, middle)))
        label += f" ({format_figure(series.low[index])} to {format_figure(series.high[index])})"
        tip = max(end, high)
    bar = element("rect", class_name="fill0", x=start, y=top, width=max(1.0, end - start), height=20.0, rx=3)
    shown = _shorten(name, int((left - 11) / _CHARACTER))
    return element(
        "g",
        element("title", label),
        element("text", shown, class_name="name", x=left - 10, y=middle + 4, text_anchor="end"),
        bar,
        *parts,
        element("text", format_figure(value, 3), class_name="figure", x=tip + 8, y=middle + 4),
    )


def _whisker(low: float, high: float, middle: float) -> str:
    return f"M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8"


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= max(3, limit) else text[: max(2, limit - 1)] + "…"


def _draw_plane(chart: Chart, width: int, ident: str) -> Markup:
    """Lines, steps, points and standing bars between two axes with round ticks."""
    height = 280.0 if width > 500 else 230.0
    xs = [float(x) for series in chart.series for x in series.x if x is not None]
    ys = [float(y) for series in chart.series for y in series.y if y is not None]
    x_low, x_high = min(xs), max(xs)
    y_low, y_high = chart.y_range or ((0.0, max(ys)) if chart.kind == "bar" else _padded(min(ys), max(ys)))
    if x_high <= x_low:
        x_high = x_low + 1
    if y_high <= y_low:
        y_high = y_low + 1
    y_ticks = nice_ticks(y_low, y_high, 4 if width <= 500 else 5)
    y_step = y_ticks[1] - y_ticks[0] if len(y_ticks) > 1 else 1.0
    labels = [format_tick(tick, y_step) for tick in y_ticks]
    left = max(len(label) for label in labels or [""]) * _CHARACTER + 14
    x_axis = _Axis(x_low, x_high, left, width - 14.0)
    y_axis = _Axis(y_low, y_high, height - 44.0, 12.0)
    clip = element(
        "clipPath",
        element("rect", x=left - 6, y=6, width=width - left - 2, height=height - 44),
        id=f"{ident}-clip",
    )
    grid = [
        *(_y_tick(y_axis.at(tick), label, left, width - 14.0) for tick, label in zip(y_ticks, labels, strict=True)),
        *_x_ticks(x_axis, height, width),
        element("text", chart.x_label, class_name="label", x=(left + width) / 2, y=height - 4, text_anchor="middle"),
    ]
    marks = [_draw_series(series, chart.kind, index, x_axis, y_axis) for index, series in enumerate(chart.series)]
    drawn = element("g", *reversed(marks), clip_path=f"url(#{ident}-clip)")  # the first series lies on top
    return _frame(chart, width, height, ident, clip, *grid, drawn)


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * 0.06 or abs(high) * 0.01 or 0.5
    return low - margin, high + margin


def _y_tick(y: float, label: str, left: float, right: float) -> Markup:
    line = element("line", class_name="grid", x1=left, x2=right, y1=y, y2=y)
    return line + element("text", label, class_name="tick", x=left - 8, y=y + 4, text_anchor="end")


def _x_ticks(axis: _Axis, height: float, width: int) -> list[Markup]:
    ticks = nice_ticks(axis.low, axis.high, 4 if width <= 500 else 7)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    return [
        element(
            "text",
            format_tick(tick, step),
            class_name="tick",
            x=min(axis.at(tick), width - 16.0),
            y=height - 26,
            text_anchor="middle",
        )
        for tick in ticks
    ]


def _draw_series(series: Series, kind: str, index: int, x_axis: _Axis, y_axis: _Axis) -> Markup:
    mark = series.mark or kind
    if mark == "bar":
        return _standing_bars(series, index, x_axis, y_axis)
    points = [
        (x_axis.at(float(x)), y_axis.at(float(y)), x, y)
        for x, y in zip(series.x, series.y, strict=False)
        if x is not None and y is not None
    ]
    if mark == "scatter":
        return element("g", *_dots(points, index, series.name, 3.5))
    shape = _path([(x, y) for x, y, _, _ in points], steps=mark == "step")
    if mark == "rule":
        return element("path", class_name="rule", d=shape)
    line = element("path", class_name=f"line line{index}", d=shape)
    return line + Markup("").join(_dots(points, index, series.name, 3.0)) if mark == "line" else line


def _dots(points: Iterable[tuple[float, float, object, object]], index: int, name: str, radius: float) -> list[Markup]:
    return [
        element(
            "circle",
            element("title", f"{name}: {format_figure(y)} at {format_figure(x)}"),
            class_name=f"dot{index}",
            cx=round(left, 1),
            cy=round(top, 1),
            r=radius,
        )
        for left, top, x, y in points
    ]


def _path(points: Sequence[tuple[float, float]], *, steps: bool) -> str:
    if not points:
        return ""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for x, y in points[1:]:
        path.append(f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}")
    return "".join(path)


def _standing_bars(series: Series, index: int, x_axis: _Axis, y_axis: _Axis) -> Markup:
    """Bars between edges: `x` has one figure more than `y`."""
    bars, floor = [], y_axis.at(max(0.0, y_axis.low))
    for position, y in enumerate(series.y):
        if y is None or position + 1 >= len(series.x):
            continue
        start, end = x_axis.at(float(series.x[position])), x_axis.at(float(series.x[position + 1]))
        top = y_axis.at(float(y))
        title = f"{format_figure(series.x[position])} to {format_figure(series.x[position + 1])}: {format_figure(y)}"
        bars.append(
            element(
                "rect",
                element("title", title),
                class_name=f"fill{index}",
                x=start + 0.75,
                y=top,
                width=max(0.5, end - start - 1.5),
                height=max(0.0, floor - top),
            )
        )
    return element("g", *bars)


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
    axis = _Axis(least - margin, most + margin, 2.0, width - 2.0)
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
        viewBox=f"0 0 {width} {_plain(height)}",
        aria_labelledby=f"{ident}-title",
    )


def _draw_marks(score: Score, axis: _Axis, width: int, middle: float) -> tuple[list[Markup], float]:
    """Baselines below the axis; one that would lie over its neighbour's name goes a line down."""
    drawn: list[Markup] = []
    taken: list[tuple[float, float, int]] = []
    for name, figure in sorted(score.marks, key=lambda mark: mark[1]):
        text = f"{name} {format_score(figure, score.decimals, like=score.value)}"
        x, half = axis.at(figure), len(text) * _CHARACTER / 2
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
    axis = _Axis(low, high, 4.0, 92.0)

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
