"""Whether a configuration deserves its other folds, judged by its first one on rows that others have scored too."""

from __future__ import annotations

import dataclasses

import numpy as np

from automl.matrix import Array, FloatArray
from automl.metrics import Metric

# One-sided: a configuration is given up only if it is worse alone and adds nothing to the blend.
WORSE_Z = 1.5
BLEND_SHARES = (0.1, 0.25, 0.5)


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Go on or not, and why."""

    promote: bool
    reason: str


def judge_first_fold(
    metric: Metric, y: Array, new: FloatArray, best: FloatArray, blend: FloatArray | None, weight: Array | None
) -> Verdict:
    """Paired comparison on the fold's rows.

    Args:
        new: outputs (n, k) of the configuration.
        best: out-of-fold outputs of the best complete configuration on the same rows.
        blend: those of the current ensemble, or None.
    """
    z = paired_z(metric, y, new, best)
    if np.isnan(z):
        return Verdict(True, "its first fold has no score")
    if z < WORSE_Z:
        return Verdict(True, f"not worse than the best on its first fold (z {z:+.1f})")
    reference = best if blend is None else blend
    sign = 1 if metric.maximize else -1
    base = sign * metric.score(y, reference, weight)
    gains = [sign * metric.score(y, (1 - share) * reference + share * new, weight) - base for share in BLEND_SHARES]
    if max(gains) > 0:
        z_blend = paired_z(metric, y, _mix(reference, new, BLEND_SHARES[int(np.argmax(gains))]), reference)
        if z_blend < -0.5:
            return Verdict(True, f"worse alone (z {z:+.1f}) but the blend gains from it")
    return Verdict(False, f"worse than the best on its first fold (z {z:+.1f}) and no gain to the blend")


def _mix(reference: FloatArray, new: FloatArray, share: float) -> FloatArray:
    return ((1 - share) * reference + share * new).astype(np.float32)


def paired_z(metric: Metric, y: Array, one: FloatArray, other: FloatArray) -> float:
    """Standard score of the mean difference in row losses: positive if `one` is worse; NaN if they are not defined."""
    difference = metric.row_losses(y, one) - metric.row_losses(y, other)
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    if spread == 0.0:
        return 0.0
    return float(difference.mean() / (spread / np.sqrt(len(difference))))
