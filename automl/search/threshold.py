"""From which probability on the second class is named, where the metric judges decided labels."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric, weighted_mean

USUAL = 0.5
MIN_ROWS = 50
GRID, COARSE_GRID = 100, 24
HALVES = 5  # how often the rows are halved to see whether a threshold found on one half helps on the other
MOST_HALVED = 50_000  # rows of which that is asked
# Where a class is rarer than so many steps of the grid, as many more places are about as many rows as it has.
RARE_STEPS, RARE_TIMES, FEWEST_RARE = 5, (0.1, 8.0), 12


def choose_threshold(metric: Metric, y: Array, outputs: FloatArray, weight: Array | None = None) -> float:
    """The threshold that scores best on out-of-fold probabilities (n, 2), if choosing one helps on other rows too.

    The search is over quantiles of the probabilities. It is repeated on random halves and judged on the others; unless
    that beats 0.5 on average, 0.5 it stays.
    """
    if not metric.needs_labels or outputs.shape[1] != 2 or len(y) < MIN_ROWS:
        return USUAL
    rng = np.random.default_rng(len(y))
    gains = []
    for _ in range(HALVES):
        order = rng.permutation(len(y))[:MOST_HALVED]
        for inside, outside in (np.array_split(order, 2), np.array_split(order, 2)[::-1]):
            found = _best(metric, y[inside], outputs[inside], _part(weight, inside))
            with_it = _score(metric, y[outside], outputs[outside], _part(weight, outside), found)
            gains.append(with_it - _score(metric, y[outside], outputs[outside], _part(weight, outside), USUAL))
    known = [gain for gain in gains if np.isfinite(gain)]
    if not known or float(np.mean(known)) <= 0.0:
        return USUAL
    return _best(metric, y, outputs, weight)


def find_threshold(metric: Metric, y: Array, outputs: FloatArray, weight: Array | None = None) -> float:
    """The best of a few thresholds on these very rows, at which a model is held against others, for metrics that hang
    on it; 0.5 for all others. It flatters each of them a little; what is deployed is chosen by `choose_threshold`."""
    if not metric.hangs_on_threshold or outputs.shape[1] != 2 or len(y) < MIN_ROWS or not np.isfinite(outputs).all():
        return USUAL
    return _best(metric, y, outputs, weight, grid=COARSE_GRID)


def move_threshold(outputs: FloatArray, threshold: float) -> FloatArray:
    """Probabilities (n, 2) bent so that `threshold` lies at 0.5, for metrics that decide there; others pass."""
    if threshold == USUAL or outputs.shape[1] != 2:
        return outputs
    positive = outputs[:, 1].astype(np.float64)
    below = 0.5 * positive / threshold
    above = 0.5 + 0.5 * (positive - threshold) / (1 - threshold)
    moved = np.where(positive < threshold, np.minimum(below, np.nextafter(0.5, 0)), above)
    both: FloatArray = np.column_stack([1 - moved, moved])  # float64: nothing is rounded across 0.5
    return both


def _best(metric: Metric, y: Array, outputs: FloatArray, weight: Array | None, grid: int = GRID) -> float:
    """The best threshold of so many; among equals the nearest to 0.5."""
    shares = np.unique(np.quantile(outputs[:, 1], _list_levels(y, weight, grid)).astype(np.float64))
    places = [USUAL, *(float(share) for share in (shares[1:] + shares[:-1]) / 2 if 0.0 < share < 1.0)]
    scores = np.array([_score(metric, y, outputs, weight, place) for place in places])
    scores[~np.isfinite(scores)] = -np.inf
    best = np.flatnonzero(scores >= scores.max())
    return places[int(min(best, key=lambda place: abs(places[place] - USUAL)))]


def _list_levels(y: Array, weight: Array | None, grid: int) -> Array:
    """Quantiles of the probabilities between which thresholds lie: evenly, and closer where a rare class is named."""
    levels = np.linspace(0.005, 0.995, grid)
    positive = weighted_mean((y == 1).astype(np.float64), weight)  # NaN where no row weighs anything
    rare = min(positive, 1 - positive)
    if not 0 < rare < RARE_STEPS / grid:
        return levels
    named = np.clip(rare * np.geomspace(*RARE_TIMES, max(FEWEST_RARE, grid // 4)), 1 / len(y), 0.5)
    return np.unique(np.concatenate([levels, 1 - named if positive < 0.5 else named]))


def _score(metric: Metric, y: Array, outputs: FloatArray, weight: Array | None, threshold: float) -> float:
    value = metric.score(y, move_threshold(outputs, threshold), weight)
    return float(value if metric.maximize else -value)


def _part(weight: Array | None, rows: Array) -> Array | None:
    return None if weight is None else weight[rows]
