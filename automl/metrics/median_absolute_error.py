"""Median absolute error: half of the rows are predicted better than this, in the target's own unit."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind


class MedianAbsoluteError(Metric):
    """Median of |prediction - value|, deaf to a few wild rows."""

    title = "Median absolute error"
    kinds = (TaskKind.REGRESSION,)
    maximize = False
    decimals = 4
    needs_labels = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        values = y_pred[:, 0].astype(np.float64)
        if not len(y_true) or not np.isfinite(values).all() or (weight is not None and weight.sum() <= 0):
            return float("nan")
        if weight is None:
            return float(np.median(np.abs(values - y_true)))
        from sklearn.metrics import median_absolute_error

        return float(median_absolute_error(y_true, values, sample_weight=weight))

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) absolute errors, scaled so that their mean is the median: a median does not fall apart into rows."""
        errors = np.abs(y_pred[:, 0].astype(np.float64) - y_true)
        mean = weighted_mean(errors, weight) if len(errors) else 0.0
        return errors * (self.score(y_true, y_pred, weight) / mean) if mean != 0 else errors


plugin = MedianAbsoluteError()
