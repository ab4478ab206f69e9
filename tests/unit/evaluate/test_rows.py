"""One row explained: by a model whose answer is known, and by a deployed one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.cli.explain import _find_row
from automl.ensemble.artifact import load_predictor
from automl.errors import UsageError
from automl.evaluate.rows import RowExplanation, draw_background, explain_row
from automl.matrix import FloatArray
from automl.predictor import Predictor
from automl.preprocess.table import Layout, Table
from automl.schema import Column, Role, Schema
from automl.task import Task, TaskKind
from tests.unit.evaluate.test_evaluation import train
from tests.unit.search.runs import StoredRun, make_regression_table

SCHEMA = Schema(
    (
        Column(name="a", role=Role.NUMBER),
        Column(name="b", role=Role.NUMBER),
        Column(name="c", role=Role.CATEGORY, levels=("low", "high")),
    )
)
BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"), metric="roc_auc", maximize=True)


def make_table(rows: list[tuple[float, float, int]]) -> Table:
    return Table(
        layout=Layout(numbers=("a", "b"), categories=("c",), levels=(2,), dates=()),
        numbers=np.array([row[:2] for row in rows], dtype=np.float32),
        categories=np.array([[row[2]] for row in rows], dtype=np.int32),
        dates=np.empty((len(rows), 0)),
    )


def linear(table: Table) -> FloatArray:
    """P(yes) = 0.1·a + 0.2·b + 0.3 if c is high."""
    chance = 0.1 * table.numbers[:, 0] + 0.2 * table.numbers[:, 1] + 0.3 * (table.categories[:, 0] == 1)
    return np.column_stack([1 - chance, chance]).astype(np.float32)


def explain(
    row: tuple[float, float, int], background: list[tuple[float, float, int]], **options: Any
) -> RowExplanation:
    predictor = Predictor(SCHEMA, BINARY, model=None)  # type: ignore[arg-type]
    return explain_row(predictor, linear, make_table([row]), make_table(background), **options)


def test_a_linear_model_adds_weight_times_distance_from_the_mean() -> None:
    """Means of the background: a 1, b 1, c high in half. (3, 1, high): 0.1·2 = 0.2, 0.2·0 = 0, 0.3·0.5 = 0.15."""
    found = explain((3.0, 1.0, 1), [(0.0, 0.0, 0), (2.0, 2.0, 1)])
    assert [name for name, _, _ in found.contributions] == ["a", "c", "b"]
    assert [value for _, value, _ in found.contributions] == pytest.approx([0.2, 0.15, 0.0], abs=1e-6)
    assert (found.base, found.output) == pytest.approx((0.45, 0.8))
    assert (found.label, found.prediction, found.values["c"]) == ("yes", "yes", "high")
    assert found.gap == pytest.approx(0.0, abs=1e-6)


def test_the_other_class_of_two_is_the_mirror_image() -> None:
    no = explain((3.0, 1.0, 1), [(0.0, 0.0, 0), (2.0, 2.0, 1)], label="no")
    assert [value for _, value, _ in no.contributions] == pytest.approx([-0.2, -0.15, 0.0], abs=1e-6)


def test_changes_come_from_values_that_occur_and_say_whether_the_class_flips() -> None:
    """At (3, 1, high) 0.8: a → 0 gives 0.5, still yes; c → low gives 0.5; b → 0 gives 0.6."""
    found = explain((3.0, 1.0, 1), [(0.0, 0.0, 0), (2.0, 2.0, 1)])
    changes = {(change.column, change.instead): (change.output, change.flips) for change in found.changes}
    assert changes[("c", "low")] == (pytest.approx(0.5), False)
    assert changes[("a", 0.0)] == (pytest.approx(0.5), False)
    flipped = explain((2.0, 1.0, 1), [(0.0, 0.0, 0), (1.0, 2.0, 1), (1.8, 1.0, 1)])
    first = flipped.changes[0]  # 0.7 → 0.4 by c alone; a → 0 leaves 0.5
    assert (first.column, first.value, first.instead, first.flips) == ("c", "high", "low", True)


def test_a_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="no class 'yeah'"):
        explain((3.0, 1.0, 1), [(0.0, 0.0, 0)], label="yeah")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    return train(tmp_path_factory.mktemp("rows") / "run", make_regression_table(), "price")


@given(st.integers(0, 119))
def test_what_the_deployed_model_says_is_the_sum_of_its_parts(stored: StoredRun, number: int) -> None:
    predictor = _loaded(stored.run.path)
    table = stored.data.table
    background = draw_background(table, np.arange(len(table)), np.random.default_rng(0), count=10)
    row = table.take(np.array([number]))
    predict = predictor.model.predict_table  # type: ignore[attr-defined]
    found = explain_row(predictor, predict, row, background, seconds=0.0)
    assert sum(value for _, value, _ in found.contributions) == pytest.approx(found.output - found.base, abs=1e-6)
    assert found.output == pytest.approx(float(predict(row)[0, 0]))


def test_a_row_is_found_though_the_search_was_cleared_away(stored: StoredRun, tmp_path: Path) -> None:
    copy = stored.copy_to(tmp_path / "copy")
    assert "out_of_fold" in _find_row(copy.run, copy.data, 3)[1]
    shutil.rmtree(copy.run.search)
    assert list(_find_row(copy.run, copy.data, 3)[1]) == ["truth"]


_cache: dict[Path, Predictor] = {}


def _loaded(path: Path) -> Predictor:
    if path not in _cache:
        _cache[path] = load_predictor(path)
    return _cache[path]
