"""Same seed, same result: the leaderboard of a run by trials follows from the seed, however it was computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.flow.command import PENGUINS, SURVEY, Maker, Prepared, Tool, read_record, without_times
from tests.flow.conftest import write_recipe


def board(run: Path) -> list[dict[str, Any]]:
    return without_times(read_record(run / "leaderboard.json"))


def make_again(work: Path) -> tuple[str | Path, ...]:
    twelve = ("--trials", "12", "--seed", "7", "--recipe", write_recipe(work, "two"))
    return "PYTHONHASHSEED=1", "fit", PENGUINS, "-t", "body_mass_g", *twelve, "--jobs", "2", "--out", "again"


PREPARED: dict[str, Maker] = {"again": make_again}


def test_the_leaderboard_is_the_same_for_two_workers_and_another_hash_seed(prepared: Prepared, seventh: Path) -> None:
    again = prepared.run("again")
    assert len(board(seventh)) >= 4
    assert board(again) == board(seventh)
    for name in ("score", "low", "high", "raw_score"):
        assert read_record(again / "evaluation.json")[name] == read_record(seventh / "evaluation.json")[name]


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
