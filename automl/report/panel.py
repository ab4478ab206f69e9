"""A run at work as one frame on a terminal, drawn from its progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.report.progress import STAGE_NAMES, Progress, describe_end, describe_table, metric_title

if TYPE_CHECKING:
    from rich.console import RenderableType


def draw_summary(progress: Progress, now: float) -> RenderableType:
    """What stays on the screen: one or two lines."""
    from rich.text import Text

    from automl.report.text import clean_line

    if progress.started is None:
        return Text("")
    good = progress.finished is not None and progress.finished.status == "complete"
    text = Text(("✓ " if good else "! ") + clean_line(describe_end(progress)), style="green" if good else "yellow")
    for warning in progress.warnings:
        text.append(f"\nwarning: {clean_line(warning)}", style="yellow")
    return text


def draw_panel(progress: Progress, now: float, width: int, height: int) -> RenderableType:
    """Everything in one frame. On a low terminal the least important parts are left out."""
    from rich import box
    from rich.console import Group
    from rich.panel import Panel

    parts = [  # (importance, lines, part)
        (0, 1, _header(progress)),
        (1, 1, _budget_bar(progress, now)),
        (2, 1, _best_line(progress, width)),
        (5, *_workers(progress, now, width)),
        (3, *_top_table(progress, width)),
        (4, *_tail(progress)),
        (6, *_decisions(progress)),
    ]
    room, kept = max(3, height - 3), set()
    for importance, lines, _ in sorted(parts, key=lambda part: part[0]):
        if lines and (lines <= room or importance == 0):
            kept.add(importance)
            room -= lines
    body = [part for importance, _, part in parts if importance in kept]
    title = STAGE_NAMES.get(progress.stage, progress.stage) or "starting"
    return Panel(
        Group(*body), box=box.ROUNDED, title=title, title_align="left", border_style="dim", padding=(0, 1), width=width
    )


def _one_line(text: str, style: str = "") -> RenderableType:
    from rich.text import Text

    from automl.report.text import clean_line

    return Text(clean_line(text), style=style, no_wrap=True, overflow="ellipsis")


def _header(progress: Progress) -> RenderableType:
    from rich.text import Text

    from automl.report.text import clean_line

    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(clean_line(progress.data or "automl"), style="bold")
    if progress.target:
        text.append(" → ", style="dim").append(clean_line(progress.target), style="bold")
    if progress.rows:
        text.append(f"  {describe_table(progress)}", style="dim")
    return text


def _budget_bar(progress: Progress, now: float) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from automl.report.text import format_duration

    elapsed = progress.elapsed(now)
    if progress.trials:
        total, done = float(progress.trials), float(min(progress.done, progress.trials))
        label = f"{progress.done} of {progress.trials} · {format_duration(elapsed)}"
    else:
        total, done = progress.seconds or 0.0, min(elapsed, progress.seconds or elapsed)
        label = format_duration(elapsed) + (f" of {format_duration(progress.seconds)}" if progress.seconds else "")
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(ProgressBar(total=total or None, completed=done, pulse=not total), _one_line(label))
    return grid


def _best_line(progress: Progress, width: int) -> RenderableType:
    from rich.text import Text

    from automl.report.tables import sparkline
    from automl.report.text import clean_line

    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{metric_title(progress)} ", style="dim")
    if progress.best is None:
        return text.append("no model yet", style="dim")
    text.append(progress.show_score(progress.best.score), style="bold green")
    line = sparkline(progress.history, max(4, min(30, width - 34)))
    if len(progress.history) > 1:
        text.append(f" {line}", style="cyan")
    return text.append(f" {clean_line(progress.best.model)}", style="dim")


def _workers(progress: Progress, now: float, width: int) -> tuple[int, RenderableType]:
    """What the first few workers do, one a line; the others are counted."""
    from rich.table import Table

    from automl.report.text import clean_line, describe_fold, format_duration

    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(style="dim", no_wrap=True, width=3)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True, style="dim")
    shown = sorted(progress.running.items())[:4]
    for worker, job in shown:
        name = clean_line(f"{job.candidate} #{job.trial}, {describe_fold(job.fold)}")
        grid.add_row(_one_line(f"w{worker}"), _one_line(name), _one_line(format_duration(max(0.0, now - job.since))))
    more = len(progress.running) - len(shown)
    if more > 0:
        grid.add_row("", _one_line(f"and {more} more", "dim"), "")
    return grid.row_count, grid


def _top_table(progress: Progress, width: int) -> tuple[int, RenderableType]:
    from rich.table import Table

    from automl.report.text import clean_line, format_duration

    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(style="dim", no_wrap=True, width=3)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    if width >= 60:
        grid.add_column(no_wrap=True, width=3)
        grid.add_column(justify="right", no_wrap=True, style="dim", width=12)
    for rank, entry in enumerate(progress.top(), start=1):
        took = format_duration(entry.seconds) if entry.seconds else ""
        style = "green" if rank == 1 else ""
        cells = [
            str(rank),
            _one_line(clean_line(entry.name), style),
            _one_line(progress.show_score(entry.score), style),
        ]
        move = progress.move_of(entry)
        color = {"▼": "yellow"}.get(move[:1], "green")
        grid.add_row(*([*cells, _one_line(move, color), _one_line(took)] if width >= 60 else cells))
    return grid.row_count, grid


def _tail(progress: Progress) -> tuple[int, RenderableType]:
    """How many configurations ended and how."""
    return (1, _one_line(progress.describe_counts(), "dim")) if progress.done else (0, _one_line(""))


def _decisions(progress: Progress) -> tuple[int, RenderableType]:
    """The last warning and the last decisions."""
    from rich.console import Group

    lines = [_one_line(f"! {text}", "yellow") for text in list(progress.warnings)[-1:]]
    lines += [_one_line(f"· {text}", "dim") for text in list(progress.decisions)[-3:]]
    return len(lines), Group(*lines)
