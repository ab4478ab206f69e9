"""Balanced accuracy: the share of right labels within each class, averaged over the classes."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, count_confusion, decide_labels, total_weight
from automl.task import TaskKind


class BalancedAccuracy(Metric):
    """Mean recall of the classes that occur."""

    title = "Balanced accuracy"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = True
    bounds = (0.0, 1.0)
    decimals = 4
    needs_labels = True
    hangs_on_threshold = True

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        confusion = count_confusion(y_true, y_pred, weight)
        totals = confusion.sum(axis=1)
        seen = totals != 0  # NaN counts as seen, so that it comes out at the end
        return float(np.mean(np.diag(confusion)[seen] / totals[seen])) if seen.any() else float("nan")

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) an error weighs inversely to the size of its class, so that the mean is 1 - balanced accuracy."""
        if not np.isfinite(y_pred).all():
            return np.full(len(y_true), np.nan)
        counts = np.bincount(y_true, weights=weight, minlength=y_pred.shape[1])
        share = total_weight(len(y_true), weight) / (max(1, np.count_nonzero(counts)) * np.where(counts > 0, counts, 1))
        return np.asarray((decide_labels(y_pred) != y_true) * share[y_true], dtype=np.float64)


plugin = BalancedAccuracy()
