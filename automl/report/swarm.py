"""A beeswarm as inline SVG: one line of points a column, each point one row, coloured by how high its value is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from automl.report.blocks import Swarm
from automl.report.svg import element, format_tick, nice_ticks

ROW_HEIGHT = 34.0
RADIUS = 2.6
CHARACTER = 7.2


def draw_swarm(swarm: Swarm, width: int, ident: str) -> Markup:
    """The points at a width in px; `ident` must be unique in the page."""
    values = [value for values in swarm.values for value in values if value is not None]
    if not values:
        return Markup("")
    low, high = min(0.0, *values), max(0.0, *values)
    if high <= low:
        high = low + 1.0
    left = min(max(len(name) for name in swarm.names) * CHARACTER + 18, width * 0.32)
    right, bottom = width - 14.0, len(swarm.names) * ROW_HEIGHT + 6

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    ticks = nice_ticks(low, high, 4 if width <= 500 else 6)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    children: list[Markup] = []
    for tick in ticks:
        x = at(tick)
        children.append(element("line", class_name="grid", x1=x, x2=x, y1=0.0, y2=bottom))
        label = element("text", format_tick(tick, step), class_name="tick", x=x, y=bottom + 16, text_anchor="middle")
        children.append(label)
    children.append(element("line", class_name="axis", x1=at(0.0), x2=at(0.0), y1=0.0, y2=bottom))
    for place, (name, row, shades) in enumerate(zip(swarm.names, swarm.values, swarm.shades, strict=True)):
        middle = place * ROW_HEIGHT + ROW_HEIGHT / 2 + 3
        shown = name if len(name) * CHARACTER <= left - 14 else name[: max(2, int((left - 14) / CHARACTER) - 1)] + "…"
        children.append(
            element(
                "text", element("title", name), shown, class_name="name", x=left - 10, y=middle + 4, text_anchor="end"
            )
        )
        children.append(_points([at(value) for value in row], shades, middle))
    label = element(
        "text", swarm.x_label, class_name="label", x=(left + right) / 2, y=bottom + 34, text_anchor="middle"
    )
    return element(
        "svg",
        element("title", swarm.title, id=f"{ident}-title"),
        element("desc", f"{swarm.caption} The figures are in the table below.", id=f"{ident}-desc"),
        *children,
        label,
        class_name="chart",
        role="img",
        viewBox=f"0 0 {width} {bottom + 42:.0f}",
        aria_labelledby=f"{ident}-title {ident}-desc",
    )


def _points(xs: Sequence[float], shades: Sequence[float | None], middle: float) -> Markup:
    """Points of one column, moved up or down where they would lie on each other.

    Two groups, low and high values, have the colours of two series; those without a place in a range are neutral.
    """
    stacked: dict[int, int] = {}
    dots = []
    for x, shade in zip(xs, shades, strict=True):
        slot = math.floor(x / (RADIUS * 1.6))
        count = stacked.get(slot, 0)
        stacked[slot] = count + 1
        offset = (count + 1) // 2 * (1 if count % 2 else -1) * RADIUS * 1.1
        offset = max(-ROW_HEIGHT / 2 + RADIUS, min(ROW_HEIGHT / 2 - RADIUS, offset))
        high = shade is not None and shade >= 0.5
        dots.append(
            element(
                "circle",
                class_name="dot2" if shade is None else "dot1" if high else "dot0",
                cx=round(x, 1),
                cy=round(middle + offset, 1),
                r=RADIUS,
            )
        )
    return element("g", *dots)
