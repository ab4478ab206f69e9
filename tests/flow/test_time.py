"""The time is kept, whatever the models do; a model that misbehaves costs its own trial and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.faults.doubles import offer
from tests.flow.command import SURVEY, Maker, Prepared, Tool, read_lines, read_record, stray_files

GRACE_SECONDS = 5.0

NAMES = ("hanging", "crashing", "leaving", "eating", "refusing", "inventing")
UNTIL_THE_END = "staying"  # heeds no SIGTERM


def write_wide_table(path: Path) -> None:
    """1,500 rows, 60 columns: enough that no family is done at once."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1500, 60))
    y = rng.permutation(6)[np.argmax(x[:, :6] + rng.normal(size=(1500, 6)), axis=1)]
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(60)]).assign(label=[f"class {i}" for i in y])
    frame.to_csv(path, index=False)


def test_ten_seconds_are_ten_seconds_whatever_the_models_do(prepared: Prepared, tool: Tool) -> None:
    prepared.wait()  # what this machine can do in ten seconds is for this run alone
    table = tool.work / "table.csv"
    write_wide_table(table)
    families = f"linear, xgboost, extra_trees, hanging, {UNTIL_THE_END}"
    (tool.work / "mine.yaml").write_text(f"search: {{candidates: [{families}]}}\n", encoding="utf-8")
    env = offer(tool.folder / "plug-ins")
    words = ("fit", table, "--target", "label", "--time", "10s", "--recipe", "mine.yaml", "--out", "run", "--json")
    running = tool.start(*words, env=env)
    result = running.wait()
    assert result.code == 0, result
    assert result.seconds <= 10 + GRACE_SECONDS
    assert result.record["status"] == "complete"
    assert result.record["better_than_constant"] is True
    assert running.leftovers(within=2) == []
    assert stray_files(tool.work / "run") == []


def make_unruly(work: Path) -> tuple[str | Path, ...]:
    """A run by trials in which seven families misbehave; a fold may take a second."""
    folder = work / "plug-ins"
    env = offer(folder)
    names = ", ".join(("linear", *NAMES, UNTIL_THE_END))
    text = f"search: {{candidates: [{names}], tune: false, trial_seconds: 1}}\nsplit: {{folds: 3, repeats: 1}}\n"
    (work / "unruly.yaml").write_text(text, encoding="utf-8")
    words = ("fit", SURVEY, "--target", "married", "--recipe", "unruly.yaml", "--trials", "14", "--memory", "1500M")
    return *(f"{name}={value}" for name, value in env.items()), *words, "--out", "unruly", "--json"


PREPARED: dict[str, Maker] = {"unruly": make_unruly}


@pytest.fixture(scope="module")
def unruly(prepared: Prepared) -> Path:
    return prepared.run("unruly")


def test_each_misbehaviour_is_a_record_with_its_reason(unruly: Path) -> None:
    trials = {line["candidate"]: line for line in read_lines(unruly / "search" / "trials.jsonl")}
    told = {
        name: (trials[name]["status"], trials[name]["reason"]) for name in trials if name not in ("dummy", "linear")
    }
    assert {name: status for name, (status, _) in told.items()} == {
        "hanging": "timed_out",
        "staying": "timed_out",
        "crashing": "crashed",
        "leaving": "crashed",
        "eating": "out_of_memory",
        "refusing": "failed",
        "inventing": "non_finite",
    }
    assert "not done after" in told["hanging"][1]
    assert "not done after" in told["staying"][1]
    assert "SIGSEGV" in told["crashing"][1]
    assert "code 3" in told["leaving"][1]
    assert "MB" in told["eating"][1]
    assert "not to my taste" in told["refusing"][1]
    assert "non-finite" in told["inventing"][1]
    assert read_record(unruly / "evaluation.json")["score"] > 0.6


def test_failed_trials_are_told_in_the_report(unruly: Path) -> None:
    report = (unruly / "report.html").read_text(encoding="utf-8")
    for name in NAMES:
        assert name in report
    assert "not to my taste" in report


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [10, 30, 60])
@pytest.mark.parametrize("kind", ["classes", "values"])
def test_the_time_is_kept_on_a_larger_table(tool: Tool, seconds: int, kind: str) -> None:
    """20,000 rows of 16 numbers; 26 classes, or a value."""
    rng = np.random.default_rng(8)
    x = rng.integers(0, 16, size=(20_000, 16))
    centres = rng.integers(0, 16, size=(26, 16))
    label = np.argmin(((x[:, None, :] - centres) ** 2).sum(axis=2), axis=1)
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(16)])
    frame["y"] = [chr(65 + i) for i in label] if kind == "classes" else (x**2).sum(axis=1) + rng.normal(size=20_000)
    table = tool.work / "table.csv"
    frame.to_csv(table, index=False)
    running = tool.start("fit", table, "--target", "y", "--time", f"{seconds}s", "--out", "run", "--json")
    result = running.wait(seconds + 60)
    assert result.code == 0, result
    assert result.seconds <= seconds + GRACE_SECONDS
    assert result.record["better_than_constant"] is True
    assert tool("predict", "run", table, "--quiet").code == 0
    assert running.leftovers(within=2) == []
