"""`automl evaluate` prints nothing that a metric cannot be, and tells what the model could not read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd

from automl.cli.evaluate import answer_piece, clip_intervals, join_pieces
from automl.data.table import RawTable
from automl.predictor import Predictor
from automl.schema import Column, Role, Schema
from automl.task import Task, TaskKind


def test_an_interval_ends_where_the_metric_does() -> None:
    clipped = clip_intervals(
        {
            "accuracy": {"value": 0.99, "low": 0.979, "high": 1.0008},
            "rmse": {"value": 2.0, "low": -0.3, "high": 4.3},
            "r2": {"value": None, "low": None, "high": None},
        }
    )
    assert clipped["accuracy"] == {"value": 0.99, "low": 0.979, "high": 1.0}
    assert clipped["rmse"] == {"value": 2.0, "low": 0.0, "high": 4.3}
    assert clipped["r2"] == {"value": None, "low": None, "high": None}


def test_cells_that_the_model_cannot_read_are_told_beside_the_score() -> None:
    schema = Schema((Column(name="size", role=Role.NUMBER),))
    task = Task(kind=TaskKind.REGRESSION, target="price")
    model = SimpleNamespace(predict=lambda typed: np.zeros((len(typed), 1), dtype=np.float32))
    predictor = Predictor(schema=schema, task=task, model=cast(Any, model))
    frame = pd.DataFrame({"size": ["1", "about two", "3"], "price": ["1", "2", "3"]})
    (told,) = answer_piece(predictor, RawTable(frame=frame), aside=[]).notices
    assert "size" in told.text and "about two" in told.text
    sound = RawTable(frame=frame.assign(size=["1", "2", "3"]))
    assert answer_piece(predictor, sound, aside=[]).notices == ()


def test_rows_of_a_class_that_the_model_has_not_learned_are_counted_apart_from_blank_ones() -> None:
    schema = Schema((Column(name="size", role=Role.NUMBER),))
    task = Task(kind=TaskKind.BINARY, target="kind", classes=("a", "b"))
    model = SimpleNamespace(predict=lambda typed: np.full((len(typed), 2), 0.5, dtype=np.float32))
    predictor = Predictor(schema=schema, task=task, model=cast(Any, model))
    frame = pd.DataFrame({"size": ["1", "2", "3", "4", "5"], "kind": ["a", "c", "", "c", "b"]})
    answers = answer_piece(predictor, RawTable(frame=frame), aside=[])
    assert (answers.skipped, dict(answers.unknown)) == (3, {"c": 2})
    assert join_pieces([answers, answers], quiet=True).unknown.total() == 4
