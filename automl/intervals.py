"""Between which two values the truth lies for a prediction, with a chance that was asked for.

Conformal prediction from the residuals of rows that no model had seen (Papadopoulos et al. 2002,
doi:10.1007/3-540-36755-1_29), in bins of the predicted value, so that the interval is wide where the model errs much
(Boström & Johansson 2020, PMLR 128:24-48). Both ends come from residuals with their sign: a price that is often
underestimated has more room above. Such an interval holds its share of new rows like those learned from, on average
over all of them and over those with a prediction like it; not for each subgroup.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from automl.errors import UsageError
from automl.matrix import Array

LEAST_ROWS = 20  # below which residuals tell next to nothing
BIN_ROWS, MOST_BINS = 200, 10
# Shares of the residuals that are kept, closer where they bend; those above a half mirror these.
_TAIL = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.075, 0.1, 0.125, 0.15, 0.2)
SHARES = np.array([*_TAIL, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, *(1 - t for t in _TAIL[::-1])])


@dataclasses.dataclass(frozen=True, slots=True)
class Intervals:
    """What a model of numbers knows of its own errors.

    Attributes:
        centers: (b,) ascending: the median prediction of each bin.
        quantiles: (b, len(SHARES)) of truth less prediction in it; NaN where too few rows tell.
        rows: that they come from; of uneven weights as many even ones as tell the same.
        floor: no interval begins below; 0 where no value that was learned is negative.
    """

    centers: Array
    quantiles: Array
    rows: int
    floor: float = -math.inf

    def around(self, predicted: Array, level: float) -> tuple[Array, Array]:
        """Ends (n,) float64 each of the intervals round predictions (n,) that hold the truth with the chance `level`.

        Raises:
            UsageError: if the level is not between 0 and 1, or too near to 1 for so few rows.
        """
        if not 0 < level < 1:
            raise UsageError(f"An interval of {level:g} is no share between 0 and 1", hint=_suggest_level(level))
        if level > self.highest + 1e-9:
            raise UsageError(
                f"{self.rows:,} scored rows tell of intervals up to {self.highest:g}, not of {level:g}",
                hint=f"--interval {self.highest:g}" if self.highest else "Train it with more rows",
            )
        predicted = np.asarray(predicted, dtype=np.float64)
        low, high = (
            np.maximum(predicted + np.interp(predicted, self.centers, self._offsets(share)), self.floor)
            for share in ((1 - level) / 2, (1 + level) / 2)
        )
        return low, high

    @property
    def highest(self) -> float:
        """The highest level that the rows of every bin tell of, 0 if none."""
        known = np.asarray(np.isfinite(self.quantiles).all(axis=0))
        both = SHARES[: len(SHARES) // 2][(known & known[::-1])[: len(SHARES) // 2]]
        return round(1 - 2 * float(both[0]), 6) if len(both) else 0.0

    def _offsets(self, share: float) -> list[float]:
        known = np.isfinite(self.quantiles)
        pairs = zip(self.quantiles, known, strict=True)
        return [float(np.interp(share, SHARES[mask], row[mask])) for row, mask in pairs]

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads; a quantile that is not known is None."""
        digits = [[float(f"{value:.6g}") if math.isfinite(value) else None for value in row] for row in self.quantiles]
        floor = None if math.isinf(self.floor) else self.floor
        return {"rows": self.rows, "floor": floor, "centers": self.centers.tolist(), "quantiles": digits}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Intervals:
        """The same again."""
        quantiles = np.array(record["quantiles"], dtype=np.float64)  # None becomes NaN
        floor = -math.inf if record["floor"] is None else float(record["floor"])
        return cls(np.array(record["centers"], dtype=np.float64), quantiles, int(record["rows"]), floor)


def learn_intervals(
    y: Array, predicted: Array, weight: Array | None = None, *, floor: float = -math.inf
) -> Intervals | None:
    """What the errors of predictions (n,) for rows with the true values y (n,) tell; None if the rows are too few.

    Args:
        weight: of the rows (n,): quantiles are of their weight, and uneven ones tell as much as fewer even ones (Kish
            1965, "Survey Sampling").
        floor: as in `Intervals`.
    """
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    counted = np.flatnonzero(weight > 0)
    y, predicted, weight = y[counted], predicted[counted], weight[counted]
    rows = int(_count_worth(weight) + 1e-6) if len(y) else 0
    if rows < LEAST_ROWS or not np.isfinite(predicted).all():
        return None
    order = np.argsort(predicted, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    n_bins = min(MOST_BINS, max(1, rows // BIN_ROWS))
    places = np.unique(np.searchsorted(reached, np.arange(1, n_bins) / n_bins - 1e-9) + 1)
    bins = [part for part in np.split(order, places) if len(part)]
    centers = np.array([np.median(predicted[part]) for part in bins], dtype=np.float64)
    centers, places = np.unique(centers, return_inverse=True)  # a constant has one, whatever the number of its rows
    bins = [np.concatenate([bins[at] for at in np.flatnonzero(places == place)]) for place in range(len(centers))]
    quantiles = np.stack([_weigh_quantiles((y - predicted)[part], weight[part]) for part in bins])
    return Intervals(centers, quantiles, rows, floor)


def find_floor(y: Array) -> float:
    """Below which no value is to be expected: 0 where none that was learned is negative."""
    return 0.0 if y.min(initial=0.0) >= 0 else -math.inf


def _count_worth(weight: Array) -> float:
    return float(weight.sum() ** 2 / (weight**2).sum())


def _weigh_quantiles(residuals: Array, weight: Array) -> Array:
    """Quantiles at SHARES of residuals (n,), as one row more than there are would have them."""
    order = np.argsort(residuals, kind="stable")
    values, share = residuals[order].astype(np.float64), weight[order] / weight.sum()
    rows = _count_worth(weight)
    reached = np.cumsum(share) - share / 2
    # of n rows the smallest stands at 1 / (n + 1): what lies beyond is not known
    reached = (reached * rows + 0.5) / (rows + 1)
    found: Array = np.interp(SHARES, reached, values)
    found[(reached[0] - 1e-12 > SHARES) | (reached[-1] + 1e-12 < SHARES)] = np.nan
    return found


def _suggest_level(level: float) -> str:
    return f"--interval {level / 100:g}" if 1 < level < 100 else "--interval 0.9"
