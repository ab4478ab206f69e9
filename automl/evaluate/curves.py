"""What a classifier does at every threshold: ROC, precision-recall, gain, and the counts behind a choice by cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.evaluate.quality import describe_calibration
from automl.matrix import Array, FloatArray
from automl.task import Task, TaskKind

MOST_POINTS = 160
MOST_CLASSES = 8
THRESHOLDS = np.round(np.arange(1, 100) / 100, 2)
SCORE_BINS = 20
PAIR_SHARE = 0.25
PAIR_ROWS = 10


def describe_curves(task: Task, y: Array, outputs: FloatArray, raw: FloatArray) -> dict[str, Any]:
    """The curves of a binary task, or a ROC curve for each of the largest classes.

    Args:
        y: class index (n,).
        outputs: probabilities (n, k) of the deployed ensemble.
        raw: the same before calibration.
    """
    result: dict[str, Any] = {"calibration_before": _calibration_before(task, y, outputs, raw)}
    if task.kind is not TaskKind.BINARY:
        counts = np.bincount(y, minlength=task.n_classes)
        largest = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
        result["roc"] = [
            {"label": task.classes[place], **roc_curve(y == place, outputs[:, place])}
            for place in largest
            if 0 < counts[place] < len(y)
        ]
        result["confused"] = find_confused(task, y, outputs.argmax(axis=1))
        return result
    positive, happened = outputs[:, 1].astype(np.float64), y == 1
    if not 0 < happened.sum() < len(y):
        return result
    result["roc"] = [{"label": task.classes[1], **roc_curve(happened, positive)}]
    result["precision_recall"] = precision_recall_curve(happened, positive)
    result["gain"] = gain_curve(happened, positive)
    result["thresholds"] = count_thresholds(happened, positive)
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    result["scores"] = {
        "edges": edges.round(4).tolist(),
        "counts": [np.histogram(positive[y == place], edges)[0].tolist() for place in (0, 1)],
    }
    return result


def _calibration_before(task: Task, y: Array, outputs: FloatArray, raw: FloatArray) -> dict[str, Any] | None:
    """Reliability before calibration; None where nothing was calibrated."""
    if np.array_equal(outputs, raw):
        return None
    if task.kind is TaskKind.BINARY:
        bins, error = describe_calibration(raw[:, 1].astype(np.float64), y == 1)
    else:
        bins, error = describe_calibration(raw.max(axis=1).astype(np.float64), raw.argmax(axis=1) == y)
    return {"bins": bins, "error": error}


def _cumulate(happened: Array, score: Array) -> tuple[Array, Array, Array]:
    """Hits and false alarms (m,) of taking all rows from each distinct score on, and those scores, falling."""
    order = np.argsort(-score, kind="stable")
    ordered, hits = score[order], np.cumsum(happened[order])
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    return hits[last], last + 1 - hits[last], ordered[last]


def _thin(x: Array, y: Array) -> Array:
    """Places of at most `MOST_POINTS` points, evenly along the curve, the ends among them."""
    if len(x) <= MOST_POINTS:
        return np.arange(len(x))
    way = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    places = np.searchsorted(way, np.linspace(0, way[-1], MOST_POINTS))
    return np.unique(np.concatenate(([0], places.clip(max=len(x) - 1), [len(x) - 1])))


def _short(values: Array) -> list[float]:
    return [round(float(value), 5) for value in values]


def roc_curve(happened: Array, score: Array) -> dict[str, Any]:
    """False positive and true positive rates, thinned, and the area under the whole curve."""
    hits, alarms, _ = _cumulate(happened, score)
    tpr = np.concatenate(([0.0], hits / hits[-1]))
    fpr = np.concatenate(([0.0], alarms / alarms[-1]))
    kept = _thin(fpr, tpr)
    return {"fpr": _short(fpr[kept]), "tpr": _short(tpr[kept]), "auc": float(np.trapezoid(tpr, fpr))}


def precision_recall_curve(happened: Array, score: Array) -> dict[str, Any]:
    """Recall and precision, thinned, the average precision, and the share of positives, which guessing reaches."""
    hits, alarms, _ = _cumulate(happened, score)
    recall, precision = hits / hits[-1], hits / (hits + alarms)
    average = float(np.sum(np.diff(np.concatenate(([0.0], recall))) * precision))
    kept = _thin(recall, precision)
    return {
        "recall": _short(recall[kept]),
        "precision": _short(precision[kept]),
        "average_precision": average,
        "base_rate": float(happened.mean()),
    }


def gain_curve(happened: Array, score: Array) -> dict[str, Any]:
    """Of the rows with the highest scores, a share after the other: which share of all positives they hold.

    Rows with the same score are taken in the order of the file.
    """
    order = np.argsort(-score, kind="stable")
    found = np.concatenate(([0], np.cumsum(happened[order])))
    shares = np.linspace(0, 1, 21)
    taken = np.round(shares * len(score)).astype(np.int64)
    gain = found[taken] / found[-1]
    return {"share": _short(shares), "gain": _short(gain), "rows": taken.tolist(), "found": found[taken].tolist()}


def count_thresholds(happened: Array, score: Array) -> dict[str, Any]:
    """Rows called positive rightly (`hits`) and wrongly (`alarms`) at thresholds 0.01 … 0.99."""
    positives, negatives = np.sort(score[happened]), np.sort(score[~happened])
    # a probability is stored as float32: 0.3 there is not 0.3 here
    edges = THRESHOLDS.astype(np.float32).astype(np.float64)
    return {
        "threshold": THRESHOLDS.tolist(),
        "hits": (len(positives) - np.searchsorted(positives, edges, "left")).tolist(),
        "alarms": (len(negatives) - np.searchsorted(negatives, edges, "left")).tolist(),
        "positives": len(positives),
        "negatives": len(negatives),
    }


def find_confused(task: Task, y: Array, decided: Array) -> list[dict[str, Any]]:
    """Pairs of classes of which at least a quarter of one's rows are taken for the other, the worst first."""
    k = task.n_classes
    counts = np.bincount(y * k + decided, minlength=k * k).reshape(k, k)
    rows = counts.sum(axis=1)
    found: list[dict[str, Any]] = [
        {
            "true": task.classes[one],
            "taken_for": task.classes[other],
            "rows": int(counts[one, other]),
            "share": float(counts[one, other] / rows[one]),
        }
        for one in range(k)
        for other in range(k)
        if one != other and counts[one, other] >= max(PAIR_ROWS, PAIR_SHARE * rows[one])
    ]
    return sorted(found, key=lambda pair: -pair["share"])[:10]
