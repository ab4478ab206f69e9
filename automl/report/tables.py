"""Tables on a terminal, and how a cell is written on every look: as many columns as fit, figures whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl.report.blocks import Cell, Explorer, Interval, Spark, Table, Tag, Tone
from automl.report.text import format_figure, format_score

if TYPE_CHECKING:
    from rich.console import RenderableType

STYLES: dict[Tone, str] = {"neutral": "", "good": "green", "warn": "yellow", "bad": "red"}
_TICKS = "▁▂▃▄▅▆▇█"
_LONGEST = 24  # a text column may fold to this width


def _text(content: str, style: str = "") -> RenderableType:
    from rich.text import Text

    return Text(content, style=style)


def sparkline(values: Sequence[float], width: int) -> str:
    """Figures as a line of at most `width` small bars, each the last figure of its stretch."""
    figures = [value for value in values if value is not None]
    if not figures or width < 1:
        return ""
    if len(figures) > width:
        figures = [figures[(index + 1) * len(figures) // width - 1] for index in range(width)]
    least, span = min(figures), max(figures) - min(figures)
    if span <= 0:
        return _TICKS[3] * len(figures)
    return "".join(_TICKS[round((figure - least) / span * (len(_TICKS) - 1))] for figure in figures)


def draw_table(block: Table, width: int) -> RenderableType:
    """A table without lines. Columns that do not fit are left out from the last on, and named."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as Grid

    columns = _columns(block)
    kept = _fitting(block.headings, columns, width)
    if kept < min(3, len(columns)):
        columns = _columns(block, short=True)
        kept = _fitting(block.headings, columns, width)
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for index in range(kept):
        numeric = index < len(block.numeric) and block.numeric[index]
        # names and reasons give way by folding, so that figures stay whole
        stays = numeric or index == 0
        widest = max((len(text) for text, _ in columns[index]), default=0)
        grid.add_column(
            _text(block.headings[index]),
            justify="right" if numeric else "left",
            no_wrap=stays,
            overflow="ellipsis" if stays else "fold",
            min_width=max(1, min(_LONGEST, widest, width // max(2, kept))),
        )
    for position in range(len(block.rows)):
        grid.add_row(*(_text(*columns[index][position]) for index in range(kept)))
    parts: list[RenderableType] = [_text(block.caption, "bold")] if block.caption else []
    parts.append(grid)
    if block.note:
        parts.append(_text(block.note, "dim"))
    if kept < len(block.headings):
        parts.append(_text("not shown here: " + ", ".join(block.headings[kept:]), "dim"))
    return Group(*parts)


def _columns(block: Table, *, short: bool = False) -> list[list[tuple[str, str]]]:
    """Text and style of every cell, column by column; `short` leaves intervals out."""
    return [
        [_cell(row[index], _format(block, index), short) for row in block.rows] for index in range(len(block.headings))
    ]


def _fitting(headings: Sequence[str], columns: Sequence[Sequence[tuple[str, str]]], width: int) -> int:
    """How many of the first columns fit; at least two. A long text column counts for as much as it may fold to."""
    used, kept = 0, 0
    for heading, cells in zip(headings, columns, strict=True):
        widest = max([len(heading), *(min(_LONGEST, len(text)) for text, _ in cells)])
        used += widest + (2 if kept else 0)
        if used > width and kept >= 2:
            break
        kept += 1
    return kept


def _format(block: Table, index: int) -> str:
    return block.formats[index] if index < len(block.formats) else ""


def _cell(cell: Cell, spec: str, short: bool) -> tuple[str, str]:
    """A cell's text and style."""
    if isinstance(cell, Spark):
        return sparkline(cell.values, 12), "cyan"
    if isinstance(cell, Tag):
        return cell.text, STYLES[cell.tone]
    if isinstance(cell, Interval):
        return format_interval(Interval(value=cell.value) if short else cell, spec), ""
    return format_cell(cell, spec), ""


def format_cell(cell: str | int | float | None, spec: str) -> str:
    """A plain cell by its format spec; scores in large units lose the digits that mean nothing."""
    if cell is None or isinstance(cell, str):
        return cell if cell is not None else "–"
    if spec.endswith("f") and spec[1:-1].isdigit():
        return format_score(float(cell), int(spec[1:-1]))
    return f"{cell:{spec}}" if spec else format_figure(cell)


def format_interval(cell: Interval, spec: str) -> str:
    """ "0.9273 (0.9221–0.9321)"."""
    decimals = int(spec[1:-1]) if spec.endswith("f") and spec[1:-1].isdigit() else 4
    text = format_score(cell.value, decimals)
    if cell.low is None or cell.high is None:
        return text
    low, high = (format_score(end, decimals, like=cell.value) for end in (cell.low, cell.high))
    return f"{text} ({low}–{high})"


def tabulate_thresholds(block: Explorer) -> Table:
    """An explorer's figures at every tenth, and at the threshold in use."""
    shown = {round(place / 10, 2) for place in range(1, 10)} | {round(block.current, 2)}
    rows: list[tuple[Cell, ...]] = []
    for threshold, hits, alarms in zip(block.threshold, block.hits, block.alarms, strict=True):
        if round(threshold, 2) in shown:
            called = hits + alarms
            precision = hits / called if called else None
            recall = hits / block.positives if block.positives else None
            rows.append((threshold, hits, alarms, block.positives - hits, precision, recall))
    return Table(
        headings=("from probability", "found", "false alarms", "missed", "precision", "recall"),
        rows=tuple(rows),
        formats=(".2f", ",d", ",d", ",d", ".3f", ".3f"),
        numeric=(True,) * 6,
        caption=block.title,
    )
