"""What stands under the table of all metrics is true of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl.files import read_json, write_json
from automl.report.blocks import Block, Paragraph, Table
from automl.report.document import build_section
from automl.report.source import RunSource, metric_facts
from automl.run import Run
from tests.golden.runs import write_full_run


def all_metrics(folder: Path, **changes: Any) -> Table:
    run = write_full_run(folder / "run")
    write_json(run.evaluation_path, {**read_json(run.evaluation_path), **changes})
    section = build_section("quality", RunSource(run))
    assert section is not None
    return next(block for block in section.blocks if isinstance(block, Table) and block.caption == "All metrics")


def test_the_rows_are_said_to_be_corrected_and_the_headline_stands_among_them(tmp_path: Path) -> None:
    table = all_metrics(tmp_path)
    assert table.rows[0][:3] == ("ROC AUC", "0.8471", "0.8312 to 0.8629")
    assert "each metric corrected for the choice among many" in table.note
    assert "cross-validation made the score at the top 0.8471, which was 0.8493 before." in table.note


def test_a_run_of_an_earlier_version_has_rows_before_the_correction(tmp_path: Path) -> None:
    table = all_metrics(tmp_path, optimism_by_metric={})
    assert "before the correction for the choice among many" in table.note
    assert "cross-validation made it 0.8471, which was 0.8493 before." in table.note


def test_a_correction_of_nothing_is_said_to_be_one(tmp_path: Path) -> None:
    note = all_metrics(tmp_path, score=0.8493, optimism=0.0).note
    assert "cross-validation left the score at the top at 0.8493." in note


@pytest.mark.parametrize("changes", [{"bootstraps": 0, "optimism": None}, {"score": 0.8493, "raw_score": None}])
def test_a_score_that_was_not_corrected_is_not_said_to_be(changes: dict[str, Any], tmp_path: Path) -> None:
    assert "Neither these nor the score are corrected" in all_metrics(tmp_path, **changes).note


def test_no_interval_ends_beyond_what_the_metric_can_be(tmp_path: Path) -> None:
    metrics = {
        "roc_auc": {"value": 0.999, "low": 0.99, "high": 1.0006},
        "log_loss": {"value": 0.01, "low": -0.002, "high": 0.03},
    }
    assert [row[2] for row in all_metrics(tmp_path, metrics=metrics).rows] == ["0.9900 to 1.0000", "0.0000 to 0.0300"]


@pytest.mark.parametrize(
    ("name", "ends"), [("mcc", (-1.0, 1.0)), ("r2", (-9.0, 1.0)), ("rmse", (0.0, 9.0)), ("of a plugin", (-9.0, 9.0))]
)
def test_bounds_are_moved_into_the_range_of_the_metric(name: str, ends: tuple[float, float]) -> None:
    facts = metric_facts(name)
    assert (facts.clip(-9.0), facts.clip(9.0)) == ends


def test_where_it_errs_is_not_called_nowhere_if_it_was_not_looked_at(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    details = read_json(run.details_path)
    write_json(run.details_path, {**details, "slices": {"overall": 0.2, "rates": True, "slices": [], "skipped": "few"}})
    section = build_section("quality", RunSource(run))
    assert section is not None
    (told,) = [block for block in section.blocks if isinstance(block, Paragraph)]
    assert (told.text, told.tone) == ("Where it errs most was not looked at: few.", "neutral")


def build_quality(run: Run) -> tuple[Block, ...]:
    section = build_section("quality", RunSource(run))
    assert section is not None
    return section.blocks


def test_what_counts_rows_alike_is_set_apart_from_metrics_that_weigh_them(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    assert not any("weighted" in block.text for block in build_quality(run) if isinstance(block, Paragraph))
    run.recipe_path.write_text("data:\n  weight: times\n", encoding="utf-8")
    blocks = build_quality(run)
    place = next(at for at, block in enumerate(blocks) if isinstance(block, Paragraph))
    assert blocks[place] == Paragraph(text="What follows is not weighted by “times”: every row counts the same.")
    captions = [block.caption if isinstance(block, Table) else "" for block in (blocks[place - 1], blocks[place + 1])]
    assert captions == ["All metrics", "Per class"]
    run.evaluation_path.unlink()
    run.details_path.unlink()
    assert build_section("quality", RunSource(run)) is None


def test_rows_of_the_test_file_that_cannot_be_scored_are_counted_under_its_table(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    test = {"file": "new.csv", "rows": 800, "metrics": {"accuracy": {"value": 0.95}}}
    notes = []
    for left_out in ({}, {"blank_rows": 1, "unknown_rows": 200}):
        write_json(run.evaluation_path, {**read_json(run.evaluation_path), "test": {**test, **left_out}})
        (table,) = [block for block in build_quality(run) if isinstance(block, Table) and "test file" in block.caption]
        notes.append(table.note)
    assert "Not scored" not in notes[0]
    assert notes[1].endswith("Not scored: 200 rows whose target is unknown to the model and 1 row without a target.")


def test_a_class_without_rows_has_no_recall(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    entry = {"label": "X", "rows": 0, "precision": 0.0, "recall": None, "f1": None}
    write_json(run.evaluation_path, {**read_json(run.evaluation_path), "classes": [entry]})
    (table,) = [block for block in build_quality(run) if isinstance(block, Table) and block.caption == "Per class"]
    assert table.rows == (("X", 0.0, None, None, 0),)
