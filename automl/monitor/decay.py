"""Does the model still predict as well as it was said to: its score on new labelled rows beside the honest one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from automl import cells
from automl.data.load import read_row_groups
from automl.errors import DataError
from automl.evaluate.evidence import resample
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import get_metric
from automl.monitor import Shift
from automl.predictor import Predictor
from automl.search.threshold import move_threshold

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 200
FEWEST_ROWS = 30
FEWEST_GROUPS = 10  # fewer do not tell how much a score varies from group to group
LOST = 0.02  # share of the gain over a constant model from which a loss counts as large


def read_weight(reference: dict[str, Any], frame: pd.DataFrame) -> Array | None:
    """Weights (n,) float64 of labelled rows, where the promised score was weighted; else None.

    Raises:
        DataError: if it was and the rows have no such weights: without them the scores are not of one kind.
    """
    name = reference.get("weight")
    if name is None:
        return None
    if name not in frame.columns:
        raise DataError(f"the promised one was weighted by {name!r}, a column that the new rows do not have")
    weight = cells.parse_numbers(frame[name])
    bad = int((~(weight >= 0)).sum())
    if bad:
        raise DataError(f"the weight {name!r} is negative or missing in {bad} row(s)")
    if not weight.sum() > 0:
        raise DataError(f"the weight {name!r} is 0 in every row")
    return weight


def read_units(reference: dict[str, Any], frame: pd.DataFrame) -> IntArray | None:
    """Group numbers (n,) of labelled rows, where training had groups and the rows have them; else None.

    Raises:
        DataError: if there are fewer than ten groups.
    """
    name = reference.get("group")
    groups = read_row_groups(frame, name if name in frame.columns else None)
    if groups is None:
        return None
    count = len(np.unique(groups))
    if count < FEWEST_GROUPS:
        raise DataError(f"{count} groups of {name!r} are too few for an interval; {FEWEST_GROUPS} are needed")
    return groups


def compare_score(
    predictor: Predictor,
    reference: dict[str, Any],
    y: Array,
    outputs: FloatArray,
    weight: Array | None = None,
    units: IntArray | None = None,
) -> tuple[dict[str, Any], Shift] | None:
    """The decay of the score and the test of it.

    The score of training is the honest one, with its own standard error from its interval; both errors go into the
    interval of the decay. Positive means worse, whatever the metric's direction.

    Args:
        y: (n,) class index or value, known in each row.
        outputs: (n, k) of the model as it is deployed.
        weight: (n,), if the score of training was weighted.
        units: group number (n,) of rows that are resampled together.

    Returns:
        None where there is nothing to compare: fewer than 30 rows, or no score in one of both.
    """
    from scipy.stats import norm

    metric, before = get_metric(predictor.task.metric), reference.get("score")
    if before is None or len(y) < FEWEST_ROWS:
        return None
    judged = move_threshold(outputs, predictor.threshold) if metric.needs_labels else outputs
    rng = np.random.default_rng(71)
    now = float(metric.score(y, judged, weight))
    draws = (resample(rng, len(y), units) for _ in range(RESAMPLES))
    drawn = [metric.score(y[draw], judged[draw], None if weight is None else weight[draw]) for draw in draws]
    scores = [value for value in map(float, drawn) if math.isfinite(value)]
    if not math.isfinite(now) or len(scores) < RESAMPLES // 2:
        return None
    error_now = float(np.std(scores, ddof=1))
    low, high = reference.get("low"), reference.get("high")
    error_before = error_now * math.sqrt(len(y) / max(1, int(reference.get("rows") or len(y))))
    if low is not None and high is not None and high > low:
        error_before = (high - low) / (2 * 1.96)
    error = math.hypot(error_now, error_before)
    decay = (before - now) if metric.maximize else (now - before)
    constant = reference.get("constant")
    gain = abs(before - constant) if constant is not None else abs(before)
    lost = decay / gain if gain > 0 else 0.0
    p_value = float(norm.sf(decay / error)) if error > 0 else float(decay <= 0)
    record = {
        "metric": predictor.task.metric, "rows": len(y), "before": before, "now": now,
        "now_low": now - 1.96 * error_now, "now_high": now + 1.96 * error_now,
        "decay": decay, "low": decay - 1.96 * error, "high": decay + 1.96 * error, "lost_share": lost,
    }  # fmt: skip
    text = f"{predictor.task.metric} {now:.4f} on {len(y):,} labelled rows, {before:.4f} promised"
    if constant is not None and lost > 0:
        text += f"; {lost:.0%} of its gain over a constant is lost"
    return record, Shift(
        what="score", p_value=p_value, effect=lost, measure="share of gain", is_large=lost > LOST, text=text
    )
