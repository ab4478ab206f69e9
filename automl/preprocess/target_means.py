"""Categories as the mean target of their level: smoothed, and cross-fitted for the training rows.

Rows of one group are encoded together, from the targets of other groups: where nearly each customer has a level of its
own, a customer's rows would tell each other the answer, which nobody tells the rows of a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from automl.matrix import Array, FloatArray, IntArray
from automl.preprocess.part import FitRows
from automl.preprocess.table import MISSING, UNSEEN
from automl.task import TaskKind

FOLDS = 5
# Of fewer rows nothing is learned.
MIN_ROWS = 10
# Means of levels with so many rows, on average and at least, are not cross-fitted.
ROWS_A_LEVEL, LEAST_ROWS_A_LEVEL = 100, 20
# Numbers that encoding several columns at once may make.
MAX_CELLS_AT_ONCE = 4_000_000
# What scikit-learn's TargetEncoder calls them; left to guess, it takes whole numbers for classes.
TARGET_TYPES = {TaskKind.BINARY: "binary", TaskKind.MULTICLASS: "multiclass", TaskKind.REGRESSION: "continuous"}


def fit_target_means(
    columns: Sequence[Array], levels: Sequence[int], fit: FitRows
) -> Iterator[tuple[Array, FloatArray]]:
    """Smoothed target means a code, and their cross-fitted values for the training rows, of one column after another.

    Each training row is encoded from the targets of other rows, or of other groups' rows where there are groups, as in
    Micci-Barreca 2001, doi:10.1145/507533.507538, with the empirical-Bayes smoothing of scikit-learn's TargetEncoder,
    which takes several columns at once in less time than one by one.

    Args:
        columns: codes (n,) of each.
        levels: how many codes each has beside those of unseen and missing ones.

    Yields:
        look-up (levels + 2, k) and block (n, k) float32, where k is 1 or, for multiclass, the number of classes.
    """
    kind = TARGET_TYPES[fit.task.kind]
    width = fit.task.n_classes if kind == "multiclass" else 1
    present = np.unique(fit.target) if fit.task.is_classification else np.array([0, 1])
    if kind == "multiclass" and len(present) == 2:
        kind = "binary"
    units = number_groups(fit.groups)
    can_learn = len(present) >= 2 and len(fit.target) >= MIN_ROWS and (units is None or units.max() > 0)
    for start, end in _cut_columns(levels, len(fit.target), width):
        sizes = levels[start:end]
        if not can_learn:
            for size in sizes:
                yield np.zeros((size + 2, width), dtype=np.float32), np.zeros((len(fit.target), width), np.float32)
            continue
        codes = np.column_stack(columns[start:end])
        fitted, every = _cross_fit(kind, codes, max(sizes), units, fit)
        for place, size in enumerate(sizes):
            known = np.concatenate([np.arange(size), [UNSEEN, MISSING]])
            lookup = np.empty((size + 2, every.shape[2]), dtype=np.float32)
            lookup[known] = every[np.concatenate([np.arange(size), [-2, -1]]), place]
            block = fitted[:, place]
            # rows of a level that all have its one mean do not tell their targets
            if _has_many_rows(codes[:, place], units, fit.weight):
                block = lookup[codes[:, place]]
            yield _spread(lookup, present, width), _spread(block.astype(np.float32), present, width)


def number_groups(groups: IntArray | None) -> IntArray | None:
    """Groups (n,) by numbers from 0; None if there are none, or each row is one of its own."""
    if groups is None:
        return None
    names, numbers = np.unique(groups, return_inverse=True)
    return None if len(names) == len(groups) else numbers.astype(np.int64)


def deal_groups(units: IntArray, target: Array, seed: int) -> IntArray:
    """Fold numbers (n,) of whole groups, numbered from 0, so that targets are alike in all folds: of five groups whose
    mean targets follow each other, each goes to another fold."""
    rng = np.random.default_rng([seed, 29])
    means = np.bincount(units, weights=target) / np.bincount(units)
    order = np.lexsort((rng.random(len(means)), means))
    fives = np.tile(np.arange(FOLDS), (-(-len(means) // FOLDS), 1))
    folds = np.empty(len(means), dtype=np.int64)
    folds[order] = rng.permuted(fives, axis=1).ravel()[: len(means)]
    return folds[units]


def _cut_columns(levels: Sequence[int], rows: int, width: int) -> Iterator[tuple[int, int]]:
    """Columns [start, end) that may be encoded at once without taking much memory."""
    start = 0
    for end in range(1, len(levels) + 1):
        height = max(rows, *levels[start : end + 1], 0)
        if end == len(levels) or height * width * (end + 1 - start) > MAX_CELLS_AT_ONCE:
            yield start, end
            start = end


def _cross_fit(kind: str, columns: Array, levels: int, units: IntArray | None, fit: FitRows) -> tuple[Array, Array]:
    """Cross-fitted values (n, c, k) of columns (n, c), and those of codes 0 to `levels`, unseen and missing, as if
    each column had so many: (levels + 2, c, k)."""
    import warnings

    from sklearn.preprocessing import TargetEncoder

    folds = _choose_folds(kind, units, fit)
    with warnings.catch_warnings():
        # a class with fewer rows than folds is said once, by the split
        warnings.filterwarnings("ignore", message="The least populated class")
        if fit.weight is not None:
            values = _as_columns(kind, fit.target)
            return _cross_fit_weighted(columns, levels, values, fit.weight, folds.split(columns, fit.target))
        encoder = TargetEncoder(target_type=kind, smooth="auto", cv=folds)
        fitted: Array = encoder.fit_transform(columns, fit.target)
    known = np.concatenate([np.arange(levels), [UNSEEN, MISSING]]).astype(columns.dtype)
    every: Array = encoder.transform(np.repeat(known[:, None], columns.shape[1], axis=1))
    return tuple(values.reshape(len(values), columns.shape[1], -1) for values in (fitted, every))  # type: ignore[return-value]


def _choose_folds(kind: str, units: IntArray | None, fit: FitRows) -> Any:
    """A splitter of scikit-learn's, which alone the encoder takes."""
    from sklearn.model_selection import KFold, PredefinedSplit, StratifiedKFold

    if units is not None:
        return PredefinedSplit(deal_groups(units, fit.target, fit.seed))
    is_sparse = kind != "continuous" and int(np.unique(fit.target, return_counts=True)[1].max()) < FOLDS
    split = KFold if kind == "continuous" or is_sparse else StratifiedKFold  # the latter wants a class for each fold
    return split(FOLDS, shuffle=True, random_state=fit.seed)


