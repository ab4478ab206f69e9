"""What says the same: columns that go together, members of an ensemble that make the same errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.matrix import Array, FloatArray, IntArray
from automl.preprocess.table import Table
from automl.task import Task

MOST_ROWS = 3_000
MOST_MEMBER_ROWS = 50_000
MOST_COLUMNS = 24
MOST_MEMBERS = 12
MOST_LEVELS = 50


def relate_columns(table: Table, order: list[str], seed: int) -> dict[str, Any]:
    """Strength 0..1 of every pair of columns: |Spearman|, Cramér's V, or the correlation ratio of a mixed pair.

    Args:
        order: the user's columns, the most interesting first; at most 24 are looked at, on at most 3,000 rows.

    Returns:
        "columns" (names) and "values" (d, d), 1 on the diagonal, None where a column is constant.
    """
    rows = np.arange(len(table))
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng([seed, 37]).choice(rows, MOST_ROWS, replace=False))
    sample, layout = table.take(rows), table.layout
    arrays: dict[str, Array] = {name: sample.numbers[:, i] for i, name in enumerate(layout.numbers)}
    arrays |= {name: sample.dates[:, i] for i, name in enumerate(layout.dates)}
    codes = {name: _squeeze(sample.categories[:, i]) for i, name in enumerate(layout.categories)}
    names = [name for name in order if name in arrays or name in codes][:MOST_COLUMNS]
    ranks = {name: _rank(arrays[name]) for name in names if name in arrays}
    values = [[1.0 if one == other else _relate(one, other, ranks, codes) for other in names] for one in names]
    return {"columns": names, "values": values, "rows": len(rows)}


def _relate(one: str, other: str, ranks: dict[str, Array], codes: dict[str, IntArray]) -> float | None:
    if one in ranks and other in ranks:
        return _spearman(ranks[one], ranks[other])
    if one in codes and other in codes:
        return _cramer(codes[one], codes[other])
    return _ratio(codes[one], ranks[other]) if one in codes else _ratio(codes[other], ranks[one])


def _rank(values: Array) -> Array:
    """Centred ranks (n,) float64; missing cells are 0, in the middle."""
    from scipy.stats import rankdata

    known = np.isfinite(values)
    ranks = np.zeros(len(values))
    if known.any():
        ranks[known] = rankdata(values[known])
        ranks[known] -= ranks[known].mean()
    return ranks


def _spearman(one: Array, other: Array) -> float | None:
    scale = float(np.sqrt(one @ one) * np.sqrt(other @ other))
    return round(min(1.0, abs(float(one @ other)) / scale), 4) if scale > 0 else None


def _squeeze(codes: Array) -> IntArray:
    """Codes from 0 without gaps; rare levels share the last one."""
    _, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if len(counts) <= MOST_LEVELS:
        return np.asarray(places, dtype=np.int64)
    ranked: IntArray = np.empty(len(counts), dtype=np.int64)
    ranked[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.asarray(np.minimum(ranked, MOST_LEVELS)[places], dtype=np.int64)


def _cramer(one: IntArray, other: IntArray) -> float | None:
    """Cramér's V corrected for its bias; Bergsma 2013, doi:10.1016/j.jkss.2012.10.002."""
    n, r, c = len(one), int(one.max()) + 1, int(other.max()) + 1
    if r < 2 or c < 2:
        return None
    counts = np.bincount(one * c + other, minlength=r * c).reshape(r, c)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi = float((np.square(counts - expected) / expected).sum()) / n
    phi = max(0.0, phi - (r - 1) * (c - 1) / (n - 1))
    most = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return round(min(1.0, (phi / most) ** 0.5), 4) if most > 0 else None


def _ratio(codes: IntArray, ranks: Array) -> float | None:
    """Root of the share of the ranks' variance that lies between levels, corrected for their number."""
    counts = np.bincount(codes)
    n, k, total = len(codes), len(counts), float(ranks @ ranks)
    if k < 2 or total <= 0 or n <= k:
        return None
    means = np.bincount(codes, weights=ranks) / counts
    within = float(np.square(ranks - means[codes]).sum())
    share = max(0.0, 1 - within / (n - k) * (n - 1) / total)
    return round(float(share**0.5), 4)


def compare_members(
    task: Task, y: Array, outputs: dict[int, FloatArray], weights: dict[int, float], names: dict[int, str]
) -> dict[str, Any]:
    """Correlation of the members' errors, the heaviest first: 1 if two err alike on every row (of at most 50,000)."""
    rows = np.linspace(0, len(y) - 1, min(len(y), MOST_MEMBER_ROWS)).astype(np.int64)
    y = y[rows]
    trials = sorted(weights, key=lambda trial: (-weights[trial], trial))[:MOST_MEMBERS]
    if task.is_classification:
        truth = np.eye(task.n_classes, dtype=np.float32)[y]
        errors = [(truth - outputs[trial][rows]).ravel() for trial in trials]
    else:
        errors = [y - outputs[trial][rows, 0] for trial in trials]
    values = [[1.0 if i == j else _correlate(a, b) for j, b in enumerate(errors)] for i, a in enumerate(errors)]
    return {"members": [names.get(trial, str(trial)) for trial in trials], "values": values}


def _correlate(one: Array, other: Array) -> float | None:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt(one @ one) * np.sqrt(other @ other))
    return round(float(one @ other) / scale, 4) if scale > 0 else None
