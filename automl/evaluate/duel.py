"""Two models on the same rows: the difference of their scores with its interval, both resampled together."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric

FEWEST = 50  # resamples, however late it is


def compare_outputs(
    metric: Metric,
    y: Array,
    one: FloatArray,
    other: FloatArray,
    draws: Iterable[Array],
    *,
    weight: Array | None = None,
    deadline: float = math.inf,
) -> dict[str, Any]:
    """Scores, difference (positive where `other` is better) with its 95% interval, and the two-sided p of none.

    Args:
        one, other: outputs (n, k) for the same rows, as the metric is to see them.
        draws: row numbers of each bootstrap sample, made one by one; both models are scored on the same ones.
        deadline: `time.monotonic()` after which 50 samples must do.
    """
    sign = 1 if metric.maximize else -1

    def score(outputs: FloatArray, rows: Array | None = None) -> float:
        if rows is None:
            return float(metric.score(y, outputs, weight))
        return float(metric.score(y[rows], outputs[rows], None if weight is None else weight[rows]))

    scores = score(one), score(other)
    difference = sign * (scores[1] - scores[0])
    drawn: list[float] = []
    for rows in draws:
        if time.monotonic() > deadline and len(drawn) >= FEWEST:
            break
        value = sign * (score(other, rows) - score(one, rows))
        if math.isfinite(value):
            drawn.append(value)
    error = float(np.std(drawn, ddof=1)) if len(drawn) > 1 else 0.0
    z = difference / error if error > 0 else 0.0
    return {
        "a": scores[0],
        "b": scores[1],
        "difference": difference,
        "low": difference - 1.96 * error,
        "high": difference + 1.96 * error,
        "p": math.erfc(abs(z) / math.sqrt(2)) if error > 0 else 1.0,
        "resamples": len(drawn),
    }
