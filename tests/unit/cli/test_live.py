"""The views of a running fit: a panel that fits, plain lines with a heartbeat, warnings only."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from automl.cli.live import MOST_BYTES, LiveView, PlainView, QuietView, open_view
from automl.events import (
    BestImproved,
    Bus,
    DataLoaded,
    Decision,
    JobFinished,
    JobStarted,
    RunFinished,
    RunStarted,
    StageStarted,
    TrialFinished,
    WarningRaised,
)
from tests.golden.runs import START, full_events


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(view: LiveView, width: int, height: int = 24) -> str:
    """One frame as text."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=height, color_system=None)
    view.console = console
    console.print(view.render())
    return stream.getvalue()


def live_view(now: float = START + 30.0) -> LiveView:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    return LiveView(Terminal(), console=console, clock=lambda: now)


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("height", [6, 24])
def test_every_frame_fits_the_terminal(width: int, height: int) -> None:
    view = live_view()
    for event in full_events()[:-1]:
        view(event)
        for worker in range(3):
            view(JobStarted(at=START + 25, trial=7, fold=2, candidate="hist_gradient_boosting", worker=worker))
        lines = drawn(view, width, height).splitlines()
        assert max(map(len, lines)) <= width
        assert len(lines) <= height


def test_the_panel_shows_what_matters() -> None:
    view = live_view()
    for event in full_events()[:-1]:
        view(event)
    view(JobStarted(at=START + 26, trial=9, fold=0, candidate="extra_trees", worker=1))
    text = drawn(view, 100)
    for part in ("churn.csv → churn", "1,200 rows × 5 columns", "5 folds", "ROC AUC", "30 s of 1 min", "0.8493"):
        assert part in text
    for part in ("ensemble of 2", "xgboost #3", "0.8452", "extra_trees #9, fold 1", "3 configurations"):
        assert part in text
    assert "svm is not tried" in text
    assert "memory is nearly full" in text


def test_the_top_five_are_sorted_by_the_metric() -> None:
    view = live_view()
    view(RunStarted(at=START, run="r", data="d.csv", target="price", trials=20))
    view(DataLoaded(at=START, rows=10, columns=2, task="regression", metric="rmse"))
    for number, score in enumerate((30.0, 10.0, 20.0, 60.0, 50.0, 40.0)):
        view(TrialFinished(at=START, trial=number, candidate="linear", status="ok", score=score))
    assert [entry.score for entry in view.progress.top()] == [10.0, 20.0, 30.0, 40.0, 50.0]
    assert "6 of 20" in drawn(view, 80)


def test_a_worker_that_put_its_job_down_is_gone() -> None:
    view = live_view()
    view(JobStarted(at=START, trial=1, fold=0, candidate="svm", worker=0))
    assert "svm #1" in drawn(view, 80)
    view(JobFinished(at=START, trial=1, fold=0, candidate="svm", worker=0, status="ok", seconds=1.0))
    assert "svm #1" not in drawn(view, 80)


def test_it_leaves_a_short_summary_behind() -> None:
    stream = Terminal()
    console = Console(file=stream, force_terminal=True, width=80, height=24)
    with LiveView(stream, console=console, clock=lambda: START + 60) as view:
        for event in full_events():
            view(event)
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue()).splitlines()[-2:]
    assert last[0].startswith("✓ finished in 57 s: 3 configurations")
    assert "warning: memory is nearly full" in last[1]


def test_an_error_inside_closes_the_panel_and_shows_the_cursor() -> None:
    stream = Terminal()
    console = Console(file=stream, force_terminal=True, width=80, height=24)
    with pytest.raises(KeyboardInterrupt), LiveView(stream, console=console) as view:
        view(full_events()[0])
        raise KeyboardInterrupt
    assert "\x1b[?25h" in stream.getvalue()


def test_data_cannot_draw_on_the_terminal() -> None:
    nasty = "x\x1b[2J[bold]\u202ey"
    for view in (live_view(), PlainView(io.StringIO())):
        view(RunStarted(at=START, run=nasty, data=nasty, target=nasty))
        view(Decision(at=START, topic=nasty, text=nasty, reason=nasty))
        view(TrialFinished(at=START, trial=1, candidate=nasty, status="ok", score=0.5))
        view(BestImproved(at=START, score=0.5, model=nasty))
        view(JobStarted(at=START, trial=1, fold=0, candidate=nasty, worker=0))
        view(WarningRaised(at=START, text=nasty))
        text = drawn(view, 120) if isinstance(view, LiveView) else view.stream.getvalue()  # type: ignore[attr-defined]
        assert "\x1b" not in text
        assert "x[2J[bold]y" in text


