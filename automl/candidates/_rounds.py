"""When boosting stops, and by which rows: patience that grows with what has been learned, a deadline, a refit."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np

from automl.candidates import FitContext, Lead
from automl.candidates._record import check_fact
from automl.matrix import Array, IntArray

# A fold whose stop rows are fewer tells too little to lead others: each finds its own rounds, and luck evens out.
LEAST_LEADING_ROWS = 1_000
USUAL_STEPS = 12.0  # rounds × learning rate at which most boosters are near their best
MAX_RATE = 0.4


class Timed(Protocol):
    """Knows when a fit must be over, as `FitContext` does."""

    def seconds_left(self) -> float: ...


class Stopping:
    """Watches a loss that should fall, one value a round.

    The patience is `offset` rounds and a share of the best round so far (the idea of AutoGluon's adaptive early
    stopping, arXiv 2003.06505): a slow learner may rest longer than a quick one.

    Args:
        context: gives the deadline; a reserve of 3% of the time is left for what follows the fit.
        offset: rounds without a better loss that are always allowed.
        share: rounds allowed beside, as a share of the best round.
    """

    def __init__(self, context: Timed, *, offset: int, share: float = 0.25) -> None:
        self.offset = offset
        self.share = share
        self.best_round = 0
        self.best_loss = math.inf
        self.rounds = 0
        self.out_of_time = False
        self._started = time.monotonic()
        self._first: float | None = None  # when the first round was over
        left = context.seconds_left()
        self._end = self._started + (left if math.isinf(left) else 0.97 * max(left, 0.0))

    def tell(self, loss: float | None) -> bool:
        """One more round is done, with this loss on the stop rows (None: there are none). True: stop now."""
        self.rounds += 1
        self._first = time.monotonic() if self._first is None else self._first
        if loss is None:
            self.best_round = self.rounds
        elif loss < self.best_loss:
            self.best_loss, self.best_round = loss, self.rounds
        if time.monotonic() >= self._end:
            self.out_of_time = True
            return True
        return loss is not None and self.rounds - self.best_round > self.offset + self.share * self.best_round

    def rounds_left(self) -> float:
        """Rounds that still fit before the deadline at the pace so far; inf without a deadline."""
        return (self._end - time.monotonic()) / max(self.seconds_per_round(), 1e-9)

    def seconds_per_round(self) -> float:
        """Without the first round, before which the data are made ready; with it as long as there is no other."""
        if self._first is None or self.rounds < 2:
            return time.monotonic() - self._started
        return (time.monotonic() - self._first) / (self.rounds - 1)


def split_stop_rows(context: FitContext, n: int) -> tuple[IntArray | None, IntArray]:
    """Rows to learn from and rows to stop by; (None, empty) means all rows and no early stopping."""
    stop = np.asarray(context.stop_rows, dtype=np.int64)
    if len(stop) == 0:
        return None, stop
    keep = np.ones(n, dtype=bool)
    keep[stop] = False
    if not keep.any():
        return None, stop[:0]
    return np.flatnonzero(keep).astype(np.int64), stop


def keep_evenly(count: int, share: float) -> Array:
    """Which of `count` rows (n,) bool to learn from where only a share of them is wanted: evenly from first to last."""
    kept: Array = np.diff(np.floor(np.arange(count + 1) * min(share, 1.0))) > 0
    return kept


def refit_rounds(best_rounds: int, n: int, stop: int) -> int:
    """Rounds for all `n` rows when `best_rounds` were best without `stop` of them: more rows bear more rounds."""
    return max(1, round(best_rounds * n / max(1, n - stop)))


class Told(Protocol):
    """A fit that was watched by stop rows: `Stopping`, or a net's."""

    out_of_time: bool

    @property
    def best_round(self) -> int: ...


def make_lead(watch: Told, rows: int, stop: int, rate: float, *, whole: bool) -> Lead | None:
    """What a fit that learned from `rows` and was stopped by `stop` others tells those of other folds.

    Args:
        whole: whether all classes were among the rows.

    Returns:
        None if the time cut the fit short, it had not all classes, or so few rows told it that each fold had better
        find its own.
    """
    if watch.out_of_time or not whole or stop < LEAST_LEADING_ROWS or watch.best_round < 1:
        return None
    return Lead(rounds=watch.best_round, rate=rate, rows=rows)


def led_rounds(lead: Lead, n: int) -> int:
    """Rounds for `n` rows, as `refit_rounds`."""
    return max(1, round(lead.rounds * n / max(1, lead.rows)))


def write_rate(rate: float) -> dict[str, float]:
    """The learning rate for a model's record; nothing of one that was read from a record without it."""
    return {"rate": rate} if math.isfinite(rate) else {}


def read_rate(folder: Path, facts: Mapping[str, Any]) -> float:
    """The learning rate in the record of the model saved in `folder`; NaN in one of an earlier version.

    Raises:
        ArtifactError: if it is no number.
    """
    return float(check_fact(folder, facts, "rate", float)) if "rate" in facts else math.nan


def affordable_rate(rate: float, rounds_left: float, steps: float = USUAL_STEPS) -> float:
    """A larger learning rate where there are fewer rounds, in the time or at all, than the asked one needs.

    A slow learner cut off halfway is far worse than a faster one that arrives.

    Args:
        steps: rounds × learning rate that are needed.
    """
    return max(rate, min(MAX_RATE, steps / max(rounds_left, 1.0)))


@overload
def take(array: Array, rows: IntArray | None) -> Array: ...
@overload
def take(array: Array | None, rows: IntArray | None) -> Array | None: ...
def take(array: Array | None, rows: IntArray | None) -> Array | None:
    """`array[rows]`, where either may be absent."""
    return array if array is None or rows is None else array[rows]
