"""R²: the share of the target's variance that the predictions explain; a constant at the mean scores 0."""

from __future__ import annotations

import math

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind


class RSquared(Metric):
    """1 - squared error / squared error of the mean; NaN if the target does not vary."""

    title = "R²"
    kinds = (TaskKind.REGRESSION,)
    maximize = True
    bounds = (-math.inf, 1.0)
    decimals = 4
    needs_labels = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        spread = np.square(y_true - weighted_mean(y_true, weight))
        variance = weighted_mean(spread, weight)
        error = weighted_mean(np.square(y_pred[:, 0].astype(np.float64) - y_true), weight)
        return 1.0 - error / variance if variance > 0 else float("nan")

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) squared errors over the variance of these rows: the mean is 1 - R²."""
        variance = weighted_mean(np.square(y_true - weighted_mean(y_true, weight)), weight) if len(y_true) else 0.0
        errors = np.square(y_pred[:, 0].astype(np.float64) - y_true)
        return errors / variance if variance > 0 else np.full(len(y_true), np.nan)


plugin = RSquared()
