"""A document as one HTML page that needs nothing else: no network, no foreign code, data never as markup."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.report.blocks import Block, Cell, Chart, Document, Interval, Matrix, Score, Series, Spark, Swarm, Table, Tag
from automl.report.console import format_cell
from automl.report.text import format_figure, format_score, format_share

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = Path(__file__).parent
WIDE, NARROW = 720, 360


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
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sections = [
        {
            "name": section.name,
            "title": section.title,
            "blocks": [view_block(block, f"{section.name}-{index}") for index, block in enumerate(section.blocks)],
        }
        for section in document.sections
    ]
    template = _environment().get_template("template.html.jinja")
    return template.render(
        document=document,
        sections=sections,
        style=style,
        script=script,
        script_hash=f"sha256-{digest}",
        twin=embed_json(document.to_json()),
    )


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
    return view


def _view_chart(chart: Chart, ident: str) -> dict[str, Any]:
    from automl.report import svg

    return {
        "wide": svg.draw_chart(chart, WIDE, f"{ident}-wide"),
        "narrow": svg.draw_chart(chart, NARROW, f"{ident}-narrow"),
        "tables": [view_table(_figures(chart, series)) for series in chart.series if series.mark != "rule"],
        "legend": [series.name for series in chart.series] if len(chart.series) > 1 else [],
    }


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
    edges = len(series.x) == len(series.y) + 1
    rows = []
    for index, y in enumerate(series.y[:500]):
        x = series.x[index]
        name = f"{format_figure(x)} to {format_figure(series.x[index + 1])}" if edges else x
        ends = (series.low[index], series.high[index]) if series.low and series.high else ()
        rows.append((name, y, *ends))
    bounded = bool(series.low and series.high)
    value = chart.y_label if len(chart.series) == 1 else f"{chart.y_label}, {series.name}"
    return Table(
        headings=(chart.x_label, value, *(("low", "high") if bounded else ())),
        rows=tuple(rows),
        numeric=(not edges and not all(isinstance(x, str) for x in series.x), True, True, True),
    )


def _view_score(score: Score, ident: str) -> dict[str, Any]:
    from automl.report import svg

    ends = ""
    if score.low is not None and score.high is not None:
        low, high = (format_score(end, score.decimals, like=score.value) for end in (score.low, score.high))
        ends = f"{low} – {high}"
    return {
        "value": format_score(score.value, score.decimals),
        "ends": ends,
        "wide": svg.draw_score(score, 640, f"{ident}-wide"),
        "narrow": svg.draw_score(score, 320, f"{ident}-narrow"),
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
    from automl.report import svg

    view: dict[str, Any] = {"text": "", "drawn": "", "note": "", "tone": "", "sort": "", "numeric": numeric}
    if isinstance(cell, Spark):
        view["drawn"] = svg.draw_spark(cell.values)
    elif isinstance(cell, Tag):
        view |= {"text": cell.text, "tone": cell.tone}
    elif isinstance(cell, Interval):
        decimals = int(spec[1:-1]) if spec.endswith("f") and spec[1:-1].isdigit() else 4
        view |= {"text": format_score(cell.value, decimals), "sort": cell.value}
        view["drawn"] = svg.draw_interval(cell, *scale)
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
                "shade": round(100 * (value or 0) / total),
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
