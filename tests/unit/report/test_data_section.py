"""How rows were set apart is told as it was done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl.report.blocks import Facts
from automl.report.document import build_section
from automl.report.sections.data import describe_split
from automl.report.source import RunSource
from tests.golden.runs import write_full_run


@pytest.mark.parametrize(
    ("split", "text"),
    [
        ({"kind": "stratified", "folds": 5, "repeats": 1}, "5 folds, stratified"),
        ({"kind": "stratified", "folds": 16, "repeats": 2}, "8 folds, stratified, 2 times"),
        ({"kind": "holdout", "folds": 1, "repeats": 1}, "holdout"),
        ({"kind": "holdout", "folds": 2, "repeats": 2}, "holdout, 2 times"),
        ({"kind": "of_a_plugin"}, "of a plugin"),
        ({"folds": "five", "repeats": 0}, "folds"),
    ],
)
def test_folds_are_counted_once_however_often_they_are_repeated(split: dict[str, Any], text: str) -> None:
    assert describe_split({**split, "reason": "it is small"}) == (text, "it is small")


def test_a_run_that_was_scored_by_repeated_folds_says_so(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    run.update(split={"kind": "stratified", "folds": 16, "repeats": 2, "reason": "the table is small"})
    section = build_section("data", RunSource(run))
    assert section is not None
    facts = next(block for block in section.blocks if isinstance(block, Facts))
    assert ("Scored by", "8 folds, stratified, 2 times", "the table is small") in facts.items
