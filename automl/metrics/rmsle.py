"""Root mean squared logarithmic error: the typical ratio of prediction and value, for counts and prices."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind


class Rmsle(Metric):
    """RMSE of log(1 + x); a prediction below 0 counts as 0; NaN if a true value is below 0."""

    title = "RMSLE"
    kinds = (TaskKind.REGRESSION,)
    maximize = False
    decimals = 4
    needs_labels = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        return float(np.sqrt(weighted_mean(self.row_losses(y_true, y_pred), weight)))

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) squared differences of the logarithms."""
        if len(y_true) and y_true.min() < 0:
            return np.full(len(y_true), np.nan)
        predicted = np.log1p(np.maximum(y_pred[:, 0].astype(np.float64), 0.0))
        return np.asarray(np.square(predicted - np.log1p(y_true)))


plugin = Rmsle()
