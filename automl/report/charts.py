"""Charts as inline SVG, styled by the page's colours: lying bars, and planes of lines, points, areas and bars."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from automl.report.blocks import Chart, Series
from automl.report.svg import CHARACTER, Axis, element, format_tick, log_ticks, nice_ticks, plain, shorten
from automl.report.text import format_date, format_figure

COLORS = 8
SQUARE = 400
SMALL = 300  # narrower than this a chart is one of many: fewer ticks, no axis titles
LEVELS = 6


def draw_chart(chart: Chart, width: int, ident: str) -> Markup:
    """The chart at a width in px; `ident` must be unique in the page."""
    if not any(y is not None for series in chart.series for y in series.y):
        return Markup("")
    return _draw_bars(chart, width, ident) if has_names(chart) else _draw_plane(chart, width, ident)


def has_names(chart: Chart) -> bool:
    """Whether it is of lying bars with names."""
    return chart.kind == "bar" and all(isinstance(x, str) for series in chart.series for x in series.x)


def format_x(value: Any, chart: Chart) -> str:
    """A figure of the x axis as text."""
    is_date = chart.x_scale == "date" and isinstance(value, int | float)
    return format_date(value) if is_date else format_figure(value)


def _frame(chart: Chart, width: int, height: float, ident: str, *children: Markup) -> Markup:
    described = f"{chart.y_label} by {chart.x_label}. {chart.caption} The figures are in the table below."
    return element(
        "svg",
        element("title", chart.title, id=f"{ident}-title"),
        element("desc", described, id=f"{ident}-desc"),
        *children,
        class_name="chart",
        role="img",
        viewBox=f"0 0 {width} {plain(float(height))}",
        aria_labelledby=f"{ident}-title {ident}-desc",
    )


def _draw_bars(chart: Chart, width: int, ident: str) -> Markup:
    """Lying bars with names at the left and figures at the right; those of several series beside each other."""
    first, many, small = chart.series[0], len(chart.series), width < SMALL
    rows = [index for index, _ in enumerate(first.x) if any(series.y[index] is not None for series in chart.series)]
    rows = rows[: LEVELS if small and many == 1 else None]
    share = 0.46 if small else 0.34
    left = min(max((len(str(first.x[index])) for index in rows), default=1) * CHARACTER + 18, width * share)
    ends = [end for series in chart.series for index in rows if (end := series.y[index]) is not None]
    ends += [end for series in chart.series for end in (*series.low, *series.high) if end is not None]
    dots = first.mark == "scatter"  # a dot, unlike a bar, need not begin at zero
    least, most = _padded(min(ends), max(ends)) if dots else (min(0.0, *ends), max(0.0, *ends))
    axis = Axis(least, most if most > least else least + 1, left, width - (52.0 if small else 64.0))
    pitch, gap = (20.0 if small else 26.0) - (4.0 if many > 1 else 0.0), 6.0 if many > 1 else 0.0
    drawn = [
        _bar_row(series, index, axis, (place * many + at) * pitch + gap * place + 4, left, pitch, at)
        for place, index in enumerate(rows)
        for at, series in enumerate(chart.series)
        if series.y[index] is not None
    ]
    height = len(rows) * (many * pitch + gap)
    zero = axis.at(least if dots else 0.0)
    baseline = element("line", class_name="axis", x1=zero, x2=zero, y1=0.0, y2=height + 4)
    return _frame(chart, width, height + 8, ident, *drawn, baseline)


def _bar_row(series: Series, index: int, axis: Axis, top: float, left: float, pitch: float, color: int) -> Markup:
    """One bar; the name of its row stands beside that of the first series."""
    name, value = str(series.x[index]), series.y[index]
    height = pitch - 6
    middle, start, end = top + height / 2, axis.at(min(0.0, value)), axis.at(max(0.0, value))
    tip, parts = end, []
    label = f"{name}: {format_figure(value)}"
    if series.low and series.high and series.low[index] is not None and series.high[index] is not None:
        low, high = axis.at(series.low[index]), axis.at(series.high[index])
        parts.append(element("path", class_name="whisker", d=_whisker(low, high, middle)))
        label += f" ({format_figure(series.low[index])} to {format_figure(series.high[index])})"
        tip = max(end, high)
    bar = element("rect", class_name=f"fill{color}", x=start, y=top, width=max(1.0, end - start), height=height, rx=3)
    if series.mark == "scatter":
        tip = axis.at(value)
        bar = element("circle", class_name=f"dot{color}", cx=tip, cy=middle, r=4.5)
    shown = shorten(name, int((left - 11) / CHARACTER))
    named = [element("text", shown, class_name="name", x=left - 10, y=middle + 4, text_anchor="end")]
    return element(
        "g",
        element("title", label if color == 0 else f"{label}, {series.name}"),
        *(named if color == 0 else ()),
        bar,
        *parts,
        element("text", format_figure(value, 3), class_name="figure", x=tip + 8, y=middle + 4),
    )


def _whisker(low: float, high: float, middle: float) -> str:
    return f"M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8"


@dataclasses.dataclass(frozen=True, slots=True)
class _Plane:
    """Both axes and what is drawn on them."""

    chart: Chart
    x: Axis
    y: Axis
    width: int
    height: float
    left: float

    @property
    def small(self) -> bool:
        return self.width < SMALL


def _draw_plane(chart: Chart, width: int, ident: str) -> Markup:
    """Lines, steps, points and standing bars between two axes with round ticks."""
    small = width < SMALL
    height = 128.0 if small else 230.0 if width <= 500 else 280.0
    if chart.square:
        width, height = min(width, SQUARE), float(min(width, SQUARE))
    (x_low, x_high), (y_low, y_high) = _ranges(chart)
    y_ticks = nice_ticks(y_low, y_high, 2 if small else 4 if width <= 500 else 5)
    y_step = y_ticks[1] - y_ticks[0] if len(y_ticks) > 1 else 1.0
    labels = [format_tick(tick, y_step) for tick in y_ticks]
    left = max(len(label) for label in labels or [""]) * CHARACTER + 14
    log = chart.x_scale == "log" and x_low > 0
    plane = _Plane(
        chart=chart,
        x=Axis(x_low, x_high, left, width - 14.0, log),
        y=Axis(y_low, y_high, height - (26.0 if small else 44.0), 12.0),
        width=width,
        height=height,
        left=left,
    )
    clip = element(
        "clipPath",
        element("rect", x=left - 6, y=6, width=width - left - 2, height=plane.y.start - 2),
        id=f"{ident}-clip",
    )
    grid = [
        *(_y_tick(plane.y.at(tick), label, left, width - 14.0) for tick, label in zip(y_ticks, labels, strict=True)),
        *_x_ticks(plane),
    ]
    if not small:
        middle = (left + width) / 2
        label = shorten(chart.x_label, int((width - left) / CHARACTER))
        grid.append(element("text", label, class_name="label", x=middle, y=height - 4, text_anchor="middle"))
    marks = [_draw_series(series, index % COLORS, plane) for index, series in enumerate(chart.series)]
    drawn = element("g", *reversed(marks), clip_path=f"url(#{ident}-clip)")  # the first series lies on top
    names = [_draw_names(series, plane) for series in chart.series if series.mark == "named"]
    return _frame(chart, width, height, ident, clip, *grid, drawn, *names)


def _ranges(chart: Chart) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ends of both axes."""
    xs = [float(x) for series in chart.series for x in series.x if x is not None]
    ys = [float(y) for series in chart.series for y in series.y if y is not None]
    ys += [float(end) for series in chart.series for end in (*series.low, *series.high) if end is not None]
    x_low, x_high = min(xs), max(xs)
    standing = chart.kind == "bar"
    y_low, y_high = chart.y_range or ((0.0, max(ys)) if standing else _padded(min(ys), max(ys)))
    if chart.square:
        y_low = x_low = min(x_low, y_low)
        y_high = x_high = max(x_high, y_high)
    elif not standing and chart.x_scale == "log" and x_low > 0:
        x_low, x_high = x_low / 1.15, x_high * 1.15
    elif any((series.mark or chart.kind) in {"scatter", "named"} for series in chart.series) and x_low != 0:
        margin = 0.03 * (x_high - x_low)
        x_low, x_high = x_low - margin, x_high + margin
    return (x_low, x_high if x_high > x_low else x_low + 1), (y_low, y_high if y_high > y_low else y_low + 1)


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * 0.06 or abs(high) * 0.01 or 0.5
    return low - margin, high + margin


