"""The line that repeats a run names all that the run was given."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from automl.report.blocks import Code, Facts
from automl.report.document import build_section
from automl.report.source import RunSource
from tests.golden.runs import write_full_run


@pytest.mark.parametrize(
    ("data", "test", "ends"),
    [
        ("old rows.csv", None, []),
        ("old.csv", "new rows.csv", ["--test", "new rows.csv"]),
        ("/data/digits.zip", "/data/digits.zip!/test", []),  # the data brings it
        ("/data/mails", "/data/mails/test", []),
        ("/data/mails", "/data/mails_of_may", ["--test", "/data/mails_of_may"]),
    ],
)
def test_the_test_file_is_part_of_the_line(data: str, test: str | None, ends: list[str], tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    run.recipe_path.write_text("seed: 0\n", encoding="utf-8")
    run.update(data=data, test=test)
    section = build_section("reproduce", RunSource(run))
    assert section is not None
    code = next(block for block in section.blocks if isinstance(block, Code) and "recipe" in block.title)
    assert "with the same data and target" in code.title
    words = shlex.split(code.text)
    assert words[:5] == ["automl", "fit", data, "--target", "churn"]
    assert words[7:] == ends


@pytest.mark.parametrize(
    ("trials", "seconds", "budget", "repeats"),
    [
        (40, None, "40 configurations", True),
        (40, 60.0, "40 configurations or 1 min, whichever is first", False),
        (None, 60.0, "1 min", False),
    ],
)
def test_only_a_search_that_no_clock_ends_is_said_to_repeat(
    trials: int | None, seconds: float | None, budget: str, repeats: bool, tmp_path: Path
) -> None:
    run = write_full_run(tmp_path / "run")
    run.update(trials_budget=trials, budget_seconds=seconds)
    section = build_section("reproduce", RunSource(run))
    assert section is not None
    items = [item for block in section.blocks if isinstance(block, Facts) for item in block.items]
    (found,) = [item for item in items if item[0] == "Budget"]
    assert found[1] == budget
    assert ("repeats exactly" in found[2]) == repeats


def test_what_a_program_or_a_notebook_was_called_with_is_no_command_of_the_tool(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")

    def titles(*argv: str) -> list[str]:
        run.update(argv=list(argv))
        section = build_section("reproduce", RunSource(run))
        return [block.title for block in section.blocks if isinstance(block, Code)] if section else []

    assert "The command" in titles("/usr/bin/automl", "fit", "a.csv")
    assert "The command" not in titles("script.py") + titles("/lib/ipykernel_launcher.py", "-f", "k.json")
