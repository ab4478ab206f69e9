"""A configuration on its way: which of its folds wait, run and are done, and the record that it ends with."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from typing import Any

import numpy as np

from automl.search.trial import TrialResult, TrialSpec


@dataclasses.dataclass
class Active:
    """A configuration that was begun and has not ended.

    Attributes:
        pending, running: folds that wait and that run; `done` maps the others to what their jobs returned.
        attempt: how often it was begun, counting runs that were killed.
        started: seconds since the run's start.
        fold_limit: seconds that one fold may take; None for no limit.
        waits_for_verdict: its first fold decides whether the others are run.
        begins_with_one: whether its first fold was run alone, so that all others may follow what it tells.
    """

    spec: TrialSpec
    pending: deque[int]
    attempt: int = 1
    running: set[int] = dataclasses.field(default_factory=set)
    done: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    peak_mb: float = 0.0
    started: float = 0.0
    fold_limit: float | None = None
    waits_for_verdict: bool = False
    begins_with_one: bool = False
    ended: bool = False

    def mean_seconds(self) -> float | None:
        """Of the folds that are done; None before there is one."""
        return float(np.mean([fold["seconds"] for fold in self.done.values()])) if self.done else None

    def seconds_to_begin(self) -> float:
        """Of one worker for the folds that wait, as long as the others took; inf before there is one."""
        usual = self.mean_seconds()
        return math.inf if usual is None else usual * len(self.pending)

    def end(self, status: str, reason: str, score: float | None, *, finished: float) -> TrialResult:
        """Nothing of it is run any more; what is known of it, as a record.

        Args:
            finished: seconds since the run's start.
        """
        self.ended = True
        self.pending.clear()
        spec = self.spec
        folds = [self.done[fold] for fold in sorted(self.done)]
        return TrialResult(
            trial=spec.number, candidate=spec.candidate, label=spec.label, params=spec.params, origin=spec.origin,
            status=status, score=score,
            fold_scores=tuple(fold["score"] for fold in folds),
            fold_seconds=tuple(round(fold["seconds"], 4) for fold in folds),
            seconds=round(sum(fold["seconds"] for fold in folds), 4),
            peak_mb=round(self.peak_mb, 1),
            predict_row_seconds=float(np.mean([fold["predict_row_seconds"] for fold in folds])) if folds else 0.0,
            row_seconds=_mean_known([fold.get("row_seconds") for fold in folds]),
            size_bytes=sum(fold["size_bytes"] for fold in folds),
            reason=reason, started=round(self.started, 3), finished=round(finished, 3),
        )  # fmt: skip


def _mean_known(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else 0.0
