"""Model families, one file each: what they need, what can be tuned, and how to build one.

A candidate knows nothing of Optuna, files of a run, or other candidates.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from automl.matrix import Array, Feature, FloatArray, IntArray, Needs, Shape
from automl.space import Params, SearchSpace
from automl.task import Task


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """How long the fit of one fold went on, as its stop rows told: with it the other folds of the same configuration
    need no stop rows and learn from all of theirs.

    Attributes:
        rounds: that were best.
        rate: the learning rate that they were made at; the time may have asked for a larger one than the parameter.
        rows: how many rows they learned from.
    """

    rounds: int
    rate: float
    rows: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitContext:
    """What an estimator is told beside its rows.

    Attributes:
        task: the task; `task.n_outputs` columns are to be predicted.
        features: the columns of the matrix, in order.
        seed: for everything random.
        deadline: `time.monotonic()` at which the fit must have returned its best so far; inf in runs by `--trials`,
            where rounds and epochs are capped instead.
        stop_rows: rows of the training matrix (s,) int64 held out for early stopping; they never enter this fold's
            score. Those of a fold that leads are scored in other folds, of which they tell one number.
        refit: early stopping may be followed by a fit on all rows with the rounds found, where that is cheap.
        lead: what another fold found; there are then no stop rows.
        threads: threads the fit may use.
        word_vectors: of a family over word numbers, vectors (v, width) float32 of the words from number 3 on, NaN
            for words without one; None if none are given.
        backbone_file: see `automl.matrix.Shape`.
    """

    task: Task
    features: tuple[Feature, ...]
    seed: int
    deadline: float = float("inf")
    stop_rows: IntArray
    refit: bool = False
    lead: Lead | None = None
    threads: int = 1
    word_vectors: FloatArray | None = None
    backbone_file: str = ""

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


class Pieces(Protocol):
    """Training rows that are too many for one matrix; to be gone through as often as is needed.

    Attributes:
        target: of all rows, in the order of the pieces: class index (n,) int64, or value (n,) float64.
        sampled: how many of the rows the model to start from has learned from.
        memory_bytes: what the fit may take.
        scratch: a folder for files of the fit, removed after it.
    """

    target: Array
    sampled: int
    memory_bytes: float
    scratch: Path

    def __iter__(self) -> Iterator[FloatArray]:
        """Matrices (m, features) float32."""
        ...


class Share(Protocol):
    """What one worker of a cluster learns from; may be sent there."""

    def read(self, seconds: float, part: float) -> tuple[FloatArray, Array]:
        """Matrix (n, features) float32 and targets (n,), called where they are to lie.

        Args:
            seconds: after which no more is read.
            part: of the rows, evenly from the first to the last; 1 is all.
        """
        ...


class Shares(Protocol):
    """Training rows that are too many for one machine, in shares; see `Pieces`.

    Attributes:
        scheduler: address of the Dask cluster whose workers learn together.
        threads: of all its workers.
        path: the file that a worker must see to read its share.
        total: about how many rows there are.
        sample_target: of the rows that the model to start from has learned from.
    """

    scheduler: str
    threads: int
    path: Path
    total: int
    sample_target: Array

    def cut(self, count: int) -> Sequence[Share]:
        """One share for each of `count` workers."""
        ...


class Estimator(Protocol):
    """One model of one fold.

    An estimator may also have `fit_pieces(pieces, stop_matrix, stop_target, start)`: `fit` on rows in pieces, stopped
    early by rows of their own, beginning with what `start`, an estimator of the same family and parameters, has learned
    from a sample of them (None: from nothing). A family whose estimators have it says so by `fits_pieces = True`; one
    whose estimators learn from `Shares` on a cluster in the same way, by `fit_shares` and `fits_shares = True`.

    One whose fit may be led by that of another fold leaves as `lead` what its own stop rows told, or None.

    One of a pool of networks whose `predict` is plain arrays, so that several threads may call it at once, says so by
    `is_thread_safe = True`; those of the pool "core" all are.
    """

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        """Learn.

        Args:
            matrix: (n, m) float32, C-contiguous, read-only (often memory-mapped).
            target: class index (n,) int64, or value (n,) float64. Every class may be assumed to occur at least
                once only if the caller's split allows; an absent class gets probability about 0.
            weight: (n,) float64 with mean 1, or None.

        Raises:
            Exception: anything; the caller makes it a failed trial.
        """
        ...

    def predict(self, matrix: FloatArray) -> FloatArray:
        """(n, k) float32 probabilities whose rows sum to 1, columns in class order, or (n, 1) float32 values."""
        ...

    def save(self, folder: Path) -> None:
        """Write into an existing empty folder; nothing that executes code when read back."""
        ...


class Candidate(Protocol):
    """A model family, as `plugin` of its file.

    Attributes:
        title: what a report calls it.
        needs: what its matrix must be like.
        cost: relative cost of one fit with defaults, a linear model being 1; used where times may not be.
        pool: "core" workers have scikit-learn and XGBoost loaded, "keras" ones TensorFlow too.

    A family of whose models one that learned from all rows is worth its time beside those of the folds says so by
    `gains_by_all_rows = True` (see `automl.search.refits`).
    """

    title: str
    needs: Needs
    cost: float
    pool: str

    def unsupported(self, task: Task, shape: Shape) -> str:
        """Why the family cannot or should not be used here; empty if it can."""
        ...

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        """What can be tuned, with good defaults."""
        ...

    def build(self, params: Params, context: FitContext) -> Estimator:
        """An unfitted estimator; `params` is complete (`SearchSpace.complete`)."""
        ...

    def load(self, folder: Path) -> Estimator:
        """A fitted estimator from what `Estimator.save` wrote.

        Raises:
            ArtifactError: if the folder holds anything that this family did not write.
        """
        ...
