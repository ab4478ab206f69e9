"""Whether a configuration deserves its other folds, judged by the first ones on rows that others have scored too."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np

from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import Metric, get_metric
from automl.run import Run
from automl.search.calibration import MIN_ROWS as MIN_CALIBRATION_ROWS
from automl.search.data import SearchData, fold_folder
from automl.search.oof import Oofs
from automl.search.threshold import find_threshold, move_threshold
from automl.search.trial import TrialSpec

# One-sided: a configuration is given up only if it is worse alone and adds nothing to the blend.
WORSE_Z, GAIN_Z = 1.5, -0.5
ALIKE = 1e-9  # of the largest: what differences vary by where they are the same but for rounding
BLEND_SHARES = (0.1, 0.25, 0.5)
# Rows of the first fold below which it does not decide: tuned configurations, and those of the portfolio.
MIN_ROWS, MIN_PORTFOLIO_ROWS = 60, 250
# Where the first fold does not decide, folds do one after the other: by so many rows together, by at least so much.
FEW_ROWS_Z = ((250, 1.5), (120, 2.0), (30, 3.0))


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Go on or not, and why."""

    promote: bool
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """What a configuration is mixed with: outputs (n, k), their score and their losses by row (n,)."""

    outputs: FloatArray
    score: float
    losses: Array

    @classmethod
    def make(cls, metric: Metric, y: Array, outputs: FloatArray, weight: Array | None) -> Reference:
        return cls(outputs, float(metric.score(y, outputs, weight)), metric.row_losses(y, outputs, weight))


class _Stretch:
    """The rows (m,) of some folds, and what is known of the best and of the ensemble there."""

    def __init__(self, data: SearchData, folds: tuple[int, ...]) -> None:
        self.folds = folds
        self.rows: IntArray = np.concatenate([data.folds[fold] for fold in folds])
        self.y = data.target[self.rows]
        self.weight = None if data.weight is None else data.weight[self.rows]
        self.units = None if data.groups is None else data.groups[self.rows]
        # of the best configuration and of the ensemble, for as long as they are
        self.best: tuple[int, FloatArray, Array] | None = None
        self.blend: tuple[FloatArray | None, Reference | None] = (None, None)


class Race:
    """Holds first folds against the best complete configuration, on rows that both have scored.

    Args:
        oofs: outputs of the complete configurations; it calibrates those of a first fold in the same way.
        wanted: whether the recipe asks for it.
    """

    def __init__(self, run: Run, data: SearchData, oofs: Oofs, *, wanted: bool) -> None:
        self._run, self._data, self._oofs, self._wanted = run, data, oofs, wanted
        self._metric = get_metric(data.task.metric)
        self._first = _Stretch(data, (data.chief_fold,))
        self._last = self._first  # beside it the latest alone is kept: of many rows each takes its memory
        self._standard: tuple[int | None, FloatArray | None] = (None, None)

    def is_worth(self, spec: TrialSpec) -> bool:
        """Few rows tell too little to give a configuration up by its first fold alone."""
        least = MIN_ROWS if spec.origin == "tpe" else MIN_PORTFOLIO_ROWS
        if self._metric.is_proper:  # it must be calibrated to be held against what is
            least = max(least, MIN_CALIBRATION_ROWS)
        return self._is_possible() and len(self._first.rows) >= least

    def is_told_by(self, spec: TrialSpec, folds: Collection[int]) -> bool:
        """Whether these folds may end a configuration whose first one alone may not. Folds of later and later rows
        differ too much, and those of several repeats hold the same rows."""
        if not self._is_possible() or self._data.times is not None or self.is_worth(spec) or self._oofs.best is None:
            return False
        once = len(self._data.folds) // self._data.repeats
        return all(fold < once for fold in folds) and self._z_for(folds) is not None

    def _is_possible(self) -> bool:
        return self._wanted and len(self._data.folds) > 1

    def _z_for(self, folds: Collection[int]) -> float | None:
        """By how much the best must be better on these folds; None if they hold too few rows to tell."""
        rows = sum(len(self._data.folds[fold]) for fold in folds)
        return next((z for least, z in FEW_ROWS_Z if rows >= least), None)

    def has_moved(self, blend: FloatArray | None) -> bool:
        """Whether the best configuration or the ensemble is another than at the last call: else verdicts stand."""
        before, self._standard = self._standard, (self._oofs.best, blend)
        return before[0] != self._standard[0] or before[1] is not blend

    def score(self, trial: int, folds: Collection[int] = ()) -> float:
        """What all rows would likely score, by some folds (the first unless said): the best complete configuration's
        score, and the difference between the two on the rows that both have scored.

        Folds differ more than configurations do, so that the fold's own score would rank by the luck of its rows.
        """
        part = self._stretch(folds)
        own = float(self._metric.score(part.y, self._read(trial, part), part.weight))
        best = self._oofs.best
        if best is None:
            return own
        beside = float(self._metric.score(part.y, self._read_best(best, part), part.weight))
        likely = self._oofs.scores[best] + own - beside
        return likely if np.isfinite(likely) else own

    def is_ahead(self, trial: int, folds: Collection[int]) -> bool:
        """Whether it is better than the best complete configuration on these folds."""
        best = self._oofs.best
        if best is None:
            return True
        gain = self.score(trial, folds) - self._oofs.scores[best]
        return gain > 0 if self._metric.maximize else gain < 0

    def judge(self, trial: int, blend: FloatArray | None, folds: Collection[int] = ()) -> Verdict:
        """Whether it deserves its other folds.

        Args:
            blend: outputs (n, k) of the current ensemble over all rows, as the metric is to see them, or None.
            folds: that are there; the first unless said.
        """
        if self._oofs.best is None:
            return Verdict(True, "nothing to compare with yet")
        part = self._stretch(folds)
        if part.blend[0] is not blend:
            made = None if blend is None else Reference.make(self._metric, part.y, blend[part.rows], part.weight)
            part.blend = blend, made
        if part.best is None or part.best[0] != self._oofs.best:
            outputs = self._read_best(self._oofs.best, part)
            part.best = self._oofs.best, outputs, self._metric.row_losses(part.y, outputs, part.weight)
        _, best, losses = part.best
        worse_z = self._z_for(folds) if folds else WORSE_Z
        return judge_folds(
            self._metric,
            part.y,
            self._read(trial, part),
            best,
            part.blend[1],
            part.weight,
            losses,
            part.units,
            worse_z=WORSE_Z if worse_z is None else worse_z,
            gain_z=0.0 if folds else GAIN_Z,
        )

    def _stretch(self, folds: Collection[int]) -> _Stretch:
        key = tuple(sorted(folds)) or self._first.folds
        if key == self._first.folds:
            return self._first
        if key != self._last.folds:
            self._last = _Stretch(self._data, key)
        return self._last

    def _read_best(self, trial: int, part: _Stretch) -> FloatArray:
        """A complete configuration on the rows of the race: by one model, as the others there are. Where folds are
        gone through several times, its outputs elsewhere are the mean of several; where rows are too few to calibrate
        the others by, it is not calibrated either."""
        is_alike = self._data.repeats == 1 and len(part.rows) >= MIN_CALIBRATION_ROWS
        return self._oofs.judged(trial, part.rows) if is_alike else self._read(trial, part)

    def _read(self, trial: int, part: _Stretch) -> FloatArray:
        places = [fold_folder(self._run.path, trial, fold) / "oof.npy" for fold in part.folds]
        new = np.concatenate([np.load(place, allow_pickle=False) for place in places])
        calibrated = self._oofs.calibrate(new, part.rows).apply(new)
        known = find_threshold(self._metric, part.y, calibrated, part.weight)
        return move_threshold(calibrated, known)


