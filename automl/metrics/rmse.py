"""Root mean squared error: the typical error in the target's own unit, large errors weighing most."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind


class Rmse(Metric):
    """Square root of the mean squared error."""

    title = "RMSE"
    kinds = (TaskKind.REGRESSION,)
    maximize = False
    decimals = 4
    needs_labels = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        return float(np.sqrt(weighted_mean(self.row_losses(y_true, y_pred), weight)))

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) squared errors."""
        return np.square(y_pred[:, 0].astype(np.float64) - y_true)

    def score_many(self, y_true: Array, y_preds: FloatArray, weight: Array | None = None) -> Array:
        if not len(y_true) or (weight is not None and weight.sum() <= 0):
            return np.full(len(y_preds), np.nan)
        errors = y_preds[:, :, 0].astype(np.float64) - y_true
        np.square(errors, out=errors)
        means = errors.mean(axis=1) if weight is None else errors @ weight / weight.sum()
        return np.asarray(np.sqrt(means))


plugin = Rmse()
