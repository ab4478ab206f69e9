"""Does the model still predict as well as it was said to: its score on new labelled rows beside the honest one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from automl.ensemble.threshold import move_threshold
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.monitor import Shift
from automl.predictor import Predictor

RESAMPLES = 200
FEWEST_ROWS = 30
LOST = 0.02  # share of the gain over a constant model from which a loss counts as large


def compare_score(
    predictor: Predictor, reference: dict[str, Any], y: Array, outputs: FloatArray
) -> tuple[dict[str, Any], Shift] | None:
    """The decay of the score and the test of it.

    The score of training is the honest one, with its own standard error from its interval; both errors go into the
    interval of the decay. Positive means worse, whatever the metric's direction.

    Args:
        y: (n,) class index or value, known in each row.
        outputs: (n, k) of the model as it is deployed.

    Returns:
        None where there is nothing to compare: fewer than 30 rows, or no score in one of both.
    """
    from scipy.stats import norm

    metric, before = get_metric(predictor.task.metric), reference.get("score")
    if before is None or len(y) < FEWEST_ROWS:
        return None
    judged = move_threshold(outputs, predictor.threshold) if metric.needs_labels else outputs
    rng = np.random.default_rng(71)
    draws = [rng.integers(0, len(y), len(y)) for _ in range(RESAMPLES)]
    now = float(metric.score(y, judged))
    scores = [value for draw in draws if np.isfinite(value := float(metric.score(y[draw], judged[draw])))]
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
