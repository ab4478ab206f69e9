"""Same seed, same result: the leaderboard of a run by trials follows from the seed, however it was computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flow.command import PENGUINS, SURVEY, Tool, read_record, without_times


def board(run: Path) -> list[dict[str, Any]]:
    return without_times(read_record(run / "leaderboard.json"))


def test_the_leaderboard_is_the_same_for_two_workers_and_another_hash_seed(
    tool: Tool, seventh: Path, recipe: Callable[[str], Path]
) -> None:
    words = ("fit", PENGUINS, "--target", "body_mass_g", "--trials", "12", "--seed", "7", "--jobs", "2")
    result = tool(*words, "--recipe", recipe("several"), "--out", "run", env={"PYTHONHASHSEED": "1"})
    assert result.code == 0, result
    assert len(board(seventh)) >= 4
    assert board(tool.work / "run") == board(seventh)
    for name in ("score", "low", "high", "raw_score"):
        again, before = (read_record(run / "evaluation.json")[name] for run in (tool.work / "run", seventh))
        assert again == before


def test_the_recipe_of_a_run_repeats_it_even_if_it_is_killed_between(tool: Tool, seventh: Path, killed: Path) -> None:
    run = tool.work / "run"
    shutil.copytree(killed, run)
    result = tool("resume", run, "--quiet")
    assert result.code == 0, result
    assert board(run) == board(seventh)


def test_another_seed_gives_another_result(seventh: Path, penguins: Path) -> None:
    linear = [[model["score"] for model in board(run) if model["name"] == "linear"] for run in (seventh, penguins)]
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