def _y_tick(y: float, label: str, left: float, right: float) -> Markup:
    line = element("line", class_name="grid", x1=left, x2=right, y1=y, y2=y)
    return line + element("text", label, class_name="tick", x=left - 8, y=y + 4, text_anchor="end")


def _x_ticks(plane: _Plane) -> list[Markup]:
    axis, count = plane.x, 3 if plane.small else 4 if plane.width <= 500 else 7
    if plane.chart.x_scale == "date":
        count = min(count, 4)
        ticks = [axis.low + (axis.high - axis.low) * index / count for index in range(count + 1)]
        labels = [format_date(tick)[: 7 if axis.high - axis.low > 1e8 else 10] for tick in ticks]
    elif axis.log:
        ticks = log_ticks(axis.low, axis.high)[:: 2 if plane.small else 1]
        labels = [f"{tick:g}" for tick in ticks]
    else:
        ticks = nice_ticks(axis.low, axis.high, count)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
        labels = [format_tick(tick, step) for tick in ticks]
    marks, free_from = [], 0.0
    for tick, label in zip(ticks, labels, strict=True):
        half = len(label) * CHARACTER / 2
        x = min(max(axis.at(tick), half), plane.width - half)
        if x - half < free_from:  # it would be written over the one before
            continue
        free_from = x + half + CHARACTER
        marks.append(element("text", label, class_name="tick", x=x, y=plane.y.start + 18, text_anchor="middle"))
    return marks


