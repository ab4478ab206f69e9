"""A document as one HTML page that needs nothing else: no network, no foreign code, data never as markup."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.report.blocks import (
    Album,
    Block,
    Cell,
    Chart,
    Document,
    Explorer,
    Gallery,
    Heatmap,
    Interval,
    Matrix,
    Score,
    Series,
    Spark,
    Swarm,
    Table,
    Tag,
    Timeline,
)
from automl.report.tables import format_cell, tabulate_thresholds
from automl.report.text import format_figure, format_score, format_share

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = Path(__file__).parent
WIDE, NARROW, SMALL = 720, 360, 250
MOST_FIGURES = 500


def render_html(document: Document) -> str:
    """The page. Every text of `document` is escaped; the only script is our own, allowed by its hash.

    Returns:
        A complete HTML file with its style, its charts as SVG, and its JSON twin in
        `<script type="application/json" id="report">`.
    """
    from markupsafe import Markup

    # both are files of this package and hold no data
    style = Markup(_read("page.css"))  # noqa: S704
    script = Markup(_read("page.js"))  # noqa: S704
    sections = [
        {
            "name": section.name,
            "title": section.title,
            "rows": group_views(
                [view_block(block, f"{section.name}-{index}") for index, block in enumerate(section.blocks)]
            ),
        }
        for section in document.sections
    ]
    template = _environment().get_template("template.html.jinja")
    return template.render(
        document=document,
        sections=sections,
        style=style,
        script=script,
        script_hash=digest(script),
        style_hash=digest(style),
        has_pictures=any(isinstance(block, Album) for section in document.sections for block in section.blocks),
        twin=embed_json(document.to_json()),
    )


def group_views(views: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Square charts that follow each other stand in one row; everything else has a row of its own."""
    rows: list[list[dict[str, Any]]] = []
    for view in views:
        if view["half"] and rows and rows[-1][0]["half"]:
            rows[-1].append(view)
        else:
            rows.append([view])
    return rows


