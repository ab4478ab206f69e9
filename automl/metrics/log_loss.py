"""Log loss: the mean surprise, in nats, at the class that was true."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind

FLOOR = 1e-7  # the surprise at what was held impossible: 16.1 nats, about what float32 can tell from certainty


class LogLoss(Metric):
    """Log loss of probabilities that are first scaled to sum to 1 and then clipped at 1e-7."""

    title = "Log loss"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = False
    decimals = 4
    needs_labels = False
    is_proper = True

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        return weighted_mean(self.row_losses(y_true, y_pred), weight)

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        return _surprise(y_pred[np.arange(len(y_true)), y_true], y_pred.sum(axis=1, dtype=np.float64))

    def score_many(self, y_true: Array, y_preds: FloatArray, weight: Array | None = None) -> Array:
        if not len(y_true) or (weight is not None and weight.sum() <= 0):
            return np.full(len(y_preds), np.nan)
        told = y_preds[:, np.arange(len(y_true)), y_true]
        losses = _surprise(told, y_preds.sum(axis=2, dtype=np.float64))
        return np.asarray(losses.mean(axis=1) if weight is None else losses @ weight / weight.sum())

    def condense(self, y_true: Array, y_pred: FloatArray) -> tuple[Array, FloatArray]:
        """What the class that was true has, and what all others have together."""
        if y_pred.shape[1] <= 2:
            return y_true, y_pred
        told = y_pred[np.arange(len(y_true)), y_true]
        others = y_pred.sum(axis=1, dtype=np.float64) - told
        return np.zeros_like(y_true), np.column_stack([told, others]).astype(y_pred.dtype)


def _surprise(told: Array, total: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):  # rows that sum to 0 become NaN, and so does the score
        share = told / total
    return np.asarray(-np.log(np.clip(share, FLOOR, 1.0)))


plugin = LogLoss()
