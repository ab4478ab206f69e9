"""What every part of a plan offers, and what it may look at when it learns."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

from automl.matrix import Array, Feature, FloatArray, IntArray
from automl.preprocess.table import Table
from automl.task import Task

State = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FitRows:
    """The training rows of a fold beside their table.

    Attributes:
        target: class index (n,) int64, or value (n,) float64.
        seed: for what is random, such as cross-fitting.
        fold: number of the fold.
        groups: group number (n,) int64; no row of one may be told the targets of its others. None if there are none.
        weight: how much each row counts (n,) float64, from 0 on; None if all count alike.
        shared: folder where a part may keep what other plans can use; None if there is none.
    """

    task: Task
    target: Array
    seed: int
    fold: int = 0
    groups: IntArray | None = None
    weight: Array | None = None
    shared: Path | None = None


class Part(Protocol):
    """The columns of one role. All that is learned lies in `state`: arrays, and lists of arrays, by name."""

    kind: str
    state: State

    def fit(self, table: Table, fit: FitRows) -> FloatArray:
        """Learn from training rows; returns their matrix (n, m) float32, which may differ from `transform` of the
        same rows (target encoding is cross-fitted)."""
        ...

    def transform(self, table: Table) -> FloatArray:
        """The matrix (n, m) float32 of any rows."""
        ...

    def features(self, table: Table) -> tuple[Feature, ...]:
        """What the m columns are; only the layout of `table` is read."""
        ...
