"""Tables on a terminal, and how a cell is written on every look: as many columns as fit, figures whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from automl.report.blocks import Cell, Explorer, Interval, Spark, Table, Tag, Tone
from automl.report.text import format_figure, format_score

if TYPE_CHECKING:
    from rich.console import RenderableType

STYLES: dict[Tone, str] = {"neutral": "", "good": "green", "warn": "yellow", "bad": "red"}
_TICKS = "▁▂▃▄▅▆▇█"
# Texts fold to be this wide rather than have another column left out: first to what is read with ease.
READABLE, NARROW = 24, 12
GAP = 2  # between columns


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

    columns, widths = _fit(block, width)
    kept = len(widths)
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for index in range(kept):
        justify: Literal["right", "left"] = "right" if _is_numeric(block, index) else "left"
        grid.add_column(_text(block.headings[index]), justify=justify, overflow="fold", width=widths[index])
    for position in range(len(block.rows)):
        grid.add_row(*(_text(*columns[index][position]) for index in range(kept)))
    parts: list[RenderableType] = [_text(block.caption, "bold")] if block.caption else []
    parts.append(grid)
    if block.note:
        parts.append(_text(block.note, "dim"))
    if kept < len(block.headings):
        parts.append(_text("not shown here: " + ", ".join(block.headings[kept:]), "dim"))
    return Group(*parts)


def _fit(block: Table, width: int) -> tuple[list[list[tuple[str, str]]], list[int]]:
    """The cells, and the widths of the columns that are shown.

    All columns with readable texts are best; then all with narrow ones; then as many as fit, if there are three; then
    those without intervals.
    """
    count = len(block.headings)
    few = min(3, count)
    for wanted, short, least in (
        (count, False, READABLE),
        (count, False, NARROW),
        (few, False, READABLE),
        (few, True, READABLE),
        (few, True, NARROW),
    ):
        columns = _columns(block, short=short)
        widths = _share_width(block, columns, width, least)
        if len(widths) >= wanted:
            break
    return columns, widths if len(widths) >= min(2, count) else [max(1, width // 2 - GAP)] * min(2, count)


def _share_width(block: Table, columns: list[list[tuple[str, str]]], width: int, least: int) -> list[int]:
    """Widths of as many of the first columns as fit: figures whole, texts and headings `least` wide or wider."""
    from rich.cells import cell_len

    floors, contents, used = [], [], -GAP
    for index, heading in enumerate(block.headings):
        content = max((cell_len(text) for text, _ in columns[index]), default=0)
        word = max(map(cell_len, heading.split()), default=0)
        floor = max(1, min(word, least), content if _is_numeric(block, index) else min(content, least))
        used += floor + GAP
        if used > width:
            break
        floors.append(floor)
        contents.append(max(floor, content))
    room = width - GAP * (len(floors) - 1)
    widths = _grow(floors, contents, room)
    headings = [max(*pair) for pair in zip(contents, map(cell_len, block.headings), strict=False)]
    return _grow(widths, headings, room)


def _grow(widths: list[int], wanted: list[int], room: int) -> list[int]:
    """Widths nearer to those wanted, as far as there is room; the narrowest grows first."""
    grown = list(widths)
    for _ in range(room - sum(widths)):
        hungry = [at for at, width in enumerate(grown) if width < wanted[at]]
        if not hungry:
            break
        grown[min(hungry, key=lambda at: grown[at])] += 1
    return grown


def _is_numeric(block: Table, index: int) -> bool:
    return index < len(block.numeric) and block.numeric[index]


def _columns(block: Table, *, short: bool = False) -> list[list[tuple[str, str]]]:
    """Text and style of every cell, column by column; `short` leaves intervals out."""
    return [
        [_cell(row[index], _format(block, index), short) for row in block.rows] for index in range(len(block.headings))
    ]


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
