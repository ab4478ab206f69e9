"""Figures beside the score: every metric with an interval, each class, calibration, residuals, baselines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from automl.evaluate.evidence import Evidence, read_evidence, split_units
from automl.evaluate.honest import interval_from, widen
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import Metric, get_metric, metrics_of
from automl.search.racing import standard_score
from automl.search.threshold import USUAL, move_threshold
from automl.task import Task, TaskKind

RESAMPLES = 40
RESAMPLE_ROWS = 4_000
# Curves are drawn for every class: of many classes fewer rows are drawn, and the interval is rescaled as ever.
RESAMPLE_CELLS, LEAST_RESAMPLE_ROWS = 150_000, 1_000
CALIBRATION_BINS = 10
# Where there is nothing to learn, what is predicted for a row hangs on the targets of the others and theirs on its own:
# each pair counts twice, so that a score has twice the variance that its rows have.
BETTER_Z = -1.96 * 2**0.5


def describe_quality(payload: dict[str, Any]) -> dict[str, Any]:
    """A worker's job: payload run (path), seed. Returns the parts of evaluation.json that need no resampled choice."""
    evidence = read_evidence(payload["run"])
    task = evidence.data.task
    result: dict[str, Any] = {
        "metrics": score_all(
            task,
            evidence.y,
            evidence.blend,
            evidence.weight,
            seed=int(payload["seed"]),
            threshold=evidence.threshold,
            units=evidence.units,
        ),
        "baselines": {},
    }
    for name, outputs in (("constant", evidence.first_of("dummy")), ("linear", evidence.linear_baseline())):
        if outputs is None:
            result[f"better_than_{name}"] = None
            continue
        if name == "constant":
            outputs = make_constant(outputs)
        z = compare_rows(
            evidence.metric, evidence.y, evidence.judged, outputs, weight=evidence.weight, units=evidence.units
        )
        result["baselines"][name] = {"score": _score(evidence, outputs), "z": float(z) if np.isfinite(z) else None}
        result[f"better_than_{name}"] = bool(z < BETTER_Z)
    if task.is_classification:
        result |= describe_classes(task, evidence.y, evidence.blend, evidence.threshold)
        result["majority"] = find_majority(task, evidence.y, evidence.weight)
    else:
        result["residuals"] = describe_residuals(evidence.y, evidence.blend)
    return result


def compare_rows(
    metric: Metric,
    y: Array,
    one: FloatArray,
    other: FloatArray,
    *,
    weight: Array | None = None,
    units: IntArray | None = None,
) -> float:
    """Standard score of the difference between two models' losses, negative where `one` is better; NaN if undefined."""
    difference = metric.row_influences(y, one, weight) - metric.row_influences(y, other, weight)
    return standard_score(difference, weight, units)


def make_constant(outputs: FloatArray) -> FloatArray:
    """One answer for all rows, from a fold's constant each: where a class is scored often it was trained on seldom, so
    that the folds' constants, put side by side, rank the rows backwards and anything looks better than they."""
    return np.tile(outputs.mean(axis=0), (len(outputs), 1))


def correct_claims(result: dict[str, Any]) -> dict[str, Any]:
    """`better_than_…` without what having been chosen adds: the gain is reduced by the score's optimism.

    Args:
        result: evaluation.json, with `raw_score`, `optimism` (None if it is not known) and `baselines` of a `score` and
            the paired test's `z` each, negative where the model is better.
    """
    optimism, raw, sign = result.get("optimism"), result.get("raw_score"), 1 if result["maximize"] else -1
    claims: dict[str, bool] = {}
    for name, baseline in result["baselines"].items():
        z, score = baseline.get("z"), baseline["score"]
        if z is None or raw is None or score is None or not result.get(f"better_than_{name}"):
            continue
        gain = sign * (raw - score)
        claims[f"better_than_{name}"] = bool(gain > 0 and z * (gain - (optimism or 0.0)) / gain < BETTER_Z)
    return {**result, **claims}


def correct_metrics(result: dict[str, Any]) -> dict[str, Any]:
    """Every metric without what having been chosen adds; the user's own is the score itself.

    Args:
        result: evaluation.json, with `metrics` as they were measured and `optimism_by_metric`, if that was looked for;
            where it is not known of a metric, its value stays and its interval is widened all the same.
    """
    optimisms, metrics = result.get("optimism_by_metric") or {}, dict(result["metrics"])
    for name, entry in metrics.items():
        if name == result["metric"] and optimisms:
            metrics[name] = {
                key: result[source] for key, source in (("value", "score"), ("low", "low"), ("high", "high"))
            }
        elif name in optimisms and entry["value"] is not None:
            metrics[name] = _correct(entry, optimisms[name] or 0.0, maximize=get_metric(name).maximize)
    return {**result, "metrics": metrics}


def _correct(entry: dict[str, Any], optimism: float, *, maximize: bool) -> dict[str, Any]:
    shift = -optimism if maximize else optimism
    value = entry["value"] + shift
    low, high = widen((entry["low"] + shift, entry["high"] + shift), value, optimism, maximize=maximize)
    return {"value": value, "low": low, "high": high}


