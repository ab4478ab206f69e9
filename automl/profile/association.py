"""How strongly each column alone goes with the target, measured on a bounded sample of rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from automl.matrix import Array, IntArray
from automl.schema import Role

if TYPE_CHECKING:
    from automl.data import Dataset

MOST_ROWS = 5_000  # of a sample, and fewer if there are many columns
MOST_CELLS = 10_000_000
BLOCK = 256  # columns handled at once, so that memory is bounded
ORDERED = (Role.NUMBER, Role.DATE)
# Several findings and the summary ask for the same figures of the same table.
_measured: WeakKeyDictionary[Dataset, list[Association]] = WeakKeyDictionary()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """One column against the target.

    Attributes:
        strength: 0 (none) to 1, by `measure`.
        measure: "|2 AUC - 1|" (of several classes, each against the rest, the mean by their size), "|Spearman|",
            "correlation ratio" or "Cramér's V".
        skill: share of a blind guess's error that is saved by guessing the target of a row that is next to it in this
            column: 1 if the column tells the target, about 0 if it tells nothing.
        auc: area under the ROC curve of an ordered column in a binary task, missing values in the middle; else NaN.
    """

    column: str
    strength: float
    measure: str
    skill: float
    auc: float = float("nan")


def sample_rows(n_rows: int, n_columns: int = 1, *, most: int = MOST_ROWS) -> IntArray:
    """Row numbers (s,) int64 in random order, always the same: all rows, or as many as the columns allow."""
    size = min(n_rows, most, max(500, MOST_CELLS // max(1, n_columns)))
    return np.random.default_rng(0).permutation(n_rows)[:size]


def measure_columns(dataset: Dataset) -> list[Association]:
    """Associations of the feature columns (pictures left out), in their order; measured once a data set."""
    if dataset not in _measured:
        _measured[dataset] = _measure(dataset)
    return _measured[dataset]


def _measure(dataset: Dataset) -> list[Association]:
    rows = sample_rows(dataset.n_rows, dataset.frame.shape[1])
    target = dataset.target[rows]
    if len(rows) < 2 or np.ptp(target) == 0:
        return []
    by_class = dataset.task.is_classification
    if not by_class and np.abs(target).max() > 1e150:  # squares overflow; only order and proportion matter
        target = target / np.abs(target).max()
    found: dict[str, Association] = {}
    for names, matrix in ordered_blocks(dataset, rows):
        measured = _measure_by_class(matrix, target) if by_class else _measure_by_value(matrix, target)
        skills = _skill(*_sort_by_column(matrix, target), by_class=by_class)
        for name, (strength, measure, auc), skill in zip(names, measured, skills, strict=True):
            found[name] = Association(column=name, strength=strength, measure=measure, skill=float(skill), auc=auc)
    for column in dataset.schema.of(Role.CATEGORY, Role.TEXT):
        codes = code_levels(dataset.frame[column.name].iloc[rows])
        strength, measure = _cramer(codes, target) if by_class else _correlation_ratio(codes, target)
        order = np.argsort(codes, kind="stable")
        same = np.diff(codes[order]) == 0
        skill = float(_skill(target[order][:, None], same[:, None], by_class=by_class)[0])
        found[column.name] = Association(column=column.name, strength=strength, measure=measure, skill=skill)
    return [found[column.name] for column in dataset.schema.features if column.name in found]


def ordered_blocks(dataset: Dataset, rows: IntArray | None = None) -> Iterator[tuple[list[str], Array]]:
    """Numbers and dates as float64 matrices (s, at most 256) with NaN, dates in seconds since the epoch."""
    names = [column.name for column in dataset.schema.of(*ORDERED)]
    for start in range(0, len(names), BLOCK):
        block = dataset.frame[names[start : start + BLOCK]]
        block = block if rows is None else block.iloc[rows]
        matrix = np.empty(block.shape, order="F")  # sorted column by column
        for position in range(block.shape[1]):
            matrix[:, position] = to_float(block.iloc[:, position])
        yield names[start : start + BLOCK], matrix


def to_float(values: pd.Series) -> Array:
    """(n,) float64 of a number or date column; NaN where a value is missing."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        whole = values.to_numpy(dtype="datetime64[us]")
        return np.where(np.isnat(whole), np.nan, whole.astype(np.int64) / 1e6)
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def code_levels(values: pd.Series) -> IntArray:
    """(n,) codes from 0, missing cells having a code of their own."""
    return np.asarray(pd.factorize(values, use_na_sentinel=False)[0], dtype=np.int64)


def _sort_by_column(matrix: Array, target: Array) -> tuple[Array, Array]:
    """The target sorted by each column, missing last, and which neighbours may be compared (all)."""
    order = np.argsort(matrix, axis=0, kind="stable")
    return target[order], np.ones((len(target) - 1, matrix.shape[1]), dtype=bool)


