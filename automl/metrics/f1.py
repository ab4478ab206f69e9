"""F1: the harmonic mean of precision and recall, of the positive class or averaged over several classes."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, count_confusion, decide_labels, mean_f1, mean_f1_losses, total_weight
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
        if y_pred.shape[1] != 2:
            return mean_f1(y_true, y_pred, weight)
        confusion = count_confusion(y_true, y_pred, weight)
        both = confusion[:, 1].sum() + confusion[1].sum()
        return float(2 * confusion[1, 1] / both) if confusion[1].sum() != 0 else float("nan")

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) a share in 1 - F1 = (fp + fn) / (2 tp + fp + fn), times the weight of all; their mean is 1 - F1."""
        if y_pred.shape[1] != 2:
            return mean_f1_losses(y_true, y_pred, weight)
        confusion = count_confusion(y_true, y_pred, weight)
        both = confusion[:, 1].sum() + confusion[1].sum()
        if np.isnan(both) or not confusion[1].any():
            return np.full(len(y_true), np.nan)
        return np.asarray(np.where(decide_labels(y_pred) != y_true, total_weight(len(y_true), weight) / both, 0.0))


plugin = F1()
