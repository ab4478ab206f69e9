"""Ctrl-C, SIGTERM and `automl stop`: the best so far is wrapped up; a second Ctrl-C ends at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.command import SURVEY, Background, Tool, read_record, stray_files, wait_for_trials

WRAP_UP_SECONDS = 12.0


@pytest.fixture
def start(tool: Tool, recipe: Callable[[str], Path]) -> Callable[..., tuple[Background, Path]]:
    """Start a run that would take a minute; returns when it has so many trials."""

    def begin(trials: int = 3, *more: str) -> tuple[Background, Path]:
        run = tool.work / "run"
        words = ("fit", SURVEY, "--target", "married", "--recipe", recipe("several"), "--out", run)
        running = tool.start(*words, *(more or ("--time", "60s")))
        wait_for_trials(running, run, trials)
        assert not running.is_over(), running.wait()
        return running, run

    return begin


def hold_to_wrap_up(running: Background, run: Path, status: str) -> None:
    """The run has ended early and everything that a run has is there."""
    assert read_record(run / "run.json")["status"] == status
    assert (run / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert read_record(run / "evaluation.json")["score"] > 0.5
    assert (run / "model" / "manifest.json").exists()
    assert running.leftovers(within=2) == []
    assert stray_files(run) == []


def test_ctrl_c_in_a_terminal_reaches_the_whole_group_and_wraps_up_with_the_best_so_far(
    tool: Tool, start: Callable[..., tuple[Background, Path]]
) -> None:
    running, run = start()
    sent = time.monotonic()
    os.killpg(running.process.pid, signal.SIGINT)
    result = running.wait()
    assert result.code == 130, result
    assert time.monotonic() - sent < WRAP_UP_SECONDS
    assert "SIGINT" in result.err
    hold_to_wrap_up(running, run, "interrupted")


def test_sigterm_does_the_same_in_a_run_by_trials(tool: Tool, start: Callable[..., tuple[Background, Path]]) -> None:
    running, run = start(1, "--trials", "40")
    os.kill(running.process.pid, signal.SIGTERM)
    result = running.wait()
    assert result.code == 130, result
    assert "SIGTERM" in result.err
    hold_to_wrap_up(running, run, "interrupted")


def test_ctrl_c_twice_ends_at_once_and_the_folder_can_be_resumed(
    tool: Tool, start: Callable[..., tuple[Background, Path]]
) -> None:
    running, run = start(1, "--trials", "9")
    trials = run / "search" / "trials.jsonl"
    os.kill(running.process.pid, signal.SIGINT)
    time.sleep(0.1)
    sent = time.monotonic()
    os.kill(running.process.pid, signal.SIGINT)
    result = running.wait()
    assert time.monotonic() - sent <= 3
    assert result.code == 130, result
    assert "Traceback" not in result.err
    assert running.leftovers(within=2) == []
    before = trials.read_bytes()
    again = tool("resume", run, "--json")
    assert again.code == 0, again
    assert trials.read_bytes().startswith(before)
    assert again.record["status"] == "complete"


def test_stop_from_another_terminal_wraps_up_well(tool: Tool, start: Callable[..., tuple[Background, Path]]) -> None:
    running, run = start()
    during = tool("status", run, "--json")
    assert during.code == 0, during
    facts = during.record
    assert (facts["status"], facts["budget_seconds"], facts["metric"]) == ("running", 60, "roc_auc")
    assert facts["trials"]["ok"] >= 3
    assert 0.5 < facts["best"]["score"] < 1
    assert tool("status", run).out.startswith(f"{run}: running")
    second = tool("resume", run)
    assert second.code == 7, second  # one process a folder
    assert f"process {running.process.pid}" in second.err
    stopped = tool("stop", run, "--json")
    assert stopped.code == 0, stopped
    assert stopped.record == {"schema_version": 1, "run": str(run), "stopping": True}
    result = running.wait()
    assert result.code == 0, result
    assert result.seconds < 40
    hold_to_wrap_up(running, run, "stopped")
    assert tool("status", run, "--json").record["status"] == "stopped"
    assert tool("predict", run, SURVEY, "--quiet").code == 0
    assert not (run / "stop").exists()
    again = tool("stop", run)
    assert again.code == 2, again
    assert "not running" in again.err


@pytest.mark.parametrize("seconds", [0.15, 0.7, 1.5, 2.5])
def test_ctrl_c_before_a_first_model_ends_with_one_sentence(tool: Tool, seconds: float) -> None:
    running = tool.start("fit", SURVEY, "--target", "married", "--time", "60s", "--out", tool.work / "run")
    time.sleep(seconds)
    os.kill(running.process.pid, signal.SIGINT)
    result = running.wait(20)
    assert result.code == 130, result
    assert "Traceback" not in result.err
    assert "nterrupted" in result.err
    assert running.leftovers(within=2) == []
