"""How good predictions are: one file a metric."""

from __future__ import annotations

import math
from functools import cache
from typing import Protocol

import numpy as np

from automl.errors import UsageError
from automl.matrix import Array, FloatArray, IntArray
from automl.registry import Registry
from automl.task import TaskKind


class Metric(Protocol):
    """A metric, as `plugin` of its file.

    Attributes:
        title: what a report calls it.
        kinds: tasks it is defined for.
        maximize: True if larger is better.
        decimals: digits worth showing.
        needs_labels: True if it judges decided labels, so that a threshold matters.
        bounds: the lowest and the highest score that there can be; of an error the lowest is 0 in any case.
        hangs_on_threshold: True if for two classes of which one is rare the best model may score badly at 0.5: models
            are then compared each at a threshold of its own.
        is_proper: True if it judges the probabilities themselves, and none is better than the true one.
    """

    title: str
    kinds: tuple[TaskKind, ...]
    maximize: bool
    decimals: int
    needs_labels: bool
    bounds: tuple[float, float] = (-math.inf, math.inf)
    is_proper: bool = False
    hangs_on_threshold: bool = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        """The score in natural units (an error is never negative).

        Args:
            y_true: class index (n,) int64, or value (n,) float64.
            y_pred: probabilities (n, k), or values (n, 1).
            weight: (n,) or None.

        Returns:
            The score; NaN if it is not defined for these rows (e.g. ROC AUC with one class).
        """
        ...

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) losses whose mean, weighted where rows have weights, orders models as the metric does (smaller is
        better).

        They are for paired tests on common rows.

        Args:
            y_true, y_pred, weight: as in `score`; where a row's loss depends on other rows, these count by weight.
        """
        ...

    def row_influences(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) numbers with the mean of `row_losses`, whose spread over the square root of n is the error of that mean.

        Row losses themselves, for all metrics but those of pairs of rows.
        """
        return self.row_losses(y_true, y_pred, weight)

    def score_many(self, y_true: Array, y_preds: FloatArray, weight: Array | None = None) -> Array:
        """Scores (m,) float64 of m models at once, as ensemble selection asks for them.

        Args:
            y_true: as in `score`.
            y_preds: (m, n, k) predictions, one model after the other.
            weight: (n,) or None.
        """
        return np.array([self.score(y_true, y_pred, weight) for y_pred in y_preds], dtype=np.float64)

    def condense(self, y_true: Array, y_pred: FloatArray) -> tuple[Array, FloatArray]:
        """The same targets and predictions in as few numbers a row as the score looks at: each mix of condensed
        predictions (n, j), j <= k, scores as the mix of the whole ones does.

        Args:
            y_true: as in `score`, and so of what is returned.
            y_pred: (n, k).
        """
        return y_true, y_pred


def weighted_mean(values: Array, weight: Array | None = None) -> float:
    """Mean of (n,) values; NaN if there are none or the weights sum to 0."""
    if weight is None:
        return float(values.mean()) if len(values) else float("nan")
    total = float(weight.sum())
    return float(values @ weight) / total if total > 0 else float("nan")


def decide_labels(y_pred: FloatArray) -> IntArray:
    """Class index (..., n) int64 of probabilities (..., n, k): the likeliest, or for two classes a threshold of 0.5."""
    if y_pred.shape[-1] == 2:
        return (y_pred[..., 1] >= 0.5).astype(np.int64)
    return np.asarray(y_pred.argmax(axis=-1), dtype=np.int64)


def count_confusion(y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
    """Confusion matrix (k, k) float64, true classes in rows; all NaN if a prediction is not finite.

    Plain counting: scikit-learn's checks cost a hundred times the work itself when it is done thousands of times.
    """
    k = y_pred.shape[1]
    if not np.isfinite(y_pred).all():
        return np.full((k, k), np.nan)
    cells = y_true * k + decide_labels(y_pred)
    return np.bincount(cells, weights=weight, minlength=k * k).reshape(k, k).astype(np.float64)


def mean_f1(y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
    """F1 averaged over the classes that occur or were predicted; NaN if a prediction is not finite."""
    confusion = count_confusion(y_true, y_pred, weight)
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    seen = both != 0  # NaN counts as seen, so that it comes out at the end
    return float(np.mean(2 * np.diag(confusion)[seen] / both[seen])) if seen.any() else float("nan")


def total_weight(rows: int, weight: Array | None) -> float:
    """Of all rows; each counts one without weights."""
    return float(rows) if weight is None else float(weight.sum())


def mean_f1_losses(y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
    """(n,) an error's shares in 1 - F1 of the class that is and of the class that was named: their mean is 1 - F1."""
    both = (confusion := count_confusion(y_true, y_pred, weight)).sum(axis=0) + confusion.sum(axis=1)
    if np.isnan(both).any():
        return np.full(len(y_true), np.nan)
    seen = both != 0
    share = total_weight(len(y_true), weight) / np.where(seen, both, 1.0) / max(1, int(seen.sum()))
    label = decide_labels(y_pred)
    return np.asarray(np.where(label != y_true, share[y_true] + share[label], 0.0))


registry: Registry[Metric] = Registry("automl.metrics", noun="metric")

DEFAULTS = {TaskKind.BINARY: "roc_auc", TaskKind.MULTICLASS: "log_loss", TaskKind.REGRESSION: "rmse"}


@cache
def get_metric(name: str) -> Metric:
    return registry.get(name)


def metrics_of(kind: TaskKind) -> dict[str, Metric]:
    """Name → metric of all that are defined for such tasks."""
    return {name: metric for name in registry.names() if kind in (metric := get_metric(name)).kinds}


def resolve_metric(name: str, kind: TaskKind) -> str:
    """The metric's name; "auto" gives the default of the task.

    Raises:
        UsageError: if it is unknown or not defined for this kind of task.
    """
    if name == "auto":
        return DEFAULTS[kind]
    metric = get_metric(name)
    if kind not in metric.kinds:
        raise UsageError(
            f"The metric {name!r} is not defined for {kind} tasks",
            hint="Choose one of: " + ", ".join(metrics_of(kind)),
        )
    return name
