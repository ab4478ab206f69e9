"""Whether a configuration deserves its other folds, judged by its first one on rows that others have scored too."""

from __future__ import annotations

import dataclasses

import numpy as np

from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import Metric, get_metric
from automl.run import Run
from automl.search.calibration import MIN_ROWS as MIN_CALIBRATION_ROWS
from automl.search.oof import Oofs
from automl.search.threshold import find_threshold, move_threshold
from automl.search.trial import SearchData, TrialSpec, fold_folder

# One-sided: a configuration is given up only if it is worse alone and adds nothing to the blend.
WORSE_Z = 1.5
BLEND_SHARES = (0.1, 0.25, 0.5)
# Rows of the first fold below which it does not decide: tuned configurations, and those of the portfolio.
MIN_ROWS, MIN_PORTFOLIO_ROWS = 60, 250


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
        return cls(outputs, float(metric.score(y, outputs, weight)), metric.row_losses(y, outputs))


class Race:
    """Holds first folds against the best complete configuration, on rows that both have scored.

    Args:
        oofs: outputs of the complete configurations; it calibrates those of a first fold in the same way.
        wanted: whether the recipe asks for it.
    """

    def __init__(self, run: Run, data: SearchData, oofs: Oofs, *, wanted: bool) -> None:
        self._run, self._data, self._oofs, self._wanted = run, data, oofs, wanted
        self._metric = get_metric(data.task.metric)
        self._fold = data.chief_fold
        self._rows = data.folds[self._fold]
        self._weight = None if data.weight is None else data.weight[self._rows]
        self._units = None if data.groups is None else data.groups[self._rows]
        # of the best configuration and of the ensemble, for as long as they are
        self._best: tuple[int, FloatArray, Array] | None = None
        self._blend: tuple[FloatArray | None, Reference | None] = (None, None)
        self._standard: tuple[int | None, FloatArray | None] = (None, None)

    def is_worth(self, spec: TrialSpec) -> bool:
        """Few rows tell too little to give a configuration up by, and its other folds cost little."""
        least = MIN_ROWS if spec.origin == "tpe" else MIN_PORTFOLIO_ROWS
        if self._metric.is_proper:  # it must be calibrated to be held against what is
            least = max(least, MIN_CALIBRATION_ROWS)
        return self._wanted and len(self._data.folds) > 1 and len(self._rows) >= least

    def has_moved(self, blend: FloatArray | None) -> bool:
        """Whether the best configuration or the ensemble is another than at the last call: else verdicts stand."""
        before, self._standard = self._standard, (self._oofs.best, blend)
        return before[0] != self._standard[0] or before[1] is not blend

    def score(self, trial: int) -> float:
        """What all rows would likely score, by the first fold: the best complete configuration's score, and the
        difference between the two on the rows that both have scored.

        Folds differ more than configurations do, so that the fold's own score would rank by the luck of its rows.
        """
        y = self._data.target[self._rows]
        own = float(self._metric.score(y, self._read(trial), self._weight))
        best = self._oofs.best
        if best is None:
            return own
        beside = float(self._metric.score(y, self._read_best(best), self._weight))
        likely = self._oofs.scores[best] + own - beside
        return likely if np.isfinite(likely) else own

    def judge(self, trial: int, blend: FloatArray | None) -> Verdict:
        """Whether it deserves its other folds.

        Args:
            blend: outputs (n, k) of the current ensemble over all rows, as the metric is to see them, or None.
        """
        if self._oofs.best is None:
            return Verdict(True, "nothing to compare with yet")
        y = self._data.target[self._rows]
        if self._blend[0] is not blend:
            made = None if blend is None else Reference.make(self._metric, y, blend[self._rows], self._weight)
            self._blend = blend, made
        if self._best is None or self._best[0] != self._oofs.best:
            outputs = self._read_best(self._oofs.best)
            self._best = self._oofs.best, outputs, self._metric.row_losses(y, outputs)
        _, best, losses = self._best
        new = self._read(trial)
        return judge_first_fold(self._metric, y, new, best, self._blend[1], self._weight, losses, self._units)

    def _read_best(self, trial: int) -> FloatArray:
        """A complete configuration on the rows of the race: by one model, as the others there are. Where folds are
        gone through several times, its outputs elsewhere are the mean of several."""
        return self._oofs.judged(trial, self._rows) if self._data.repeats == 1 else self._read(trial)

    def _read(self, trial: int) -> FloatArray:
        new = np.load(fold_folder(self._run.path, trial, self._fold) / "oof.npy", allow_pickle=False)
        calibrated = self._oofs.calibrate(new, self._rows).apply(new)
        known = find_threshold(self._metric, self._data.target[self._rows], calibrated, self._weight)
        return move_threshold(calibrated, known)


def judge_first_fold(
    metric: Metric,
    y: Array,
    new: FloatArray,
    best: FloatArray,
    blend: Reference | None,
    weight: Array | None,
    best_losses: Array | None = None,
    units: IntArray | None = None,
) -> Verdict:
    """Paired comparison on the fold's rows.

    Args:
        new: outputs (n, k) of the configuration.
        best: out-of-fold outputs of the best complete configuration on the same rows.
        blend: the current ensemble, or None.
        weight: of the rows (n,).
        best_losses: `metric.row_losses` of `best`, if they are known.
        units: group number (n,) of rows that are alike.
    """
    z = paired_z(metric, y, new, best, best_losses, weight=weight, units=units)
    if np.isnan(z):
        return Verdict(True, "its first fold has no score")
    if z < WORSE_Z:
        return Verdict(True, f"not worse than the best on its first fold (z {z:+.1f})")
    held = blend or Reference.make(metric, y, best, weight)
    sign = 1 if metric.maximize else -1
    gains = [
        sign * (metric.score(y, (1 - share) * held.outputs + share * new, weight) - held.score)
        for share in BLEND_SHARES
    ]
    if max(gains) > 0:
        mixed = _mix(held.outputs, new, BLEND_SHARES[int(np.argmax(gains))])
        z_blend = paired_z(metric, y, mixed, held.outputs, held.losses, weight=weight, units=units)
        if z_blend < -0.5:
            return Verdict(True, f"worse alone (z {z:+.1f}) but the blend gains from it")
    return Verdict(False, f"worse than the best on its first fold (z {z:+.1f}) and no gain to the blend")


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
    known = metric.row_losses(y, other) if other_losses is None else other_losses
    return standard_score(metric.row_losses(y, one) - known, weight, units)


def standard_score(difference: Array, weight: Array | None = None, units: IntArray | None = None) -> float:
    """Mean of differences (n,) in units of its error; 0 where they are all alike, NaN if one is not defined.

    Args:
        weight: of the rows (n,); the mean is weighted, and so is what each row adds to its error.
        units: group number (n,), from 0: rows of one group count together, as one draw of its sum.
    """
    if len(difference) < 2 or np.ptp(difference) == 0.0:
        return 0.0
    share = weight / weight.mean() if weight is not None and weight.sum() > 0 else np.ones(len(difference))
    mean = float(np.mean(difference * share))
    parts, count = (difference - mean) * share, len(difference)
    if units is not None:  # numbers that no row has are no draws
        parts, count = np.bincount(units, weights=parts), int(np.count_nonzero(np.bincount(units)))
    error = float(np.sqrt((parts**2).sum() * count / (count - 1))) / len(difference) if count > 1 else 0.0
    return mean / error if error != 0.0 else 0.0
