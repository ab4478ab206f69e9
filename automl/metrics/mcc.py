"""Matthews correlation coefficient: the correlation of true and predicted labels, fair to classes of unequal size."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, count_confusion, decide_labels, total_weight
from automl.task import TaskKind


class MatthewsCorrelation(Metric):
    """MCC for any number of classes (Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006).

    It is 0 if all rows get one label, and NaN if all rows are of one class.
    """

    title = "Matthews correlation"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = True
    bounds = (-1.0, 1.0)
    decimals = 4
    needs_labels = True
    hangs_on_threshold = True

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        confusion = count_confusion(y_true, y_pred, weight)
        true, told, total = confusion.sum(axis=1), confusion.sum(axis=0), confusion.sum()
        spread_true, spread_told = total**2 - true @ true, total**2 - told @ told
        if np.isnan(total) or np.count_nonzero(true) < 2:
            return float("nan")
        if np.count_nonzero(told) < 2:
            return 0.0
        return float((np.trace(confusion) * total - true @ told) / np.sqrt(spread_true * spread_told))

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) equal shares of 1 - MCC on the wrong rows: the coefficient itself does not fall apart into rows."""
        loss = 1.0 - self.score(y_true, y_pred, weight)
        wrong = decide_labels(y_pred) != y_true
        if np.isnan(loss) or not wrong.any():
            return np.full(len(y_true), loss)
        of_wrong = total_weight(len(y_true), weight * wrong) if weight is not None else float(np.count_nonzero(wrong))
        return np.asarray(wrong * (loss * total_weight(len(y_true), weight) / max(of_wrong, 1e-300)))


plugin = MatthewsCorrelation()
