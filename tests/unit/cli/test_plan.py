"""`automl plan` ends with the command that fits what it showed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd
import pytest
import typer

from automl.cli.main import app
from automl.cli.main import run as run_command
from automl.cli.plan import write_fit_command

ASKED = (
    ("--target", "Kauft er?"),
    ("--time", "2m"),
    ("--trials", "3"),
    ("--metric", "average_precision"),
    ("--task", "binary"),
    ("--group", "Haus"),
    ("--time-column", "Tag"),
    ("--weight", "Gewicht"),
    ("--positive", "n'ein"),
    ("--drop", "Name $HOME"),
    ("--drop", "-x"),
    ("--role", "Alter=category"),
    ("--encoding", "utf-8"),
    ("--recipe", "mein rezept.yaml"),
    ("--test", "neue zeilen.csv"),
)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """`meine kunden.csv`, `neue zeilen.csv` and a recipe in the folder in use."""
    monkeypatch.chdir(tmp_path)
    rows = range(120)
    frame = pd.DataFrame(
        {
            "Alter": [20 + 7 * row % 50 for row in rows],
            "Haus": [f"h{row // 3}" for row in rows],
            "Tag": [f"2024-{1 + row // 84:02d}-{1 + row // 3 % 28:02d}" for row in rows],
            "Zahl": [1.37 * row for row in rows],
            "Gewicht": [1 + row % 2 for row in rows],
            "Name $HOME": [f"n{row}" for row in rows],
            "-x": [row % 11 for row in rows],
            "Kauft er?": ["ja" if row % 3 else "n'ein" for row in rows],
        }
    )
    frame.to_csv("meine kunden.csv", index=False)
    frame.to_csv("neue zeilen.csv", index=False)
    Path("mein rezept.yaml").write_text("seed: 5\n", encoding="utf-8")
    return frame


def last_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The words of the last line that `automl plan` prints, as a shell reads them."""
    assert run_command(words) == 0
    return shlex.split(capsys.readouterr().out.rstrip("\n").rpartition("\n")[2])


def test_the_command_asks_for_all_that_the_plan_was_asked_for(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    words = last_command(["plan", "meine kunden.csv", *(word for pair in ASKED for word in pair)], capsys)
    assert words[:3] == ["automl", "fit", "meine kunden.csv"]
    assert sorted(zip(words[3::2], words[4::2], strict=True)) == sorted(ASKED)


def test_every_option_of_a_plan_is_an_option_of_a_fit_and_was_asked_for_above() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    plan, fit = ({flag for option in commands[name].params for flag in option.opts} for name in ("plan", "fit"))
    flags = {flag for flag in plan if flag.startswith("--")}
    assert flags <= fit
    assert flags - {"--json", "--help"} == {flag for flag, _ in ASKED}


def test_a_plan_of_defaults_ends_with_a_command_of_defaults(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    words = last_command(["plan", "meine kunden.csv", "-t", "Alter"], capsys)
    assert words == ["automl", "fit", "meine kunden.csv", "--target", "Alter"]


def test_a_file_with_the_name_of_an_option_is_no_option() -> None:
    assert write_fit_command("--json", {"target": "y"}) == "automl fit ./--json --target y"
    assert write_fit_command("-", {"target": "y"}) == "automl fit - --target y"


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What `automl plan` prints, as one line."""
    assert run_command(words) == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("recipe", "words", "end"),
    [
        ("", [], "; then Optuna goes on from the best."),
        ("", ["--trials", "500"], "; then Optuna goes on from the best."),
        ("", ["--trials", "3"], "Tried in this order, 3 in all: "),
        ("search: {tune: false}", [], "Tried in this order, and nothing after it: "),
        ("search: {tune: false}", ["--trials", "3"], "Tried in this order, 3 in all: "),
    ],
)
def test_optuna_is_said_to_go_on_only_if_it_does(
    recipe: str, words: list[str], end: str, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mein rezept.yaml").write_text(recipe or "seed: 5\n", encoding="utf-8")
    asked = ["plan", "meine kunden.csv", "-t", "Kauft er?", "--recipe", "mein rezept.yaml", *words]
    text = told(asked, capsys)
    assert end in text
    assert ("Optuna" in text) == ("Optuna" in end)


@pytest.mark.parametrize(
    ("split", "text"),
    [("{folds: 3, repeats: 2}", "3 folds, stratified, 2 times"), ("{folds: 1, repeats: 1}", "Scored by holdout")],
)
def test_a_plan_counts_folds_once_however_often_they_are_repeated(
    split: str, text: str, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mein rezept.yaml").write_text(f"split: {split}\n", encoding="utf-8")
    assert text in told(["plan", "meine kunden.csv", "-t", "Kauft er?", "--recipe", "mein rezept.yaml"], capsys)
