"""What is said of two runs: which is better, or that their scores cannot be compared."""

from __future__ import annotations

from typing import Any

import pytest

from automl.report.blocks import Paragraph, Table
from automl.report.comparison import comparison_blocks


def compared(*, split: tuple[str | None, str | None] | None) -> dict[str, Any]:
    """A comparison in which A is clearly better; `split` as the settings that differ tell it."""
    score = {"a": 0.78, "b": 1.54, "difference": -0.76, "low": -0.9, "high": -0.6, "p": 0.0, "resamples": 1000}
    side = {"name": "run", "score": 0.8, "low": 0.7, "high": 0.9, "deployed": "linear", "rows": 500, "columns": 3}
    return {
        "a": {**side, "complete": 4},
        "b": {**side, "complete": 4},
        "metric": "rmse",
        "maximize": False,
        "common_rows": 417,
        "matched_by": "row",
        "difference": score,
        "steps": [{"what": "deployed model", **score}],
        "families": [{"family": "linear", "a": 1.26, "b": 1.54}],
        "data": {"same": True, "only_a": [], "only_b": [], "roles": []},
        "settings": [{"name": "split", "a": split[0], "b": split[1]}] if split else [],
        "reason": "models",
    }


def all_text(record: dict[str, Any]) -> str:
    return " ".join(str(block) for block in comparison_blocks(record))


@pytest.mark.parametrize(
    ("split", "named"),
    [
        (("stratified", "time"), ("A: folds of shuffled rows", "B: later rows by models of earlier ones")),
        (("grouped", "shuffled"), ("A: folds of whole groups", "B: folds of shuffled rows")),
        (("holdout", "of a plugin"), ("A: one part held out", "B: of a plugin")),
    ],
)
def test_scores_of_different_kinds_of_split_are_not_compared(split: tuple[str, str], named: tuple[str, str]) -> None:
    blocks = comparison_blocks(compared(split=split))
    assert isinstance(blocks[0], Paragraph)
    assert blocks[0].tone == "warn"
    first, *_ = blocks[0].text.split(". ")
    assert first == "The two scores come from different kinds of split and cannot be compared"
    assert all(words in blocks[0].text for words in named)
    assert "better" not in all_text(compared(split=split))


@pytest.mark.parametrize("split", [None, ("shuffled", "stratified"), (None, "grouped")])
def test_scores_of_one_kind_of_split_are_compared(split: tuple[str | None, str | None] | None) -> None:
    blocks = comparison_blocks(compared(split=split))
    assert isinstance(blocks[0], Paragraph)
    assert blocks[0].text.startswith("A is better than B. ")
    assert next(block.caption for block in blocks if isinstance(block, Table)) == "Where the difference comes from"


def test_who_is_better_by_how_much_does_not_hang_on_the_direction_of_the_metric() -> None:
    """RMSE 300 against 280: B is better by 20, and so it is where the two are swapped, for A."""
    record = compared(split=None)
    better = {"a": 300.0, "b": 280.0, "difference": 20.0, "low": 10.0, "high": 30.0, "p": 0.0, "resamples": 1000}
    worse = {**better, "a": 280.0, "b": 300.0, "difference": -20.0, "low": -30.0, "high": -10.0}
    for name, found in (("B", better), ("A", worse)):
        text = next(
            block.text for block in comparison_blocks({**record, "difference": found}) if isinstance(block, Paragraph)
        )
        assert f"; {name} is better by 20, 95% interval 10 to 30, p < 0.001" in text
