"""A test part is scored in the time that is left."""

from __future__ import annotations

import time
from typing import Any, cast

import numpy as np
import pandas as pd

from automl.evaluate.in_time import predict_in_time
from automl.predictor import Predictor
from automl.task import Task, TaskKind


class Slow:
    """Ten milliseconds a row; says the row's own number."""

    task = Task(kind=TaskKind.REGRESSION, target="y")

    def predict_outputs(self, frame: pd.DataFrame) -> Any:
        time.sleep(0.01 * len(frame))
        return frame[["x"]].to_numpy(dtype=np.float32)


FRAME = pd.DataFrame({"x": np.arange(1000.0)})
ROWS = np.arange(0, 1000, 2)


def run(seconds: float) -> tuple[Any, Any, float]:
    began = time.monotonic()
    rows, outputs = predict_in_time(cast(Predictor, Slow()), FRAME, ROWS, deadline=began + seconds, seed=1)
    return rows, outputs, time.monotonic() - began


def test_without_a_deadline_all_rows_are_predicted() -> None:
    rows, outputs, _ = run(float("inf"))
    assert rows.tolist() == ROWS.tolist()
    assert outputs[:, 0].tolist() == [float(row) for row in ROWS]


def test_with_one_a_random_part_of_them_is() -> None:
    rows, outputs, seconds = run(1.2)
    assert 32 <= len(rows) < 130
    assert seconds < 2.0
    assert (np.diff(rows) > 0).all()
    assert outputs[:, 0].tolist() == [float(row) for row in rows]
    assert rows.max() > 700


def test_when_the_time_is_over_none_are() -> None:
    rows, outputs, _ = run(-1.0)
    assert len(rows) == 0
    assert outputs.shape == (0, 1)
