"""The line that repeats a run names all that the run was given."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from automl.report.blocks import Code
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