def judge_folds(
    metric: Metric,
    y: Array,
    new: FloatArray,
    best: FloatArray,
    blend: Reference | None,
    weight: Array | None,
    best_losses: Array | None = None,
    units: IntArray | None = None,
    *,
    worse_z: float = WORSE_Z,
    gain_z: float = GAIN_Z,
) -> Verdict:
    """Paired comparison on the rows of some folds.

    Args:
        new: outputs (n, k) of the configuration.
        best: out-of-fold outputs of the best complete configuration on the same rows.
        blend: the current ensemble, or None.
        weight: of the rows (n,).
        best_losses: `metric.row_losses` of `best`, if they are known.
        units: group number (n,) of rows that are alike.
        worse_z: standard score from which on a configuration is worse.
        gain_z: standard score below which the blend gains from it.
    """
    z = paired_z(metric, y, new, best, best_losses, weight=weight, units=units)
    if np.isnan(z):
        return Verdict(True, "its folds have no score yet")
    if z < worse_z:
        return Verdict(True, f"not worse than the best so far (z {z:+.1f})")
    held = blend or Reference.make(metric, y, best, weight)
    sign = 1 if metric.maximize else -1
    gains = [
        sign * (metric.score(y, (1 - share) * held.outputs + share * new, weight) - held.score)
        for share in BLEND_SHARES
    ]
    if max(gains) > 0:
        mixed = _mix(held.outputs, new, BLEND_SHARES[int(np.argmax(gains))])
        z_blend = paired_z(metric, y, mixed, held.outputs, held.losses, weight=weight, units=units)
        if z_blend < gain_z:
            return Verdict(True, f"worse alone (z {z:+.1f}) but the blend gains from it")
    return Verdict(False, f"worse than the best on {len(y):,} rows (z {z:+.1f}) and no gain to the blend")


def _mix(reference: FloatArray, new: FloatArray, share: float) -> FloatArray:
    return ((1 - share) * reference + share * new).astype(np.float32)


def paired_z(
    metric: Metric,
    y: Array,
    one: FloatArray,
    other: FloatArray,
    other_losses: Array | None = None,
    *,
    weight: Array | None = None,
    units: IntArray | None = None,
) -> float:
    """Standard score of the mean difference in row losses: positive if `one` is worse; NaN if they are not defined."""
    known = metric.row_losses(y, other, weight) if other_losses is None else other_losses
    return standard_score(metric.row_losses(y, one, weight) - known, weight, units)


def standard_score(difference: Array, weight: Array | None = None, units: IntArray | None = None) -> float:
    """Mean of differences (n,) in units of its error; 0 where there are none, NaN if one is not defined.

    Args:
        weight: of the rows (n,); the mean is weighted, and so is what each row adds to its error.
        units: group number (n,), from 0: rows of one group count together, as one draw of its sum.
    """
    if len(difference) < 2:
        return 0.0
    share = weight / weight.mean() if weight is not None and weight.sum() > 0 else np.ones(len(difference))
    mean = float(np.mean(difference * share))
    # all alike, as between a perfect ranking and a constant: the error is then that of as many tosses of a coin
    alike = np.ptp(difference) <= ALIKE * np.abs(difference).max()
    centre = 0.0 if alike else mean
    parts, count = (difference - centre) * share, len(difference)
    if units is not None:  # numbers that no row has are no draws
        parts, count = np.bincount(units, weights=parts), int(np.count_nonzero(np.bincount(units)))
    error = float(np.sqrt((parts**2).sum() * count / (count - 1))) / len(difference) if count > 1 else 0.0
    return mean / error if error != 0.0 else 0.0
