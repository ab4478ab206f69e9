"""Mean absolute percentage error, as a fraction: 0.1 is 10 percent of the true value."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind


class Mape(Metric):
    """Mean of |prediction - value| / |value| over the rows whose value is not 0; NaN if there are none.

    scikit-learn divides by 2e-16 where the value is 0; one such row then decides alone.
    """

    title = "MAPE (rows other than 0)"
    kinds = (TaskKind.REGRESSION,)
    maximize = False
    decimals = 4
    needs_labels = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        defined = y_true != 0
        errors = np.abs((y_pred[defined, 0].astype(np.float64) - y_true[defined]) / y_true[defined])
        return weighted_mean(errors, None if weight is None else weight[defined])

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) relative errors, 0 where the value is 0, scaled so that the mean is the score."""
        defined = y_true != 0
        if not defined.any():
            return np.full(len(y_true), np.nan)
        losses = np.zeros(len(y_true))
        losses[defined] = np.abs((y_pred[defined, 0].astype(np.float64) - y_true[defined]) / y_true[defined])
        return losses * (len(y_true) / np.count_nonzero(defined))


plugin = Mape()