def test_events_from_another_thread_do_not_break_a_frame() -> None:
    view = live_view()
    for event in full_events()[:-1]:
        view(event)
    stop, begun = threading.Event(), list[int]()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            begun.append(number)
            view(JobStarted(at=START, trial=number, fold=0, candidate="c", worker=number % 50))
            view(
                JobFinished(at=START, trial=1, fold=0, candidate="c", worker=(number + 7) % 50, status="ok", seconds=1)
            )

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        frames = [drawn(view, 80).rstrip("\n").splitlines() for _ in range(50)]
    finally:
        stop.set()
        thread.join()
    assert len(begun) > 1
    for lines in frames:
        assert (lines[0][0], lines[0][-1], lines[-1][0], lines[-1][-1]) == ("╭", "╮", "╰", "╯")
        assert {(len(line), line[0], line[-1]) for line in lines[1:-1]} == {(80, "│", "│")}


def test_plain_lines_tell_stages_improvements_and_decisions() -> None:
    stream = io.StringIO()
    with PlainView(stream, clock=lambda: START) as view:
        for event in full_events():
            view(event)
    assert stream.getvalue().splitlines() == [
        "[   0.0 s] churn.csv -> churn, 1 min, 2 workers",
        "[   0.1 s] reading the data",
        "[   1.0 s] 1,200 rows × 5 columns, binary, 5 folds, ROC AUC (higher is better)",
        "[   1.1 s] dropped customer_id (every value is different)",
        "[   1.5 s] searching",
        "[   3.0 s] best ROC AUC 0.5000 (dummy #0)",
        "[   6.0 s] best ROC AUC 0.8311 (linear #2)",
        "[  20.0 s] best ROC AUC 0.8493 (ensemble, 2 models)",
        "[  21.0 s] svm is not tried (more than 1,000 rows a second)",
        "[  30.0 s] warning: memory is nearly full: one worker fewer",
        "[  57.4 s] finished in 57 s: 3 configurations",
    ]


def test_silence_is_broken_by_a_heartbeat() -> None:
    stream = io.StringIO()
    with PlainView(stream, heartbeat_seconds=0.2, clock=time.time) as view:
        view(dataclasses.replace(full_events()[0], at=time.time()))
        view(StageStarted(stage="search"))
        view(TrialFinished(trial=0, candidate="dummy", status="pruned"))
        deadline = time.monotonic() + 10
        while stream.getvalue().count("searching: 1 configuration, 1 pruned") < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert stream.getvalue().count("searching: 1 configuration, 1 pruned") >= 2


def test_quiet_says_warnings_only() -> None:
    stream = io.StringIO()
    with QuietView(stream) as view:
        for event in full_events():
            view(event)
    assert stream.getvalue() == "warning: memory is nearly full: one worker fewer\n"


def test_a_closed_stream_does_not_end_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    view = PlainView(stream)
    stream.close()
    bus = Bus(view)
    bus(full_events()[0])
    assert bus.sinks == [view]
    assert capsys.readouterr().err == ""


def test_a_pipe_that_nobody_reads_does_not_hold_up_the_run() -> None:
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "w", encoding="utf-8") as stream:
            view, began = PlainView(stream), time.monotonic()
            for _ in range(40):
                view(WarningRaised(text="long " * 2_000))  # 160 kB; a pipe holds 64
            assert time.monotonic() - began < 10
            os.set_blocking(reader, False)
            lines = os.read(reader, 1_000_000).decode().splitlines()
    finally:
        os.close(reader)
    assert 5 < len(lines) < 40
    assert all(len(line) <= MOST_BYTES for line in lines)


def test_the_view_suits_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(open_view(Terminal()), LiveView)
    assert isinstance(open_view(io.StringIO()), PlainView)
    assert isinstance(open_view(Terminal(), quiet=True), QuietView)
    assert isinstance(open_view(Terminal(), json=True), PlainView)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_view(Terminal()), PlainView)


def test_an_interrupted_run_says_so() -> None:
    stream = io.StringIO()
    with PlainView(stream) as view:
        view(RunFinished(status="interrupted", seconds=5.0))
    assert "interrupted, best so far saved in 5.0 s" in stream.getvalue()


def test_importing_the_view_imports_nothing_heavy() -> None:
    code = (
        "import sys, automl.cli.live; print([m for m in ('rich','numpy','pandas','yaml','jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
