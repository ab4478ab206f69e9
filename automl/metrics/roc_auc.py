"""Area under the ROC curve: how often a positive row is ranked above a negative one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean
from automl.task import TaskKind


class RocAuc(Metric):
    """ROC AUC; with several classes the mean over those that occur, each against the rest (macro one-vs-rest)."""

    title = "ROC AUC"
    kinds = (TaskKind.BINARY, TaskKind.MULTICLASS)
    maximize = True
    bounds = (0.0, 1.0)
    decimals = 4
    needs_labels = False

    def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
        if y_pred.shape[1] == 2:
            return _area(y_true == 1, y_pred[:, 1], weight)
        areas = [_area(y_true == label, y_pred[:, label], weight) for label in range(y_pred.shape[1])]
        defined = [area for area in areas if not np.isnan(area)]
        return float(np.mean(defined)) if defined and np.isfinite(y_pred).all() else float("nan")

    def row_losses(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """(n,) structural components (DeLong et al. 1988, doi:10.2307/2531595); their mean is 1 - AUC."""
        return _mean_over_classes(_components, y_true, y_pred, weight)

    def row_influences(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> Array:
        """As DeLong's variance has it: the area is the mean over positive rows, and over the others, each whole."""
        return _mean_over_classes(_influences, y_true, y_pred, weight)

    def score_many(self, y_true: Array, y_preds: FloatArray, weight: Array | None = None) -> Array:
        if y_preds.shape[2] != 2 or weight is not None:
            return super().score_many(y_true, y_preds, weight)
        positive = y_true == 1
        above = np.sort(y_preds[:, positive, 1], axis=1)
        below = np.sort(y_preds[:, ~positive, 1], axis=1)
        return np.array([_area_of_sorted(*pair) for pair in zip(above, below, strict=True)], dtype=np.float64)


def _mean_over_classes(
    rows: Callable[[Array, Array, Array], Array], y_true: Array, y_pred: FloatArray, weight: Array | None
) -> Array:
    """What `rows` makes of (positive, scores, weight), for the second of two classes or as the mean over those that
    occur."""
    weight = np.ones(len(y_true)) if weight is None else weight
    if y_pred.shape[1] == 2:
        return rows(y_true == 1, y_pred[:, 1], weight)
    labels = np.unique(y_true)
    if len(labels) < 2:
        return np.full(len(y_true), np.nan)
    return np.asarray(np.mean([rows(y_true == label, y_pred[:, label], weight) for label in labels], axis=0))


def _area(positive: Array, scores: Array, weight: Array | None) -> float:
    if weight is None:
        return _area_of_sorted(np.sort(scores[positive]), np.sort(scores[~positive]))
    total = float(weight[positive].sum())
    if not positive.any() or positive.all() or total <= 0 or weight[~positive].sum() <= 0:
        return float("nan")
    wins = _placements(scores[positive], scores[~positive], weight[~positive])
    return float(wins @ weight[positive]) / total


def _area_of_sorted(above: Array, below: Array) -> float:
    """The Mann-Whitney form; sorting both sides first makes the look-ups run along the memory."""
    if (
        not len(above)
        or not len(below)
        or not np.isfinite(above[[0, -1]]).all()
        or not np.isfinite(below[[0, -1]]).all()
    ):
        return float("nan")
    wins = np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
    return float(wins) / (2.0 * len(above) * len(below))


def _placements(scores: Array, others: Array, weight: Array | None = None) -> Array:
    """Share of `others` that lies below each score; a tie counts half. NaN if a value is not finite."""
    if not (np.isfinite(scores).all() and np.isfinite(others).all()):
        return np.full(len(scores), np.nan)
    order = np.argsort(others, kind="stable")
    weights = np.ones(len(others)) if weight is None else weight[order]
    below = np.concatenate(([0.0], np.cumsum(weights, dtype=np.float64)))
    ranked = others[order]
    left, right = np.searchsorted(ranked, scores, "left"), np.searchsorted(ranked, scores, "right")
    return np.asarray((below[left] + below[right]) / (2.0 * below[-1]))


def _components(positive: Array, scores: Array, weight: Array) -> Array:
    """A row's share of rows of the other kind on its wrong side; a tie counts half. One sort ranks both kinds."""
    n, total, of_positive = len(positive), float(weight.sum()), float(weight[positive].sum())
    if not 0 < of_positive < total or not np.isfinite(scores).all():
        return np.full(n, np.nan)
    order = np.argsort(scores)
    ranked, is_positive = scores[order], positive[order]
    first = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))  # of the rows that tie
    tied = np.diff(first, append=n)
    mass = np.concatenate(([0.0], np.cumsum(weight[order], dtype=np.float64)))
    positives = np.concatenate(([0.0], np.cumsum(weight[order] * is_positive, dtype=np.float64)))
    twice_positives = positives[first] + positives[first + tied]  # below, and half of those that tie
    twice_negatives = mass[first] + mass[first + tied] - twice_positives
    of_negative = total - of_positive
    above = 1 - np.repeat(twice_negatives, tied) / (2.0 * of_negative)
    below = np.repeat(twice_positives, tied) / (2.0 * of_positive)
    losses = np.empty(n)
    losses[order] = np.where(is_positive, above * total / (2 * of_positive), below * total / (2 * of_negative))
    return losses


def _influences(positive: Array, scores: Array, weight: Array) -> Array:
    """`_components` with twice their distances from what each side would have if all its rows were alike."""
    losses = _components(positive, scores, weight)
    area = weighted_mean(losses, weight)
    share = weighted_mean(positive.astype(np.float64), weight)
    alike = area / (2 * np.where(positive, share, 1 - share))
    influences: Array = area + 2 * (losses - alike)
    return influences


plugin = RocAuc()