def digest(text: str) -> str:
    """What a Content-Security-Policy calls this script or style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def embed_json(record: Any) -> Markup:
    """JSON that cannot end the script element it stands in, nor break a line of JavaScript."""
    from markupsafe import Markup

    text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - nothing that HTML reads is left in it


def view_block(block: Block, ident: str) -> dict[str, Any]:
    """A block as the template takes it: its kind, itself, and what was drawn of it."""
    view: dict[str, Any] = {"kind": type(block).__name__.lower(), "block": block, "ident": ident}
    view["half"] = isinstance(block, Chart) and block.square
    if isinstance(block, Chart):
        view |= _view_chart(block, ident)
    elif isinstance(block, Swarm):
        view |= {"kind": "chart", **_view_swarm(block, ident)}
    elif isinstance(block, Score):
        view |= _view_score(block, ident)
    elif isinstance(block, Table):
        view |= view_table(block)
    elif isinstance(block, Matrix):
        view["rows"] = _view_matrix(block)
    elif isinstance(block, Gallery):
        view["charts"] = [_view_small(chart, f"{ident}-{index}") for index, chart in enumerate(block.charts)]
    elif isinstance(block, Heatmap):
        view["rows"] = _view_heatmap(block)
    elif isinstance(block, Timeline):
        view |= _view_timeline(block, ident)
    elif isinstance(block, Explorer):
        view["figures"] = view_table(tabulate_thresholds(block))
        view["data"] = json.dumps(_record_explorer(block), separators=(",", ":"))
    return view


def _view_chart(chart: Chart, ident: str) -> dict[str, Any]:
    from automl.report.charts import draw_chart

    return {
        "wide": draw_chart(chart, WIDE, f"{ident}-wide"),
        "narrow": draw_chart(chart, NARROW, f"{ident}-narrow") if not chart.square else "",
        "tables": [view_table(_figures(chart, series)) for series in chart.series if series.mark != "rule"],
        "legend": _view_legend(chart),
    }


def _view_legend(chart: Chart) -> list[tuple[int, str]]:
    """(colour, name) of the series that need a name."""
    if len(chart.series) < 2:
        return []
    return [(index % 8, series.name) for index, series in enumerate(chart.series) if series.mark != "rule"]


def _view_small(chart: Chart, ident: str) -> dict[str, Any]:
    from automl.report.charts import draw_chart, has_names

    return {
        "title": chart.title,
        "caption": chart.caption,
        "legend": _view_legend(chart) if has_names(chart) else [],
        "drawn": draw_chart(chart, SMALL, ident),
        "tables": [view_table(_figures(chart, series)) for series in chart.series if series.mark != "rule"],
    }


def _view_timeline(block: Timeline, ident: str) -> dict[str, Any]:
    from automl.report.timeline import draw_timeline, list_groups

    rows = tuple((block.lanes[span.lane], span.label, span.start, span.end - span.start) for span in block.spans)
    table = Table(
        headings=("lane", "what", "start s", "seconds"),
        rows=rows[:MOST_FIGURES],
        formats=("", "", ".1f", ".2f"),
        numeric=(False, False, True, True),
    )
    return {
        "wide": draw_timeline(block, WIDE, f"{ident}-wide"),
        "narrow": draw_timeline(block, NARROW, f"{ident}-narrow"),
        "tables": [view_table(table)],
        "legend": [(index % 8, name) for index, name in enumerate(list_groups(block))],
    }


def _view_heatmap(block: Heatmap) -> list[dict[str, Any]]:
    span = (block.high - block.low) or 1.0
    return [
        {
            "label": label,
            "cells": [
                {
                    "text": "–" if value is None else f"{value:.{block.decimals}f}",
                    "shade": 0 if value is None else round(10 * min(1.0, max(0.0, (value - block.low) / span))),
                }
                for value in values
            ],
        }
        for label, values in zip(block.rows, block.values, strict=True)
    ]


def _record_explorer(block: Explorer) -> dict[str, Any]:
    names = ("positive", "negative", "threshold", "hits", "alarms", "positives", "negatives", "current")
    return {name: getattr(block, name) for name in names}


def _view_swarm(swarm: Swarm, ident: str) -> dict[str, Any]:
    from automl.report.swarm import draw_swarm

    return {
        "wide": draw_swarm(swarm, WIDE, f"{ident}-wide"),
        "narrow": draw_swarm(swarm, NARROW, f"{ident}-narrow"),
        "tables": [view_table(swarm.table())],
        "legend": [],
    }


def _figures(chart: Chart, series: Series) -> Table:
    """The table under a chart."""
    from automl.report.charts import format_x

    edges, band = len(series.x) == len(series.y) + 1, bool(series.low and series.high)
    rows = []
    for index, y in enumerate(series.y[:MOST_FIGURES]):
        x = series.x[index]
        name = f"{format_x(x, chart)} to {format_x(series.x[index + 1], chart)}" if edges else x
        if chart.x_scale == "date" and not edges:
            name = format_x(x, chart)
        row: list[Cell] = [series.labels[index]] if index < len(series.labels) else []
        row += [name, y, *((series.low[index], series.high[index]) if band else ())]
        rows.append((*row, *(series.weights[index : index + 1])))
    value = chart.y_label if len(chart.series) == 1 else f"{chart.y_label}, {series.name}"
    named = edges or chart.x_scale == "date" or all(isinstance(x, str) for x in series.x)
    headings = (*(("what",) if series.labels else ()), chart.x_label, value, *(("low", "high") if band else ()))
    return Table(
        headings=(*headings, *(("count",) if series.weights else ())),
        rows=tuple(rows),
        numeric=(*((False,) if series.labels else ()), not named, True, True, True, True),
    )


def _view_score(score: Score, ident: str) -> dict[str, Any]:
    from automl.report.gauge import draw_score

    ends = ""
    if score.low is not None and score.high is not None:
        low, high = (format_score(end, score.decimals, like=score.value) for end in (score.low, score.high))
        ends = f"{low} – {high}"
    return {
        "value": format_score(score.value, score.decimals),
        "ends": ends,
        "wide": draw_score(score, 640, f"{ident}-wide"),
        "narrow": draw_score(score, 320, f"{ident}-narrow"),
    }


def view_table(table: Table) -> dict[str, Any]:
    """Headings and rows of cells, each with its text, class and the figure to sort by."""
    numeric = [index < len(table.numeric) and table.numeric[index] for index in range(len(table.headings))]
    scales = [_scale(table, index) for index in range(len(table.headings))]
    rows = [
        [
            _view_cell(cell, table.formats[index] if index < len(table.formats) else "", numeric[index], scales[index])
            for index, cell in enumerate(row)
        ]
        for row in table.rows
    ]
    return {
        "headings": [
            {"text": text, "numeric": is_numeric} for text, is_numeric in zip(table.headings, numeric, strict=True)
        ],
        "rows": rows,
        "caption": table.caption,
        "note": table.note,
        "long": len(table.rows) > 12,
    }


def _scale(table: Table, index: int) -> tuple[float, float]:
    """One scale for a column of intervals: that of its better half, for those are the ones to tell apart."""
    ends: list[float] = []
    for row in table.rows[: max(2, (len(table.rows) + 1) // 2)]:
        cell = row[index]
        if isinstance(cell, Interval) and cell.value is not None:
            ends += [end for end in (cell.value, cell.low, cell.high) if end is not None]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def _view_cell(cell: Cell, spec: str, numeric: bool, scale: tuple[float, float]) -> dict[str, Any]:
    from automl.report.gauge import draw_interval, draw_spark

    view: dict[str, Any] = {"text": "", "drawn": "", "note": "", "tone": "", "sort": "", "numeric": numeric}
    if isinstance(cell, Spark):
        view["drawn"] = draw_spark(cell.values)
    elif isinstance(cell, Tag):
        view |= {"text": cell.text, "tone": cell.tone}
    elif isinstance(cell, Interval):
        decimals = int(spec[1:-1]) if spec.endswith("f") and spec[1:-1].isdigit() else 4
        view |= {"text": format_score(cell.value, decimals), "sort": cell.value}
        view["drawn"] = draw_interval(cell, *scale)
        if cell.low is not None and cell.high is not None:
            ends = [format_score(end, decimals, like=cell.value) for end in (cell.low, cell.high)]
            view["note"] = f"{ends[0]} – {ends[1]}"
    else:
        view["text"] = format_cell(cell, spec)
        view["sort"] = cell if isinstance(cell, int | float) else ""
    return view


def _view_matrix(matrix: Matrix) -> list[dict[str, Any]]:
    """Rows of cells with their share of the row, by which they are shaded."""
    rows = []
    for index, (label, values) in enumerate(zip(matrix.labels, matrix.values, strict=True)):
        total = sum(value for value in values if value) or 1
        cells = [
            {
                "text": format_figure(value),
                "share": format_share((value or 0) / total),
                "shade": round(10 * (value or 0) / total),
                "sort": value,
                "diagonal": position == index,
            }
            for position, value in enumerate(values)
        ]
        rows.append({"label": label, "cells": cells})
    return rows


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
