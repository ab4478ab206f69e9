"""Sections on a terminal: the same blocks as in HTML, in as many columns as there are."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from automl.report.blocks import (
    Alert,
    Block,
    Cell,
    Chart,
    Code,
    Document,
    Facts,
    Gallery,
    Interval,
    Matrix,
    Paragraph,
    Score,
    Section,
    Spark,
    Table,
    Tag,
    Tone,
)
from automl.report.document import build_section
from automl.report.source import RunSource
from automl.report.text import clean, clean_line, format_figure, format_score

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from automl.run import Run

STYLES: dict[Tone, str] = {"neutral": "", "good": "green", "warn": "yellow", "bad": "red"}
_SIGNS: dict[Tone, str] = {"neutral": "·", "good": "✓", "warn": "!", "bad": "✗"}
_TICKS = "▁▂▃▄▅▆▇█"
_LONGEST = 24  # a text column may fold to this width


def open_console(stream: TextIO | None = None) -> Console:
    """A console on `stream` (stdout unless given) that writes "?" where the encoding lacks a character."""
    from rich.console import Console

    target = stream if stream is not None else sys.stdout
    if isinstance(target, io.TextIOWrapper):
        with contextlib.suppress(OSError, ValueError):
            target.reconfigure(errors="replace")
    return Console(file=target, highlight=False, markup=False, emoji=False, soft_wrap=False)


def print_document(document: Document, console: Console) -> None:
    """A whole report."""
    _line(console, document.title, "bold")
    if document.subtitle:
        _line(console, document.subtitle, "dim")
    for section in document.sections:
        print_section(section, console)


def print_section(section: Section, console: Console) -> None:
    """A heading and its blocks."""
    console.print()
    _line(console, section.title, "bold cyan")
    print_blocks(section.blocks, console)


def print_blocks(blocks: Iterable[Block], console: Console) -> None:
    """Blocks one below the other. Data is text, never markup; controls and escapes are taken out."""
    from rich.padding import Padding

    before: type | None = None
    for block in clean(tuple(blocks)):
        rendered = _LOOKS[type(block)](block, console.width - 2)
        if rendered is not None:
            close = before is None or (before is Alert and isinstance(block, Alert))
            console.print(Padding(rendered, (0 if close else 1, 0, 0, 2), expand=False))
            before = type(block)


def print_leaderboard(run: Run, console: Console) -> None:
    """The models of a run, best first, fitted to the console's width."""
    from automl.report.sections.leaderboard import leaderboard_table

    source = RunSource(run)
    if not source.leaderboard:
        _line(console, f"No model is complete yet in {source.shown_path}.", "yellow")
        return
    way = "higher is better" if source.metric.maximize else "lower is better"
    table = leaderboard_table(source)
    _line(console, f"{clean_line(source.metric.title)} · {way}", "dim")
    console.print(_table(clean(table), console.width))


def print_verdict(run: Run, console: Console) -> None:
    """The verdict as a card, then the report's place and, last, the next thing to type."""
    source = RunSource(run)
    section = build_section("verdict", source)
    if section is not None:
        console.print()
        print_blocks(section.blocks, console)
        console.print()
    path = clean_line(_quote(source.shown_path))
    if run.report_path.exists():
        _line(console, f"report: {path}/report.html")
    if source.leaderboard:
        _line(console, f"next: automl predict {path} NEW.csv --out predictions.csv")
    else:
        _line(console, f"next: automl resume {path}")


def _quote(path: str) -> str:
    import shlex

    return shlex.quote(path)


def _line(console: Console, text: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(clean_line(text), style=style), soft_wrap=True)


def _text(content: str, style: str = "") -> RenderableType:
    from rich.text import Text

    return Text(content, style=style)


def _paragraph(block: Paragraph, width: int) -> RenderableType:
    return _text(block.text, STYLES[block.tone])


def _alert(block: Alert, width: int) -> RenderableType:
    from rich.text import Text

    text = Text(f"{_SIGNS[block.tone]} {block.title}: ", style=f"bold {STYLES[block.tone]}".strip())
    return text.append(block.text, style="not bold default")


def _code(block: Code, width: int) -> RenderableType:
    from rich.text import Text

    title = f"# {block.title}\n" if block.title else ""
    text = Text(title, style="dim", overflow="fold")
    return text.append(block.text, style="not dim bold")


def _facts(block: Facts, width: int) -> RenderableType | None:
    from rich.table import Table as Grid

    if not block.items:
        return None
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value, note in block.items:
        text = _text(value)
        if note:
            text.append(f"  {note}", style="dim")  # type: ignore[union-attr]
        grid.add_row(_text(label), text)
    return grid


