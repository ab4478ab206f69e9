"""Accuracy: the share of rows whose class was predicted right."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, decide_labels, weighted_mean
from automl.task import TaskKind


class Accuracy(Metric):
    """Share of right labels: the likeliest class, or for two classes a threshold of 0.5."""

    title = "Accuracy"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = True
    bounds = (0.0, 1.0)
    decimals = 4
    needs_labels = True

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        return 1.0 - weighted_mean(self.row_losses(y_true, y_pred), weight)

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) 1 where the label is wrong, else 0; NaN throughout if a prediction is not finite."""
        if not np.isfinite(y_pred).all():
            return np.full(len(y_true), np.nan)
        return np.asarray(decide_labels(y_pred) != y_true, dtype=np.float64)

    def score_many(self, y_true: Array, y_preds: FloatArray, weight: Array | None = None) -> Array:
        if not len(y_true) or not np.isfinite(y_preds).all() or (weight is not None and weight.sum() <= 0):
            return super().score_many(y_true, y_preds, weight)
        right = decide_labels(y_preds) == y_true
        return np.asarray(right.mean(axis=1) if weight is None else right @ weight / weight.sum())


plugin = Accuracy()
