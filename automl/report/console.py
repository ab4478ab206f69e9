"""Sections on a terminal: the same blocks as in HTML, in as many columns as there are."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from automl.report.blocks import (
    Album,
    Alert,
    Block,
    Cell,
    Chart,
    Check,
    Checks,
    Code,
    Document,
    Explorer,
    Facts,
    Gallery,
    Heatmap,
    Matrix,
    Paragraph,
    Score,
    Section,
    Swarm,
    Table,
    Timeline,
    Tone,
)
from automl.report.document import build_section
from automl.report.source import RunSource
from automl.report.tables import STYLES, draw_table, sparkline, tabulate_thresholds
from automl.report.text import clean, clean_line, format_count, format_figure, format_score

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from automl.run import Run

_SIGNS: dict[Tone, str] = {"neutral": "·", "good": "✓", "warn": "!", "bad": "✗"}


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


def print_command(command: str, console: Console) -> None:
    """A command on a line of its own, however long: one that is broken ends at the break where it is pasted."""
    console.print()
    _line(console, command, "bold")


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
    console.print(draw_table(clean(table), console.width))


def print_verdict(run: Run, console: Console) -> None:
    """The verdict as a card, then the report's place and, last, the next thing to type."""
    source = RunSource(run)
    section = build_section("verdict", source)
    if section is not None:
        console.print()
        print_blocks(_shorten_checks(section.blocks), console)
        console.print()
    path = clean_line(_quote(source.shown_path))
    if run.report_path.exists():
        page = clean_line(_quote(f"{source.shown_path}/report.html"))
        _line(console, f"report: {page}")
    if source.leaderboard:
        root = clean_line(_quote(source.shown_root))
        _line(console, f"next: automl predict {root} {source.new_data} --out predictions.csv")
    else:
        _line(console, f"next: automl resume {path}")


def _shorten_checks(blocks: Iterable[Block]) -> list[Block]:
    """Blocks whose lists of checks say what to beware of and count the rest."""
    shown: list[Block] = []
    for block in blocks:
        if isinstance(block, Checks):
            kept = tuple(item for item in block.items if item.tone in {"bad", "warn"})
            good = sum(1 for item in block.items if item.tone == "good")
            if good:
                text = "nothing to beware of" if not kept else "the report says which"
                kept += (Check(tone="good", title=format_count(good, "check is", "checks are") + " good", text=text),)
            block = Checks(items=kept, title=block.title)
        shown.append(block)
    return shown


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


def _album(block: Album, width: int) -> RenderableType | None:
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
    return draw_table(table, width)


def _chart(block: Chart, width: int) -> RenderableType | None:
    from rich.console import Group

    rows: list[RenderableType] = [_text(block.title, "bold")]
    for series in block.series:
        pairs = [(x, y) for x, y in zip(series.x, series.y, strict=False) if y is not None]
        if not pairs or series.mark in {"scatter", "rule", "cells", "named"}:
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


def _checks(block: Checks, width: int) -> RenderableType | None:
    from rich.console import Group

    parts: list[RenderableType] = [_text(block.title, "bold")] if block.title else []
    parts += [_check(item) for item in block.items]
    return Group(*parts) if block.items else None


def _check(item: Check) -> RenderableType:
    from rich.text import Text

    text = Text(f"{_SIGNS[item.tone]} {item.title}: ", style=STYLES[item.tone])
    return text.append(item.text, style="not bold default")


def _gallery(block: Gallery, width: int) -> RenderableType | None:
    """One line a chart: its name and its figures as small bars."""
    from rich.console import Group
    from rich.table import Table as Grid

    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=max(10, width // 3))
    grid.add_column(no_wrap=True)
    grid.add_column(style="dim", overflow="ellipsis", no_wrap=True)
    for chart in block.charts:
        values = [y for y in chart.series[0].y if y is not None] if chart.series else []
        if values and chart.kind == "bar":
            grid.add_row(_text(chart.title), _text(sparkline(values, 12), "cyan"), _text(chart.caption))
    if not grid.row_count:
        return None
    return Group(_text(block.title, "bold"), grid)


def _heatmap(block: Heatmap, width: int) -> RenderableType | None:
    """The strongest pairs; a square of figures fits no terminal."""
    pairs = [
        (block.rows[i], block.columns[j], value)
        for i, values in enumerate(block.values)
        for j, value in enumerate(values)
        if value is not None and (j > i or block.rows != block.columns)
    ]
    if not pairs:
        return None
    pairs.sort(key=lambda pair: -pair[2])
    table = Table(
        headings=("one", "other", "strength"),
        rows=tuple(pairs[:8]),
        formats=("", "", f".{block.decimals}f"),
        numeric=(False, False, True),
        caption=f"{block.title}: the strongest",
    )
    return draw_table(table, width)


def _timeline(block: Timeline, width: int) -> RenderableType | None:
    """How busy each lane was."""
    end = max((span.end for span in block.spans), default=0.0)
    if end <= 0:
        return None
    rows = []
    for lane, name in enumerate(block.lanes):
        spans = [span for span in block.spans if span.lane == lane]
        busy = sum(span.end - span.start for span in spans)
        rows.append((name, len(spans), busy, f"{100 * busy / end:.0f}%"))
    table = Table(
        headings=("lane", "jobs", "busy s", "share"),
        rows=tuple(rows),
        formats=("", "d", ".1f", ""),
        numeric=(False, True, True, True),
        caption=block.title,
    )
    return draw_table(table, width)


def _explorer(block: Explorer, width: int) -> RenderableType:
    return draw_table(tabulate_thresholds(block), width)


def _swarm(block: Swarm, width: int) -> RenderableType:
    from rich.console import Group

    return Group(_text(block.title, "bold"), draw_table(block.table(), width), _text(block.caption, "dim"))


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


_LOOKS: dict[type, Callable[[Any, int], RenderableType | None]] = {
    Paragraph: _paragraph,
    Alert: _alert,
    Code: _code,
    Facts: _facts,
    Score: _score,
    Matrix: _matrix,
    Gallery: _gallery,
    Heatmap: _heatmap,
    Timeline: _timeline,
    Checks: _checks,
    Explorer: _explorer,
    Chart: _chart,
    Swarm: _swarm,
    Table: draw_table,
    Album: _album,
}