def _draw_series(series: Series, color: int, plane: _Plane) -> Markup:
    mark = series.mark or plane.chart.kind
    if mark == "bar":
        return _standing_bars(series, color, plane)
    points = [
        (plane.x.at(float(x)), plane.y.at(float(y)), index)
        for index, (x, y) in enumerate(zip(series.x, series.y, strict=False))
        if x is not None and y is not None
    ]
    if mark == "cells":
        return _cells(series, points, plane)
    if mark in {"scatter", "named"}:
        return element("g", *_dots(series, points, color, 5.0 if mark == "named" else 3.5, plane))
    shape = _path([(x, y) for x, y, _ in points], steps=mark == "step")
    if mark == "rule":
        return element("path", class_name="rule", d=shape)
    drawn = element("path", class_name=f"line line{color}", d=shape)
    if mark == "band":
        drawn = element("path", class_name=f"band band{color}", d=_area(series, plane)) + drawn
    if mark in {"line", "band"} and len(points) <= 30:
        drawn += Markup("").join(_dots(series, points, color, 3.0, plane))
    return drawn


def _dots(
    series: Series, points: Iterable[tuple[float, float, int]], color: int, radius: float, plane: _Plane
) -> list[Markup]:
    dots = []
    for left, top, index in points:
        name = series.labels[index] if index < len(series.labels) else series.name
        title = f"{name}: {format_figure(series.y[index])} at {format_x(series.x[index], plane.chart)}"
        dots.append(
            element(
                "circle",
                element("title", title),
                class_name=f"dot{color}",
                cx=round(left, 1),
                cy=round(top, 1),
                r=radius,
            )
        )
    return dots


