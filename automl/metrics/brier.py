"""Brier score: the mean squared distance of the probabilities from what happened."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind


class Brier(Metric):
    """(p - y)² of the positive class, in 0..1; with several classes the sum over the classes, in 0..2 (Brier 1950)."""

    title = "Brier score"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = False
    decimals = 4
    needs_labels = False
    is_proper = True

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        return weighted_mean(self.row_losses(y_true, y_pred), weight)

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        if y_pred.shape[1] == 2:
            return np.square(y_pred[:, 1].astype(np.float64) - y_true)
        happened = np.eye(y_pred.shape[1])[y_true]
        return np.asarray(np.square(y_pred - happened).sum(axis=1))


plugin = Brier()
