"""F1: the harmonic mean of precision and recall, of the positive class or averaged over several classes."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, count_confusion, decide_labels
from automl.task import TaskKind


class F1(Metric):
    """F1 of the positive class; with several classes the mean over those that occur or were predicted.

    It is NaN for two classes if no row is positive, for then no prediction could be good.
    """

    title = "F1"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = True
    bounds = (0.0, 1.0)
    decimals = 4
    needs_labels = True
    hangs_on_threshold = True

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        confusion = count_confusion(y_true, y_pred, weight)
        both = confusion.sum(axis=0) + confusion.sum(axis=1)
        if len(confusion) == 2:
            return float(2 * confusion[1, 1] / both[1]) if confusion[1].sum() != 0 else float("nan")
        seen = both != 0
        return float(np.mean(2 * np.diag(confusion)[seen] / both[seen])) if seen.any() else float("nan")

    def row_losses(self, y_true: Array, y_pred: FloatArray) -> Array:
        """(n,) an error's share in 1 - F1 = (fp + fn) / (2 tp + fp + fn), times n: the mean is 1 - F1 exactly."""
        n, k = y_pred.shape
        both = (confusion := count_confusion(y_true, y_pred)).sum(axis=0) + confusion.sum(axis=1)
        if np.isnan(both).any() or (k == 2 and not confusion[1].any()):
            return np.full(n, np.nan)
        share = n / np.maximum(both, 1) / np.count_nonzero(both)
        if k == 2:
            share = np.array([0.0, n / both[1]])
        label = decide_labels(y_pred)
        return np.asarray(np.where(label != y_true, share[y_true] + share[label], 0.0))


plugin = F1()
