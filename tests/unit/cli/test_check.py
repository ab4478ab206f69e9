"""`automl check` says how grave each finding is, and what it did not look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.cli.main import run as run_command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`old.csv` of 400 rows, in which `later` tells `late`; `few.csv` of 150 and `moved.csv` of 400 like rows."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    x, late = rng.normal(size=400).round(3), rng.integers(0, 2, 400)
    frame = pd.DataFrame(
        {"x": x, "late": np.where(late, "yes", "no"), "later": late + rng.normal(0, 0.01, 400).round(4)}
    )
    frame.to_csv("old.csv", index=False)
    frame.head(150).to_csv("few.csv", index=False)
    frame.assign(x=x + 2).to_csv("moved.csv", index=False)
    return tmp_path


def told(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert run_command(["check", *words]) == code
    return " ".join(capsys.readouterr().out.split())


def test_a_risk_is_called_one_and_sets_the_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "risk, target_leak: 'later' alone tells 'late'" in told(["old.csv", "-t", "late"], 4, capsys)


def test_drift_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "warning, drift: 'x' differs in the new file" in told(["old.csv", "moved.csv"], 0, capsys)


def test_a_file_of_few_rows_is_not_said_to_be_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(["old.csv", "few.csv"], 0, capsys)
    assert "note, drift: The files were not compared: the new one has 150 rows, 200 are needed" in text
    assert "Nothing found" not in text