def _score(block: Score, width: int) -> RenderableType | None:
    from rich.console import Group
    from rich.text import Text

    if block.value is None:
        return None
    head = Text(f"{block.label} ", style="dim")
    head.append(format_score(block.value, block.decimals), style=f"not dim bold {STYLES[block.tone]}".strip())
    if block.low is not None and block.high is not None:
        ends = [format_score(end, block.decimals, like=block.value) for end in (block.low, block.high)]
        head.append(f"  95% interval {ends[0]} to {ends[1]}", style="not dim default")
    parts: list[RenderableType] = [head, *_score_bar(block, min(width, 64))]
    if block.caption:
        parts.append(Text(block.caption, style="dim"))
    return Group(*parts)


def _score_bar(block: Score, width: int) -> list[RenderableType]:
    """The interval on a line with the baselines below it."""
    from rich.text import Text

    assert block.value is not None
    ends = [figure for figure in (block.value, block.low, block.high) if figure is not None]
    ends += [figure for _, figure in block.marks]
    least, span = min(ends), max(ends) - min(ends)
    if span <= 0 or width < 24:
        return []

    def place(figure: float) -> int:
        return round((figure - least) / span * (width - 1))

    line = ["─"] * width
    for position in range(place(block.low if block.low is not None else block.value), width):
        if position <= place(block.high if block.high is not None else block.value):
            line[position] = "━"
    for _, figure in block.marks:
        line[place(figure)] = "┼"
    line[place(block.value)] = "●"
    bar = Text("".join(line), style="dim")
    for position, sign in enumerate(line):
        if sign in "━●":
            bar.stylize(f"not dim {STYLES[block.tone]}".strip(), position, position + 1)
    legend = "   ".join(
        f"┼ {name} {format_score(figure, block.decimals, like=block.value)}" for name, figure in block.marks
    )
    return [bar, Text(legend, style="dim")] if legend else [bar]


def _gallery(block: Gallery, width: int) -> RenderableType | None:
    from rich.text import Text

    lines = [block.title, *(f"  {picture.caption}" for picture in block.pictures), block.caption]
    return Text("\n".join(line for line in lines if line), overflow="fold")


def _matrix(block: Matrix, width: int) -> RenderableType:
    labels = [label if len(label) <= 14 else label[:13] + "…" for label in block.labels]
    rows: tuple[tuple[Cell, ...], ...] = tuple((labels[index], *row) for index, row in enumerate(block.values))
    table = Table(
        headings=(f"{block.row_label} \\ {block.column_label}", *labels),
        rows=rows,
        caption=block.title,
        numeric=(False, *(True for _ in labels)),
    )
    return _table(table, width)


def _chart(block: Chart, width: int) -> RenderableType | None:
    from rich.console import Group

    rows: list[RenderableType] = [_text(block.title, "bold")]
    for series in block.series:
        pairs = [(x, y) for x, y in zip(series.x, series.y, strict=False) if y is not None]
        if not pairs or series.mark in {"scatter", "rule"}:
            continue
        if block.kind == "bar" and all(isinstance(x, str) for x, _ in pairs):
            rows.append(_bars(pairs, width))
        else:
            values = [y for _, y in pairs]
            ends = f"{format_figure(min(values))} to {format_figure(max(values))}"
            name = f"{series.name}  " if series.name else ""
            rows.append(_text(f"{name}{sparkline(values, min(40, width - 2))}  {ends}"))
    if block.caption:
        rows.append(_text(block.caption, "dim"))
    return Group(*rows) if len(rows) > 1 else None


def _bars(pairs: Sequence[tuple[str, float]], width: int) -> RenderableType:
    from rich.table import Table as Grid

    largest = max(abs(y) for _, y in pairs) or 1.0
    room = max(6, min(40, width - 34))
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=max(10, min(28, width - room - 12)))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for name, y in pairs[:15]:
        length = max(0.0, y) / largest * room
        bar = "█" * int(length) + ("▌" if length % 1 >= 0.5 else "")
        grid.add_row(_text(name), _text(bar or "▏", "cyan"), _text(format_figure(y, 3)))
    return grid


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


def _table(block: Table, width: int) -> RenderableType:
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


_LOOKS: dict[type, Callable[[Any, int], RenderableType | None]] = {
    Paragraph: _paragraph,
    Alert: _alert,
    Code: _code,
    Facts: _facts,
    Score: _score,
    Matrix: _matrix,
    Chart: _chart,
    Table: _table,
    Gallery: _gallery,
}
