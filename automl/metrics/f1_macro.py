"""Macro F1: the harmonic mean of precision and recall, averaged over the classes, two as much as many."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, count_confusion, decide_labels
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
        confusion = count_confusion(y_true, y_pred, weight)
        both = confusion.sum(axis=0) + confusion.sum(axis=1)
        seen = both != 0  # NaN counts as seen, so that it comes out at the end
        return float(np.mean(2 * np.diag(confusion)[seen] / both[seen])) if seen.any() else float("nan")

    def row_losses(self, y_true: Array, y_pred: FloatArray) -> Array:
        """(n,) an error's shares in 1 - F1 of the class that is and of the class that was named; the mean is 1 - F1."""
        both = (confusion := count_confusion(y_true, y_pred)).sum(axis=0) + confusion.sum(axis=1)
        if np.isnan(both).any():
            return np.full(len(y_true), np.nan)
        share = len(y_true) / np.maximum(both, 1) / np.count_nonzero(both)
        label = decide_labels(y_pred)
        return np.asarray(np.where(label != y_true, share[y_true] + share[label], 0.0))


plugin = MacroF1()
