"""Where a model of numbers errs: truth against prediction, residuals along columns, interval coverage."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.intervals import learn_intervals
from automl.matrix import Array, IntArray

CELLS = 28
BANDS = 12
FEATURE_BANDS = 8
LEVELS = (0.5, 0.8, 0.9, 0.95)
MIN_ROWS = 20


def describe_plane(y: Array, predicted: Array) -> dict[str, Any]:
    """Rows counted on a grid of truth and prediction, common to both axes; the farthest half percent is left out."""
    both = np.concatenate([y, predicted])
    low, high = (float(value) for value in np.quantile(both, (0.0025, 0.9975)))
    if not high > low:
        return {}
    edges = np.linspace(low, high, CELLS + 1)
    counts = np.histogram2d(predicted, y, bins=[edges, edges])[0].astype(np.int64)
    x, t = np.nonzero(counts)
    middles = (edges[1:] + edges[:-1]) / 2
    return {
        "predicted": middles[x].tolist(),
        "true": middles[t].tolist(),
        "rows": counts[x, t].tolist(),
        "cell": float(edges[1] - edges[0]),
        "left_out": int(len(y) - counts.sum()),
    }


def describe_bands(along: Array, residuals: Array, bands: int = BANDS) -> list[dict[str, float]]:
    """Bins of equal size along a value: its middle, and 5%, 50% and 95% of the residuals there. NaN are left out."""
    known = np.flatnonzero(np.isfinite(along))
    if len(known) < MIN_ROWS:
        return []
    order = known[np.argsort(along[known], kind="stable")]
    edges = np.unique(np.quantile(along[order], np.linspace(0, 1, bands + 1)))
    places = np.searchsorted(along[order], edges[1:-1], "left") if len(edges) > 2 else np.array([], dtype=np.int64)
    result = []
    for part in np.split(order, places):
        if len(part) >= 5:
            low, middle, high = np.quantile(residuals[part], (0.05, 0.5, 0.95))
            result.append(
                {
                    "at": float(np.median(along[part])),
                    "low": float(low),
                    "median": float(middle),
                    "high": float(high),
                    "rows": len(part),
                }
            )
    return result


def describe_levels(names: list[str], codes: IntArray, residuals: Array) -> list[dict[str, Any]]:
    """The commonest levels of a category: mean residual with its 95% interval. `codes` (n,) index `names`."""
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    result = []
    for place in np.argsort(-counts, kind="stable")[:FEATURE_BANDS]:
        part = residuals[codes == place]
        if len(part) >= 5:
            mean, half = float(part.mean()), 1.96 * float(part.std(ddof=1)) / float(np.sqrt(len(part)))
            result.append(
                {"level": names[place], "mean": mean, "low": mean - half, "high": mean + half, "rows": len(part)}
            )
    return result


def describe_coverage(
    y: Array, predicted: Array, seed: int, units: IntArray | None, weight: Array | None = None
) -> list[dict[str, float]]:
    """Intervals as `automl.intervals` makes them, set on one half of the rows and checked on the other, and the other
    way round; levels for which a half has too few rows are left out."""
    mask = halve(len(y), seed, units)
    if min(mask.sum(), (~mask).sum()) < MIN_ROWS:
        return []
    weight = np.ones(len(y)) if weight is None else weight
    known = [(learn_intervals(y[part], predicted[part], weight[part]), ~part) for part in (mask, ~mask)]
    result = []
    for level in LEVELS:
        inside = width = 0.0
        for intervals, checked in known:
            if intervals is None or level > intervals.highest:
                break
            low, high = intervals.around(predicted[checked], level)
            inside += float(((low <= y[checked]) & (y[checked] <= high)) @ weight[checked])
            width += float((high - low) @ weight[checked])
        else:
            total = float(weight.sum())
            result.append({"level": level, "observed": inside / total, "half_width": width / 2 / total})
    return result


def halve(rows: int, seed: int, units: IntArray | None) -> Array:
    """(rows,) bool: one half at random; rows of a unit stay together."""
    rng = np.random.default_rng([seed, 29])
    if units is None:
        return np.asarray(rng.permutation(rows) < rows // 2)
    _, places = np.unique(units, return_inverse=True)
    groups = int(places.max(initial=-1)) + 1
    return np.asarray((rng.permutation(groups) < groups // 2)[places])
