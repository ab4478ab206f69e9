"""Mean absolute error: the average error in the target's own unit."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind


class Mae(Metric):
    """Mean of |prediction - value|."""

    title = "MAE"
    kinds = (TaskKind.REGRESSION,)
    maximize = False
    decimals = 4
    needs_labels = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        return weighted_mean(self.row_losses(y_true, y_pred), weight)

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) absolute errors."""
        return np.abs(y_pred[:, 0].astype(np.float64) - y_true)


plugin = Mae()
