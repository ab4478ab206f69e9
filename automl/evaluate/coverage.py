"""Whether intervals of values hold on rows with known answers, and how wide they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.evaluate.evidence import count_effective
from automl.evaluate.fairness import wilson
from automl.intervals import Intervals
from automl.matrix import Array, IntArray


def measure_coverage(
    intervals: Intervals,
    y: Array,
    predicted: Array,
    level: float,
    *,
    weight: Array | None = None,
    units: IntArray | None = None,
) -> dict[str, Any]:
    """How many of the true values y (n,) lie in the intervals round predictions (n,).

    Args:
        weight: of the rows (n,).
        units: group number (n,) of rows that are alike: they count as one where the error is counted.

    Returns:
        {"level", "covered", "low", "high", "mean_width"}; `low` and `high` are the 95% interval of the share covered
        (Wilson 1927, doi:10.2307/2276774), for as many rows as those with their weights and groups are worth.
    """
    low, high = intervals.around(predicted, level)
    share = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    inside = ((low <= y) & (y <= high)).astype(np.float64)
    covered = float((inside * share).sum() / share.sum())  # exactly 1 where all are
    unevenness = len(y) * (share**2).sum() / share.sum() ** 2  # as much as weights and groups each take away
    rows = count_effective(inside, units) / unevenness
    _, least, most = wilson(covered * rows, rows)
    width = float((high - low) @ share / share.sum())
    return {"level": level, "covered": covered, "low": least, "high": most, "mean_width": width}
