"""The search section counts what was tried, groups what failed, and says what was not tried."""

from __future__ import annotations

from pathlib import Path

from automl.report.blocks import Chart, Table
from automl.report.document import build_section
from automl.report.source import RunSource
from tests.golden.runs import write_full_run


def tables(folder: Path) -> dict[str, Table]:
    section = build_section("search", RunSource(write_full_run(folder / "run")))
    assert section is not None
    return {block.caption: block for block in section.blocks if isinstance(block, Table)}


def test_families_are_counted_and_the_best_stands_first(tmp_path: Path) -> None:
    rows = tables(tmp_path)["Model families"].rows
    assert rows[0] == ("xgboost", 0.8452, 4, 1, 1, 2, 14.5, 50.1)
    assert [row[0] for row in rows] == ["xgboost", "linear", "dummy"]


def test_failures_of_one_cause_are_one_line_and_pruned_ones_are_none(tmp_path: Path) -> None:
    (row,) = tables(tmp_path)["What failed"].rows
    assert row[1:] == (2, "no end after 20.0 s", "xgboost")


def test_families_that_were_not_tried_have_their_reason(tmp_path: Path) -> None:
    assert tables(tmp_path)["Not tried"].rows == (
        ("svm", "more than 1,000 rows a second"),
        ("neighbors", "its turn did not come within the budget"),
    )


def test_the_best_so_far_comes_from_the_events(tmp_path: Path) -> None:
    section = build_section("search", RunSource(write_full_run(tmp_path / "run")))
    assert section is not None
    (chart,) = [block for block in section.blocks if isinstance(block, Chart)]
    assert chart.series[0].x == (3.0, 6.0, 20.0)
    assert chart.series[0].y == (0.5, 0.8311, 0.8493)
    assert chart.y_range is not None
    assert chart.y_range[0] > 0.7  # the constant model does not flatten the rest