def _as_columns(kind: str, target: Array) -> Array:
    """Targets (n, k) float64 that means are taken of: values, or whether a row is of a class that occurs."""
    if kind == "continuous":
        return np.asarray(target, dtype=np.float64)[:, None]
    present = np.unique(target)
    return np.asarray(target[:, None] == (present[1:] if kind == "binary" else present), dtype=np.float64)


def _cross_fit_weighted(
    columns: Array, levels: int, values: Array, weight: Array, folds: Iterator[tuple[Array, Array]]
) -> tuple[Array, Array]:
    """As `_cross_fit`, of values (n, k) and by weights (n,), which scikit-learn's encoder does not know."""
    places = np.where(columns < 0, columns + levels + 2, columns)
    fitted = np.empty((*columns.shape, values.shape[1]))
    for train, rest in folds:
        means = _weigh_means(places[train], levels + 2, values[train], weight[train])
        fitted[rest] = means[places[rest], np.arange(columns.shape[1])]
    return fitted, _weigh_means(places, levels + 2, values, weight)


def _weigh_means(places: Array, size: int, values: Array, weight: Array) -> Array:
    """Smoothed means (size, c, k) of values (n, k) for the places 0 to `size` that c columns (n, c) hold.

    Equations 5 and 6 of Micci-Barreca 2001, as TargetEncoder has them; a level's rows count for as many of equal
    weight as would make its mean as certain (Kish 1965).
    """
    everywhere = np.average(values, axis=0, weights=weight) if weight.any() else values.mean(axis=0)
    variance = weight @ (values - everywhere) ** 2 / max(weight.sum(), 1e-300)
    means = np.empty((size, places.shape[1], values.shape[1]))
    for column, place in enumerate(places.T):
        held, squares = np.bincount(place, weight, size), np.bincount(place, weight**2, size)
        for output, value in enumerate(values.T):
            with np.errstate(invalid="ignore", divide="ignore"):  # levels without weight
                own = np.bincount(place, weight * value, size) / held
                spread = np.bincount(place, weight * (value - own[place]) ** 2, size) / held
                signal = variance[output] * held**2 / squares
                trust = signal / (signal + spread)
                smoothed = trust * own + (1 - trust) * everywhere[output]
            means[:, column, output] = np.where(np.isnan(smoothed), everywhere[output], smoothed)
    return means


def _has_many_rows(column: Array, units: IntArray | None, weight: Array | None) -> bool:
    """Whether a level's mean hangs on none of its rows, and on none of its groups. Means of parts of such a level
    differ by chance alone, which would blur levels that are close to each other, and be another number than the one
    that new rows get."""
    counts = np.unique(column, return_counts=True)[1]
    if not _are_many(counts) or (units is None and weight is None):
        return _are_many(counts)
    return _are_many(_count_independent(column, units, weight))


def _are_many(counts: Array) -> bool:
    return bool(counts.sum() >= ROWS_A_LEVEL * len(counts) and counts.min() >= LEAST_ROWS_A_LEVEL)


def _count_independent(column: Array, units: IntArray | None, weight: Array | None) -> Array:
    """For each level, how many groups (else rows) of equal weight would make its mean as certain (Kish 1965)."""
    levels: Array = np.unique(column, return_inverse=True)[1]
    held = np.ones(len(column)) if weight is None else weight
    if units is not None:
        n_units = int(units.max()) + 1
        pairs, place = np.unique(levels * n_units + units, return_inverse=True)
        levels, held = pairs // n_units, np.bincount(place, held)
    total, squares = np.bincount(levels, held), np.bincount(levels, held**2)
    counts = np.divide(total**2, squares, out=np.zeros(len(total)), where=squares > 0)
    return counts.round(6)  # equal weights are so but for their last digits


def _spread(values: Array, present: Array, width: int) -> FloatArray:
    """Columns of the classes that occur, put in their places among all classes."""
    if values.shape[1] == width:
        return np.asarray(values, dtype=np.float32)
    result = np.zeros((len(values), width), dtype=np.float32)
    if values.shape[1] == 1:
        result[:, present[1]] = values[:, 0]
        result[:, present[0]] = 1 - values[:, 0]
    else:
        result[:, present] = values
    return result
