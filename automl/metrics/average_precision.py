"""Average precision: the area under the precision-recall curve, for classes that are rare."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric
from automl.task import TaskKind


class AveragePrecision(Metric):
    """Mean, over the positive rows, of the precision at that row's score; multiclass is macro one-vs-rest."""

    title = "Average precision"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = True
    bounds = (0.0, 1.0)
    decimals = 4
    needs_labels = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        weight = np.ones(len(y_true)) if weight is None else weight
        scores = []
        for label in _judged(y_true, y_pred):
            positive = y_true == label
            total = weight[positive].sum()
            if total > 0:
                scores.append(float(_precisions(positive, y_pred[:, label], weight) @ weight[positive]) / total)
        return float(np.mean(scores)) if scores else float("nan")

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) 1 - precision at each positive row, scaled so that the mean is 1 - average precision; 0 elsewhere."""
        n, labels = len(y_true), _judged(y_true, y_pred)
        weight = np.ones(n) if weight is None else weight
        losses = np.zeros(n) if labels else np.full(n, np.nan)
        for label in labels:
            positive = y_true == label
            precisions = _precisions(positive, y_pred[:, label], weight)
            total = float(weight[positive].sum())
            if total > 0:
                losses[positive] += (1 - precisions) * weight.sum() / (total * len(labels))
        return losses


def _judged(y_true: Array, y_pred: FloatArray) -> list[int]:
    """The positive class, or of several classes those that occur; none unless at least two occur."""
    labels = [int(label) for label in np.unique(y_true)]
    if len(labels) < 2 or not np.isfinite(y_pred).all():
        return []
    return [1] if y_pred.shape[1] == 2 else labels


def _precisions(positive: Array, scores: Array, weight: Array) -> Array:
    """Precision among the rows that score at least as high as each positive row, in the order of the rows."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    mass = np.concatenate((np.cumsum(weight[order][::-1])[::-1], [0.0]))
    hits = np.concatenate((np.cumsum((weight * positive)[order][::-1])[::-1], [0.0]))
    first = np.searchsorted(ranked, scores[positive], "left")
    return np.asarray(hits[first] / np.where(mass[first] > 0, mass[first], 1.0))


plugin = AveragePrecision()