def _score(evidence: Evidence, outputs: FloatArray) -> float:
    return float(evidence.metric.score(evidence.y, outputs, evidence.weight))


def score_all(
    task: Task,
    y: Array,
    outputs: FloatArray,
    weight: Array | None = None,
    *,
    seed: int = 0,
    threshold: float = USUAL,
    units: IntArray | None = None,
) -> dict[str, dict[str, float | None]]:
    """Every metric of the task: name → value, low, high (95%, bootstrap; from a sample of 4,000 rows, rescaled).

    Args:
        threshold: binary only: the probability from which on the second class is named.
        units: group number (n,) of rows that are drawn together.
    """
    decided = move_threshold(outputs, threshold)
    rng = np.random.default_rng([seed, 19])
    rows = len(y)
    used = min(rows, RESAMPLE_ROWS, max(LEAST_RESAMPLE_ROWS, RESAMPLE_CELLS // outputs.shape[1]))
    draws, share = _draw_samples(rng, rows, used, units)
    shrink = float(np.sqrt(share))
    result: dict[str, dict[str, float | None]] = {}
    for name, metric in metrics_of(task.kind).items():
        seen = decided if metric.needs_labels else outputs
        value = float(metric.score(y, seen, weight))
        if not np.isfinite(value):
            result[name] = {"value": None, "low": None, "high": None}
            continue
        scores = [float(metric.score(y[draw], seen[draw], None if weight is None else weight[draw])) for draw in draws]
        finite = [score for score in scores if np.isfinite(score)]
        low, high = interval_from(finite, value)
        result[name] = {"value": value, "low": value + (low - value) * shrink, "high": value + (high - value) * shrink}
    return result


def _draw_samples(rng: Generator, rows: int, used: int, units: IntArray | None) -> tuple[list[Array], float]:
    """Row numbers of each bootstrap sample of about `used` rows, and the share of all draws that one of them makes."""
    count = RESAMPLES if rows > 1 else 0
    if units is None or not count:
        return [rng.integers(0, rows, used) for _ in range(count)], used / rows if rows else 1.0
    pieces = split_units(units)
    taken = min(len(pieces), max(2, round(len(pieces) * used / rows)))
    draws = [np.concatenate([pieces[place] for place in rng.integers(0, len(pieces), taken)]) for _ in range(count)]
    return draws, taken / len(pieces)


def describe_classes(task: Task, y: Array, outputs: FloatArray, threshold: float = USUAL) -> dict[str, Any]:
    """Rows, precision, recall and F1 of each class, the confusion matrix (rows: true), and calibration.

    All are counts of rows, whatever their weight. A class without rows has no recall and no F1: None.
    """
    k = task.n_classes
    several = task.kind is TaskKind.MULTICLASS
    decided = outputs.argmax(axis=1) if several else (outputs[:, 1] >= threshold).astype(np.int64)
    confusion = np.bincount(y * k + decided, minlength=k * k).reshape(k, k)
    classes = []
    for place, label in enumerate(task.classes):
        hit = int(confusion[place, place])
        precision = hit / max(1, int(confusion[:, place].sum()))
        rows = int(confusion[place].sum())
        recall = hit / rows if rows else None  # of no rows none is missed
        f1 = None if recall is None else 2 * precision * recall / max(1e-12, precision + recall)
        classes.append({"label": label, "rows": rows, "precision": precision, "recall": recall, "f1": f1})
    if task.kind is TaskKind.BINARY:
        sure, right = outputs[:, 1], y == 1
    else:
        sure, right = outputs.max(axis=1), decided == y
    calibration, error = describe_calibration(sure.astype(np.float64), right)
    return {
        "classes": classes,
        "confusion": confusion.tolist(),
        "threshold": threshold,
        "calibration": calibration,
        "calibration_error": error,
    }


def find_majority(task: Task, y: Array, weight: Array | None = None) -> dict[str, Any]:
    """The commonest class and the accuracy of always naming it: its share of the rows, counted by their weight."""
    counts = np.bincount(y, weights=weight, minlength=task.n_classes)
    place = int(counts.argmax())
    return {"label": task.classes[place], "share": float(counts[place] / max(1e-12, counts.sum()))}


def describe_calibration(probability: Array, happened: Array) -> tuple[list[dict[str, float]], float]:
    """Ten bins of equal size: mean probability, share that happened, rows; and the expected calibration error."""
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, CALIBRATION_BINS) if len(part)]
    points = [
        {
            "predicted": float(probability[part].mean()),
            "observed": float(happened[part].mean()),
            "rows": len(part),
        }
        for part in bins
    ]
    error = sum(abs(point["predicted"] - point["observed"]) * point["rows"] for point in points)
    return points, error / max(1, len(probability))


def describe_residuals(y: Array, outputs: FloatArray) -> dict[str, Any]:
    """Quantiles and a histogram of true minus predicted."""
    residuals = y - outputs[:, 0]
    shares = (5, 25, 50, 75, 95)
    counts, edges = np.histogram(residuals, bins=20)
    return {
        "quantiles": {
            str(share): float(value) for share, value in zip(shares, np.percentile(residuals, shares), strict=True)
        },
        "histogram": {"edges": [float(edge) for edge in edges], "counts": [int(count) for count in counts]},
    }
