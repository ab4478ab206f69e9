"""Load a table, give each column a role, and set rows apart for scoring."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

from automl.data.sensitive import Groups
from automl.matrix import Array, IntArray
from automl.schema import Notice, Schema
from automl.task import Task

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A table ready to learn from; rows with a missing target are gone (and noticed). It equals only itself.

    Attributes:
        frame: typed feature columns (n, d), as `Schema.parse` gives them, in the order of `schema.features`.
        target: class index (n,) int64, or value (n,) float64.
        weight: row weights (n,) float64, mean 1; None if all are equal.
        groups: group number (n,) int64; rows of one group are never split. None if there are none.
        times: seconds since the epoch (n,) float64 for a time split; None otherwise.
        sensitive: groups (n,) that a report compares, one a column asked for.
        row_ids: row number in the source (n,) int64, counted from 0.
        file_rows: rows of the file that these are a sample of; None if they are all.
        fingerprint: 16 hex digits of the content.
        notices: what was guessed and changed on the way.
        pixels: picture column → (n, h, w, c) uint8, decoded once.
    """

    schema: Schema
    task: Task
    frame: pd.DataFrame
    target: Array
    weight: Array | None = None
    groups: IntArray | None = None
    times: Array | None = None
    sensitive: tuple[Groups, ...] = ()
    row_ids: IntArray
    file_rows: int | None = None
    fingerprint: str
    name: str = ""
    notices: tuple[Notice, ...] = ()
    pixels: dict[str, Array] = dataclasses.field(default_factory=dict)

    @property
    def contents(self) -> pd.DataFrame:
        """The frame with each picture as a hash of its pixels, so that equal pictures are equal cells."""
        if not self.pixels:
            return self.frame
        hashes = {
            name: [hashlib.blake2b(picture.tobytes(), digest_size=8).hexdigest() for picture in pixels]
            for name, pixels in self.pixels.items()
            if name in self.frame
        }
        return self.frame.assign(**hashes)

    @property
    def n_rows(self) -> int:
        return len(self.target)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Which rows score which models.

    Attributes:
        folds: rows that score fold i, each (m,) int64, ascending; its models are trained on `train_rows(i)`.
            Folds of one repeat are disjoint.
        trains: rows that train fold i's models.
        repeats: how often the rows are gone through; fold i belongs to repeat i // (len(folds) // repeats).
        kind: "stratified", "shuffled", "grouped", "time" or "holdout".
        reason: why this kind and this many.
    """

    folds: tuple[IntArray, ...]
    trains: tuple[IntArray, ...]
    repeats: int = 1
    kind: str = "stratified"
    reason: str = ""

    def __len__(self) -> int:
        return len(self.folds)
