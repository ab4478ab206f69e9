"""Macro F1: the harmonic mean of precision and recall, averaged over the classes, two as much as many."""

from __future__ import annotations

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, mean_f1, mean_f1_losses
from automl.task import TaskKind


class MacroF1(Metric):
    """Mean F1 of the classes that occur or were predicted: unlike `f1`, it has no positive class."""

    title = "Macro F1"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = True
    bounds = (0.0, 1.0)
    decimals = 4
    needs_labels = True
    hangs_on_threshold = True

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        return mean_f1(y_true, y_pred, weight)

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        return mean_f1_losses(y_true, y_pred, weight)


plugin = MacroF1()
