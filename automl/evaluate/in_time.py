"""Scoring a labelled table with a finished model inside the time that is left: as many of its rows as that allows."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from automl.matrix import Array, FloatArray, IntArray
from automl.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd

FIRST_ROWS = 32
LOOK_SECONDS = 1.0


def predict_in_time(
    predictor: Predictor, frame: pd.DataFrame, rows: IntArray, *, deadline: float, seed: int
) -> tuple[IntArray, FloatArray]:
    """Outputs of rows in a random order, a part at a time, until `time.monotonic()` is `deadline`.

    Args:
        rows: those with a known target; with an infinite deadline all of them are predicted, at once.

    Returns:
        The rows (m,) that were predicted, ascending, and their outputs (m, k); none if the time was over before.
    """
    if math.isinf(deadline):
        return rows, predictor.predict_outputs(frame.iloc[rows])
    order = np.random.default_rng([seed, 31]).permutation(rows)
    done, size = 0, FIRST_ROWS
    parts: list[FloatArray] = []
    pace = 0.0  # seconds a row; the first part also pays for imports
    while done < len(order) and time.monotonic() + pace * size < deadline:
        began = time.monotonic()
        parts.append(predictor.predict_outputs(frame.iloc[order[done : done + size]]))
        taken, done = time.monotonic() - began, min(len(order), done + size)
        pace = taken / size if len(parts) > 1 else 0.0
        left = min(LOOK_SECONDS, 0.5 * (deadline - time.monotonic()))
        size = int(np.clip(left / pace, 1, 50_000)) if pace > 0 else FIRST_ROWS
    if not parts:
        return rows[:0], np.zeros((0, predictor.task.n_outputs), dtype=np.float32)
    ascending: Array = np.argsort(order[:done], kind="stable")
    return order[:done][ascending].astype(np.int64), np.concatenate(parts)[ascending]
