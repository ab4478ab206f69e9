"""Kinds of rows on which a model errs most, found by a small tree on the errors.

The tree is grown on one half of the rows and its leaves are measured on the other, so that a slice is not bad merely
because it was looked for. The idea is that of Chung et al. 2019, "Slice Finder", doi:10.1109/ICDE.2019.00139.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, NamedTuple

import numpy as np

from automl.evaluate.evidence import count_effective
from automl.evaluate.residuals import halve
from automl.matrix import Array, FloatArray, IntArray
from automl.preprocess.table import Table
from automl.schema import Schema
from automl.task import Task

DEPTH = 3
MIN_LEAF = 20
LEAF_SHARE = 0.02
MOST_ROWS = 40_000
MOST_COLUMNS = 200
MOST_LEVELS = 12
MOST_SLICES = 6
Z = 1.96
EXACT_HALVES = 2.0**23  # below it float32 knows every half
# A split must explain this many times what one split at random explains; the best of many is worth about ten of them.
MIN_GAIN = 12.0


class Step(NamedTuple):
    """One turn on the way to a leaf: above a threshold of a matrix column or not, and whether missing ones go along."""

    column: int
    threshold: float
    above: bool
    lets_missing: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """What one column of the tree's matrix means: a column with its unit, or one level of a category."""

    column: str
    kind: str  # "number", "date" or "level"
    offset: float = 0.0
    level: str = ""


def row_errors(task: Task, y: Array, outputs: FloatArray) -> Array:
    """(n,) float64: 1 where the class is wrong, or how far a number is off.

    Args:
        outputs: (n, k); of two classes with the deployed threshold moved to 0.5, as `move_threshold` does.
    """
    if not task.is_classification:
        return np.asarray(np.abs(y - outputs[:, 0]), dtype=np.float64)
    decided = (outputs[:, 1] >= 0.5).astype(np.int64) if outputs.shape[1] == 2 else outputs.argmax(axis=1)
    return np.asarray(decided != y, dtype=np.float64)


def find_slices(
    table: Table, schema: Schema, errors: Array, *, rates: bool, seed: int, units: IntArray | None = None
) -> dict[str, Any]:
    """The worst slices of a table (n rows), each worse than all rows beyond chance.

    Args:
        errors: (n,) as `row_errors` gives them.
        rates: whether errors are 0 or 1 (Wilson intervals) or amounts (normal intervals).
        units: group number (n,) of rows that are alike: intervals count them together.

    Returns:
        "overall" with the mean error of all rows and "slices": conditions, rows and share of the measured half, error
        with its 95% interval. Where nothing could be looked at, "skipped" says why.
    """
    from sklearn.tree import DecisionTreeRegressor

    result: dict[str, Any] = {"overall": float(errors.mean()), "rates": rates, "slices": []}
    rows = np.arange(len(errors))
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng([seed, 31]).choice(rows, MOST_ROWS, replace=False))
    alike = None if units is None else units[rows]
    grown = halve(len(rows), seed, alike)
    leaf = max(MIN_LEAF, int(LEAF_SHARE * len(rows) / 2))
    if errors.max(initial=0.0) == errors.min(initial=0.0):
        return result
    half = min(int(grown.sum()), int((~grown).sum()))
    if half < 2 * leaf:
        return {
            **result,
            "skipped": f"of {len(rows):,} rows, halved, too few lie in one half ({half:,} of {2 * leaf:,})",
        }
    matrix, splits = make_matrix(table.take(rows), schema)
    if not splits:
        return {**result, "skipped": "there is no number, date or frequent category to divide the rows by"}
    chosen = errors[rows]
    # amounts have long tails: the tree is to find where rows err, not the one row that errs most
    aim = chosen if rates else np.minimum(chosen, np.quantile(chosen, 0.99))
    worth = MIN_GAIN * float(aim[grown].var()) / int(grown.sum())
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=leaf, min_impurity_decrease=worth, random_state=seed)
    tree.fit(matrix[grown], aim[grown])
    alike = None if alike is None else alike[~grown]
    result["slices"] = _measure(tree.tree_, matrix[~grown], chosen[~grown], splits, rates, alike)
    return result


def make_matrix(table: Table, schema: Schema) -> tuple[FloatArray, list[Split]]:
    """Numbers and dates as they are, categories as one column for each of their commonest levels; (n, p) float32."""
    columns = {column.name: column for column in schema.columns}
    layout, parts, splits = table.layout, [], []
    for place, name in enumerate(layout.numbers[:MOST_COLUMNS]):
        known = columns.get(name)
        parts.append(table.numbers[:, place])
        splits.append(Split(name, "number", float(known.offset or 0.0) if known else 0.0))
    for place, name in enumerate(layout.dates[:MOST_COLUMNS]):
        parts.append(table.dates[:, place].astype(np.float32))
        splits.append(Split(name, "date"))
    for place, name in enumerate(layout.categories[:MOST_COLUMNS]):
        codes = table.categories[:, place]
        levels = columns[name].levels
        counts = np.bincount(codes[codes >= 0], minlength=len(levels))
        for code in np.argsort(-counts, kind="stable")[:MOST_LEVELS]:
            if MIN_LEAF <= counts[code] <= len(codes) - MIN_LEAF:
                parts.append((codes == code).astype(np.float32))
                splits.append(Split(name, "level", level=str(levels[code])))
        missing = codes < 0
        if MIN_LEAF <= missing.sum() <= len(codes) - MIN_LEAF:
            parts.append(missing.astype(np.float32))
            splits.append(Split(name, "missing"))
    return (np.column_stack(parts).astype(np.float32) if parts else np.empty((len(table), 0), np.float32)), splits


