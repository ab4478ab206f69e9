"""Two models on rows that neither has learned from: the paired difference of their scores, and what follows from it."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.evaluate.duel import compare_outputs
from automl.evaluate.evidence import Bootstrap
from automl.files import read_json
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import get_metric
from automl.pictures import collect_faults, find_faulty, tell_left_out
from automl.predictor import Predictor, encode_target
from automl.run import Run
from automl.search.threshold import move_threshold
from automl.task import TaskKind

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 1_000
DUEL_SECONDS = 20.0
NOT_WORSE = 0.05  # of the champion's gain over a constant answer

RULE = (
    "promoted if better (95% interval of the paired difference above 0), or not worse and newer (interval above "
    f"-{NOT_WORSE:.0%} of the champion's gain over a constant)"
)


def hold_against(
    champion: Predictor,
    challenger: Predictor,
    rows: pd.DataFrame,
    run: Run,
    *,
    weight: Array | None = None,
    units: IntArray | None = None,
) -> dict[str, Any]:
    """Both models' scores on the rows held out, the paired difference, and what the rule says.

    Args:
        run: the challenger's.
        weight: of the rows (n,), where the champion's score is weighted.
        units: group number (n,) of rows that are drawn together.

    Returns:
        facts; a figure that is not defined on these rows is None, and nothing is promoted then.
    """
    task = challenger.task
    metric = get_metric(task.metric)
    classes = list(dict.fromkeys((*champion.task.classes, *task.classes)))
    with collect_faults() as faults:
        one, other = (_outputs(predictor, rows, classes, metric.needs_labels) for predictor in (champion, challenger))
    y = _labels(challenger, rows, classes)
    known = (y >= 0 if task.is_classification else np.isfinite(y)) & ~find_faulty(rows, faults)
    y, one, other = y[known], one[known], other[known]
    weight, units = (None if part is None else part[known] for part in (weight, units))
    deadline, samples, rng = time.monotonic() + DUEL_SECONDS, Bootstrap(len(y), units), np.random.default_rng(89)
    draws = (samples.draw(rng) for _ in range(RESAMPLES))
    found = compare_outputs(metric, y, one, other, draws, weight=weight, deadline=deadline)
    constant = float(metric.score(y, _constant(run, task.is_classification, classes, len(y)), weight))
    sign = 1 if metric.maximize else -1
    gain = sign * (found["a"] - constant)
    tolerance = NOT_WORSE * max(0.0, gain) if np.isfinite(gain) else 0.0
    better, newer = found["low"] > 0, tolerance > 0 and found["low"] > -tolerance
    if better:
        verdict = "better"
    elif newer:
        verdict = "not worse, and newer"
    else:
        verdict = "worse" if found["high"] < 0 else "not shown to be as good"
    facts = {
        "champion_score": found["a"],
        "challenger_score": found["b"],
        "constant_score": constant,
        "difference": found["difference"],
        "low": found["low"],
        "high": found["high"],
        "p_value": found["p"],
        "tolerance": tolerance,
    }
    return {
        "metric": task.metric,
        **{name: value if math.isfinite(value) else None for name, value in facts.items()},
        "judged_rows": len(y),
        "verdict": verdict,
        "promoted": better or newer,
        "notices": tell_left_out(faults),
    }


def _outputs(predictor: Predictor, rows: pd.DataFrame, classes: list[str], needs_labels: bool) -> FloatArray:
    """Outputs (n, k) in the order of `classes`; a class that the model does not know has probability 0."""
    outputs = predictor.predict_outputs(rows)
    if needs_labels:
        outputs = move_threshold(outputs, predictor.threshold)
    if not predictor.task.is_classification:
        return outputs
    placed = np.zeros((len(outputs), len(classes)), dtype=outputs.dtype)
    placed[:, [classes.index(label) for label in predictor.task.classes]] = outputs
    return placed


def _labels(predictor: Predictor, rows: pd.DataFrame, classes: list[str]) -> Array:
    """Index in `classes`, of one as well that the challenger has never seen: it answers wrongly there."""
    task = predictor.task
    if task.kind is TaskKind.MULTICLASS:
        task = dataclasses.replace(task, classes=tuple(classes))
    y = encode_target(predictor.find_target(rows), task)
    if not task.is_classification or task.kind is TaskKind.MULTICLASS:
        return y
    places = np.array([*(classes.index(label) for label in task.classes), -1])
    return np.asarray(places[y])


def _constant(run: Run, is_classification: bool, classes: list[str], rows: int) -> FloatArray:
    """What a constant answer learned from the challenger's training rows says of each row."""
    target = np.load(run.data / "target.npy", allow_pickle=False)
    if not is_classification:
        return np.full((rows, 1), float(np.mean(target)), dtype=np.float32)
    own = read_json(run.data / "task.json")["classes"]
    shares = np.bincount(target, minlength=len(own)) / len(target)
    placed = np.zeros(len(classes), dtype=np.float32)
    placed[[classes.index(str(label)) for label in own]] = shares
    return np.tile(placed, (rows, 1))
