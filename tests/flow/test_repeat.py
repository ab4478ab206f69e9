"""Same seed, same result: the leaderboard of a run by trials follows from the seed, however it was computed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flow.command import PENGUINS, SURVEY, Tool, read_lines, read_record, without_times

FIT = ("--target", "body_mass_g", "--trials", "12", "--seed", "7")


def board(run: Path) -> list[dict[str, Any]]:
    return without_times(read_record(run / "leaderboard.json"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, recipe: Callable[[str], Path]) -> Path:
    """12 trials with seed 7 in one worker."""
    tool = Tool(tmp_path_factory.mktemp("first"))
    words = ("fit", PENGUINS, *FIT, "--jobs", "1", "--recipe", recipe("several"), "--out", "run")
    result = tool(*words, env={"PYTHONHASHSEED": "0"})
    assert result.code == 0, result
    return tool.work / "run"


def test_the_leaderboard_is_the_same_for_two_workers_and_another_hash_seed(
    tool: Tool, first: Path, recipe: Callable[[str], Path]
) -> None:
    words = ("fit", PENGUINS, *FIT, "--jobs", "2", "--recipe", recipe("several"), "--out", "run")
    result = tool(*words, env={"PYTHONHASHSEED": "1"})
    assert result.code == 0, result
    assert len(board(first)) >= 4
    assert board(tool.work / "run") == board(first)
    for name in ("score", "low", "high", "raw_score"):
        again, before = (read_record(run / "evaluation.json")[name] for run in (tool.work / "run", first))
        assert again == before


def test_the_recipe_of_a_run_repeats_it_even_if_it_was_killed_between(tool: Tool, first: Path) -> None:
    shutil.copy(first / "recipe.yaml", tool.work / "recipe.yaml")
    run = tool.work / "run"
    running = tool.start(
        "fit", PENGUINS, "--target", "body_mass_g", "--recipe", tool.work / "recipe.yaml", "--jobs", "2", "--out", run
    )
    deadline = time.monotonic() + 60
    while len(read_lines(run / "search" / "specs.jsonl")) < 9 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    assert len(read_lines(run / "search" / "trials.jsonl")) < 12
    result = tool("resume", run, "--quiet")
    assert result.code == 0, result
    assert board(run) == board(first)


def test_another_seed_gives_another_run(tool: Tool, survey: Path, recipe: Callable[[str], Path]) -> None:
    words = ("fit", SURVEY, "--target", "married", "--trials", "2", "--seed", "8", "--recipe", recipe("linear"))
    assert tool(*words, "--out", "run", "--quiet").code == 0
    linear = [[m["score"] for m in board(run) if m["name"] == "linear"] for run in (tool.work / "run", survey)]
    assert linear[0] != linear[1]  # other folds


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("table", "target"), [(SURVEY, "married"), (PENGUINS, "body_mass_g")])
def test_all_families_repeat(tool: Tool, table: Path, target: str) -> None:
    boards = []
    for number, jobs in enumerate(("1", "2", "1", "2")):
        words = ("fit", table, "--target", target, "--trials", "20", "--seed", "7", "--jobs", jobs, "--quiet")
        result = tool(*words, "--out", f"run{number}", env={"PYTHONHASHSEED": str(number)})
        assert result.code == 0, result
        boards.append(board(tool.work / f"run{number}"))
    assert all(each == boards[0] for each in boards)
