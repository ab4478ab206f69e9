"""What says the same is said to say the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from automl.evaluate.likeness import compare_members, relate_columns
from automl.preprocess.table import TableEncoder
from automl.schema import Column, Role, Schema
from automl.task import Task, TaskKind


def test_equal_columns_have_strength_one_and_strange_ones_none() -> None:
    rng = np.random.default_rng(0)
    number = rng.normal(size=2_000)
    group = np.where(number > 0, "up", "down")
    levels = ("up", "down")
    schema = Schema(
        columns=(
            Column(name="a", role=Role.NUMBER, reason=""),
            Column(name="minus cube", role=Role.NUMBER, reason=""),
            Column(name="noise", role=Role.NUMBER, reason=""),
            Column(name="sign", role=Role.CATEGORY, reason="", levels=levels),
            Column(name="opposite", role=Role.CATEGORY, reason="", levels=levels),
        )
    )
    opposite = np.where(number > 0, "down", "up")
    columns = {"a": number, "minus cube": -(number**3), "noise": rng.normal(size=2_000)}
    frame = pd.DataFrame({**columns, "sign": group, "opposite": opposite})
    names = ["a", "minus cube", "sign", "opposite", "noise"]
    found = relate_columns(TableEncoder(schema).encode(frame), names, 0)
    at = {(one, other): found["values"][i][j] for i, one in enumerate(names) for j, other in enumerate(names)}
    assert found["columns"] == names
    assert at["a", "minus cube"] == 1.0
    assert at["sign", "opposite"] > 0.99
    assert abs(at["a", "sign"] - 0.75**0.5) < 0.01  # halves of a uniform: 3/4 of the variance lies between them
    assert max(at["noise", other] for other in names[:4]) < 0.08
    assert all(at[one, other] == at[other, one] for one in names for other in names)


def test_members_that_err_alike_have_correlation_one() -> None:
    task = Task(
        kind=TaskKind.REGRESSION, target="y", classes=(), metric="rmse", maximize=False, label_type="float", reason=""
    )
    y = np.array([1.0, 2.0, 3.0, 4.0])
    outputs = {
        7: y[:, None] + [[1], [-1], [2], [0]],
        8: y[:, None] + [[2], [-2], [4], [0]],
        9: y[:, None] - [[1], [-1], [2], [0]],
    }
    found = compare_members(task, y, outputs, {7: 0.5, 8: 0.3, 9: 0.2}, {7: "one", 8: "double", 9: "opposite"})
    assert found["members"] == ["one", "double", "opposite"]
    assert found["values"] == [[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