def _draw_names(series: Series, plane: _Plane) -> Markup:
    """Labels beside their points, each only where it lies over no other."""
    taken: list[tuple[float, float, float]] = []
    drawn = []
    for x, y, label in zip(series.x, series.y, series.labels, strict=False):
        if x is None or y is None:
            continue
        text = shorten(label, 26)
        left, top, length = plane.x.at(float(x)), plane.y.at(float(y)), len(text) * CHARACTER
        places = [
            ("start", left + 9, top + 4, left + 9),
            ("end", left - 9, top + 4, left - 9 - length),
            ("end", left + 6, top - 10, left + 6 - length),
            ("end", left + 6, top + 18, left + 6 - length),
        ]
        for anchor, at, base, start in places:
            inside = plane.left <= start and start + length <= plane.width - 2
            if inside and not any(abs(base - y) < 14 and start < to and start + length > fro for fro, to, y in taken):
                taken.append((start, start + length, base))
                drawn.append(element("text", text, class_name="name halo", x=at, y=base, text_anchor=anchor))
                break
    return element("g", *drawn)


def _path(points: Sequence[tuple[float, float]], *, steps: bool) -> str:
    if not points:
        return ""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for x, y in points[1:]:
        path.append(f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}")
    return "".join(path)


def _area(series: Series, plane: _Plane) -> str:
    """The outline of a band: along its upper end and back along its lower."""
    known = [
        (plane.x.at(float(x)), plane.y.at(float(low)), plane.y.at(float(high)))
        for x, low, high in zip(series.x, series.low, series.high, strict=False)
        if x is not None and low is not None and high is not None
    ]
    outline = [(x, high) for x, _, high in known] + [(x, low) for x, low, _ in reversed(known)]
    return _path(outline, steps=False) + ("Z" if outline else "")


def _cells(series: Series, points: Sequence[tuple[float, float, int]], plane: _Plane) -> Markup:
    """Squares of one size whose depth tells how many rows lie there; the root makes few of them visible."""
    most = max((weight for weight in series.weights if weight), default=1.0)
    # both axes have the same edges; all points of one column tell nothing of its width
    xs = sorted({float(end) for end in (*series.x, *series.y) if end is not None})
    cell = min((after - before for before, after in itertools.pairwise(xs)), default=1.0)
    side = abs(plane.x.at(plane.x.low + cell) - plane.x.start)
    squares = []
    for left, top, index in points:
        weight = series.weights[index] if index < len(series.weights) else 1.0
        ends = f"{format_x(series.x[index], plane.chart)}, {format_figure(series.y[index])}"
        title = f"{format_figure(weight)} rows at {ends}"
        squares.append(
            element(
                "rect",
                element("title", title),
                class_name="fill0",
                x=round(left - side / 2, 1),
                y=round(top - side / 2, 1),
                width=round(side, 1),
                height=round(side, 1),
                fill_opacity=round(0.12 + 0.88 * (weight / most) ** 0.5, 2),
            )
        )
    return element("g", *squares)


def _standing_bars(series: Series, color: int, plane: _Plane) -> Markup:
    """Bars between edges: `x` has one figure more than `y`. Several series stand one behind the other."""
    bars, floor = [], plane.y.at(max(0.0, plane.y.low))
    gap = 0.75 if len(series.y) < 60 else 0.25
    shade = "0.6" if len(plane.chart.series) > 1 else None
    for index, y in enumerate(series.y):
        if y is None or index + 1 >= len(series.x):
            continue
        start, end = plane.x.at(float(series.x[index])), plane.x.at(float(series.x[index + 1]))
        top = plane.y.at(float(y))
        ends = " to ".join(format_x(series.x[place], plane.chart) for place in (index, index + 1))
        named = f"{series.name}, " if len(plane.chart.series) > 1 else ""
        bars.append(
            element(
                "rect",
                element("title", f"{named}{ends}: {format_figure(y)}"),
                class_name=f"fill{color}",
                x=start + gap,
                y=top,
                width=max(0.5, end - start - 2 * gap),
                height=max(0.0, floor - top),
                fill_opacity=shade,
            )
        )
    return element("g", *bars)
