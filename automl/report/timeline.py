"""Timelines as inline SVG: who did what when, one lane below the other."""

from __future__ import annotations

from markupsafe import Markup

from automl.report.blocks import Timeline
from automl.report.svg import CHARACTER, Axis, element, format_tick, nice_ticks, plain, shorten
from automl.report.text import format_duration

COLORS = 8
PITCH, BAR = 26.0, 18.0


def list_groups(block: Timeline) -> list[str]:
    """Groups in the order of the time they took, which is that of their colours."""
    spent: dict[str, float] = {}
    for span in block.spans:
        spent[span.group] = spent.get(span.group, 0.0) + span.end - span.start
    return sorted(spent, key=lambda group: (-spent[group], group))


def draw_timeline(block: Timeline, width: int, ident: str) -> Markup:
    """The timeline at a width in px; `ident` must be unique in the page."""
    if not block.spans:
        return Markup("")
    groups = {group: place % COLORS for place, group in enumerate(list_groups(block))}
    left = min(max(len(lane) for lane in block.lanes) * CHARACTER + 14, width * 0.3)
    end = max(span.end for span in block.spans)
    axis = Axis(0.0, end if end > 0 else 1.0, left, width - 14.0)
    floor = len(block.lanes) * PITCH + 4
    ticks = nice_ticks(0.0, axis.high, 4 if width <= 500 else 8)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    children = []
    for tick in ticks:
        x = axis.at(tick)
        children.append(element("line", class_name="grid", x1=x, x2=x, y1=0.0, y2=floor))
        children.append(
            element("text", format_tick(tick, step), class_name="tick", x=x, y=floor + 15, text_anchor="middle")
        )
    for lane, name in enumerate(block.lanes):
        shown = shorten(name, int((left - 10) / CHARACTER))
        middle = lane * PITCH + 4 + BAR / 2
        children.append(element("text", shown, class_name="tick", x=left - 8, y=middle + 4, text_anchor="end"))
    for span in block.spans:
        start, stop = axis.at(span.start), axis.at(span.end)
        children.append(
            element(
                "rect",
                element("title", f"{span.label}: {format_duration(span.end - span.start)}"),
                class_name=f"fill{groups[span.group]}",
                x=round(start, 1),
                y=span.lane * PITCH + 4,
                width=round(max(1.0, stop - start - 0.5), 1),
                height=BAR,
                rx=2,
            )
        )
    foot = element("text", "seconds since the start", class_name="label", x=(left + width) / 2, y=floor + 33,
                   text_anchor="middle")  # fmt: skip
    described = "Who did what when. The figures are in the table below."
    return element(
        "svg",
        element("title", block.title, id=f"{ident}-title"),
        element("desc", described, id=f"{ident}-desc"),
        *children,
        foot,
        class_name="chart",
        role="img",
        viewBox=f"0 0 {width} {plain(floor + 38)}",
        aria_labelledby=f"{ident}-title {ident}-desc",
    )
