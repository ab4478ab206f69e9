"""Fewer columns: those that tell most of the target, each row counting for its weight."""

from __future__ import annotations

import numpy as np
import pytest

from automl.matrix import Array, FloatArray
from automl.preprocess.part import FitRows
from automl.preprocess.reduce import Reducer
from automl.task import Task, TaskKind

MULTICLASS = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"))
REGRESSION = Task(kind=TaskKind.REGRESSION, target="y")


def choose(matrix: FloatArray, task: Task, target: Array, weight: Array | None, keep: float) -> list[int]:
    reducer = Reducer("select", keep)
    reducer.fit(matrix, FitRows(task=task, target=target, seed=1, weight=weight))
    return [int(place) for place in reducer.state["columns"]]


def make_matrix(task: Task) -> tuple[FloatArray, Array]:
    """Twelve columns, of which each tells less of the target than the one before; the last is one value."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 300) if task.is_classification else rng.normal(size=300)
    matrix = target[:, None] + rng.normal(size=(300, 12)) * np.geomspace(0.1, 30, 12)
    matrix[:, 11] = 0.1
    return matrix.astype(np.float32), target


@pytest.mark.parametrize("task", [MULTICLASS, REGRESSION])
def test_equal_weights_choose_the_columns_that_no_weights_do(task: Task) -> None:
    matrix, target = make_matrix(task)
    for keep in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert choose(matrix, task, target, np.full(300, 0.3), keep) == choose(matrix, task, target, None, keep)


@pytest.mark.parametrize("task", [MULTICLASS, REGRESSION])
def test_columns_are_chosen_by_the_rows_that_have_weight(task: Task) -> None:
    matrix, target = make_matrix(task)
    matrix[:200, 0] = np.random.default_rng(1).normal(size=200)  # the best column, but for most rows
    weight = np.where(np.arange(300) < 200, 0.0, 3.0)
    assert choose(matrix, task, target, weight, 1 / 12) == [0]
    assert choose(matrix, task, target, None, 1 / 12) == [1]