def _measure(
    tree: Any, matrix: FloatArray, errors: Array, splits: list[Split], rates: bool, units: IntArray | None
) -> list[dict[str, Any]]:
    """Leaves whose interval lies above the mean of all rows, the worst first."""
    leaves = tree.apply(matrix)
    overall, has_missing = float(errors.mean()), np.asarray(np.isnan(matrix).any(axis=0))
    found: list[dict[str, Any]] = []
    for leaf, path in _paths(tree):
        own = leaves == leaf
        part = errors[own]
        if len(part) < MIN_LEAF:
            continue
        low, high = (wilson if rates else _normal)(part, count_effective(part, None if units is None else units[own]))
        if low > overall:
            found.append(
                {
                    "conditions": _describe(path, splits, has_missing),
                    "rows": len(part),
                    "share": len(part) / len(errors),
                    "error": float(part.mean()),
                    "low": low,
                    "high": high,
                }
            )
    return sorted(found, key=lambda slice_: -slice_["error"])[:MOST_SLICES]


def _paths(tree: Any) -> list[tuple[int, list[Step]]]:
    """Every leaf with the steps that lead to it."""
    found, waiting = [], [(0, [])]  # type: ignore[var-annotated]
    while waiting:
        node, path = waiting.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            found.append((node, path))
            continue
        column, threshold = int(tree.feature[node]), float(tree.threshold[node])
        missing_left = bool(tree.missing_go_to_left[node])
        waiting.append((left, [*path, Step(column, threshold, False, missing_left)]))
        waiting.append((right, [*path, Step(column, threshold, True, not missing_left)]))
    return found


def _describe(path: list[Step], splits: list[Split], has_missing: Array) -> list[str]:
    """Conditions in words, those of one column joined.

    Args:
        has_missing: columns (m,) bool in which a cell is missing.
    """
    ranges: dict[str, tuple[float | None, float | None, Split]] = {}
    holes: dict[str, bool] = {}
    texts: list[str] = []
    for column, threshold, above, lets_missing in path:
        split = splits[column]
        if split.kind in {"level", "missing"}:
            sign = "is" if above else "is not"
            texts.append(f"{split.column} {sign} {split.level if split.kind == 'level' else 'missing'}")
            continue
        if np.isinf(threshold):  # how a tree tells holes from values
            texts.append(f"{split.column} is {'missing' if above else 'not missing'}")
            continue
        holes[split.column] = holes.get(split.column, bool(has_missing[column])) and lets_missing
        low, high, _ = ranges.get(split.column, (None, None, split))
        low, high = (threshold, high) if above else (low, threshold)
        ranges[split.column] = (low, high, split)
    for name, (low, high, split) in ranges.items():
        values = [None if end is None else end + split.offset for end in (low, high)]
        ends = [None if end is None else _write_date(end) for end in values]
        if split.kind != "date":
            ends = _write_numbers(values)
        if ends[0] is not None and ends[1] is not None:
            texts.append(f"{ends[0]} < {name} ≤ {ends[1]}")
        else:
            texts.append(f"{name} > {ends[0]}" if ends[0] is not None else f"{name} ≤ {ends[1]}")
        texts[-1] += " or missing" if holes[name] else ""
    return texts


def _write_numbers(values: list[float | None]) -> list[str | None]:
    """Ends of a range in few digits, but in enough to tell the two apart."""
    ends = [None if value is None else _write_number(value) for value in values]
    if ends[0] is None or ends[0] != ends[1]:
        return ends
    return [None if value is None else f"{value:,.9g}" for value in values]


def _write_number(value: float) -> str:
    if abs(value) < EXACT_HALVES and (2 * value).is_integer():  # between two whole numbers
        return (f"{value:,.1f}" if abs(value) >= 1e4 else f"{value:.1f}").removesuffix(".0")
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _write_date(seconds: float) -> str:
    return f"{datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds):%Y-%m-%d}"


def wilson(hits: Array, n: float) -> tuple[float, float]:
    """95% interval of a share from 0/1 values; Wilson 1927, doi:10.1080/01621459.1927.10502953.

    Args:
        n: how many independent rows the values are worth.
    """
    share = float(hits.mean())
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * (share * (1 - share) / n + Z**2 / (4 * n * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def _normal(values: Array, n: float) -> tuple[float, float]:
    half = Z * float(values.std(ddof=1)) / float(np.sqrt(n))
    return float(values.mean()) - half, float(values.mean()) + half