def _skill(ordered: Array, comparable: Array, *, by_class: bool) -> Array:
    """(d,) 1 - difference of neighbours / difference of strangers; the idea of Rice (1984, doi:10.1214/aos/1176346788).

    Neighbours that are not comparable count as strangers. As many class changes as k classes in a row must make are
    forgiven.
    """
    column = ordered[:, 0]
    if by_class:
        shares = np.unique(column, return_counts=True)[1] / len(column)
        strangers = 1.0 - float(shares @ shares)
        differences = (ordered[1:] != ordered[:-1]).astype(np.float64)
        forgiven = (len(shares) - 1) / len(column)
    else:
        strangers = float(np.var(column))
        differences = np.square(np.diff(ordered, axis=0)) / 2
        forgiven = 0.0
    mean = np.where(comparable, differences, strangers).mean(axis=0)
    return np.asarray(1.0 - np.maximum(mean - forgiven, 0.0) / strangers)


def _rank(matrix: Array) -> Array:
    """Ranks (n, d) from 1, ties shared; missing cells lie in the middle."""
    import pandas as pd  # scipy.stats ranks as well, but takes a second to import before a first model is fitted

    missing = np.isnan(matrix)
    if not missing.any():
        return np.array(pd.DataFrame(matrix).rank())
    n_missing = missing.sum(axis=0)
    n_present = len(matrix) - n_missing
    # missing cells come first, then move up
    ranks = np.array(pd.DataFrame(np.where(missing, -np.inf, matrix)).rank()) - n_missing
    ranks += n_missing * (1 + np.sign(ranks - (n_present + 1) / 2)) / 2
    return np.asarray(np.where(missing, (n_present + n_missing + 1) / 2, ranks))


def _measure_by_class(matrix: Array, target: IntArray) -> list[tuple[float, str, float]]:
    ranks = _rank(matrix)
    labels, codes, counts = np.unique(target, return_inverse=True, return_counts=True)
    sums = np.eye(len(labels))[codes].T @ ranks
    centred = sums - counts[:, None] * ranks.mean(axis=0)  # 0 if a class lies as the others do
    areas = 0.5 + centred / (counts * (len(target) - counts))[:, None]
    strengths = np.minimum(counts / len(target) @ np.abs(2 * areas - 1), 1.0)
    if len(labels) == 2:
        return [
            (float(strength), "|2 AUC - 1|", float(area)) for strength, area in zip(strengths, areas[1], strict=True)
        ]
    return [(float(strength), "mean |2 AUC - 1| of the classes", float("nan")) for strength in strengths]


def _measure_by_value(matrix: Array, target: Array) -> list[tuple[float, str, float]]:
    ranks, of_target = _rank(matrix), _rank(target[:, None])[:, 0]
    ranks -= ranks.mean(axis=0)
    of_target = of_target - of_target.mean()
    scale = np.sqrt(np.square(ranks).sum(axis=0) * float(of_target @ of_target))
    rho = of_target @ ranks / np.where(scale > 0, scale, np.inf)
    return [(float(min(1.0, abs(value))), "|Spearman|", float("nan")) for value in rho]


def _cramer(codes: IntArray, target: IntArray) -> tuple[float, str]:
    """Cramér's V, corrected for its bias (Bergsma 2013, doi:10.1016/j.jkss.2012.10.002).

    It is scaled by the number of classes, not by the smaller side of the table: 1 means that the column tells the
    class, not that the class tells the column.
    """
    n, rows, columns = len(codes), int(codes.max()) + 1, int(target.max()) + 1
    table = np.bincount(codes * columns + target, minlength=rows * columns).reshape(rows, columns)
    table = table[:, table.sum(axis=0) > 0]
    columns = table.shape[1]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = float((np.square(table - expected) / expected).sum()) / n
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    most = columns - (columns - 1) ** 2 / (n - 1) - 1
    return (min(1.0, (phi / most) ** 0.5) if most > 0 else 0.0), "Cramér's V"


def _correlation_ratio(codes: IntArray, target: Array) -> tuple[float, str]:
    """Root of the target's variance share between levels, corrected for their number (Kelley's epsilon squared)."""
    counts = np.bincount(codes)
    n, k = len(codes), len(counts)
    means = np.bincount(codes, weights=target) / counts
    total = float(np.square(target - target.mean()).sum())
    within = float(np.square(target - means[codes]).sum())
    if n <= k:
        return 0.0, "correlation ratio"
    return max(0.0, 1.0 - within / (n - k) * (n - 1) / total) ** 0.5, "correlation ratio"
