"""One fold trained on all rows of a file by the workers of a cluster: each reads its share of them from where all see
the file, and none holds more than that.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates._rounds import keep_evenly
from automl.matrix import Array, FloatArray
from automl.search.pieces import FileReader, begin_fit, find_fresh

# So many rows of the file that follow each other are one worker's.
BLOCK_ROWS = 1 << 16


@dataclasses.dataclass(frozen=True)
class FileShare:
    """See `automl.candidates.Share`: some rows of the sample, and each `count`-th block of the file's from `index` on.

    Attributes:
        first, target: of the sample's rows.
        known: hashes of rows that must not be learned from, sorted.
    """

    reader: FileReader
    known: Array
    first: FloatArray
    target: Array
    index: int
    count: int

    def read(self, seconds: float, part: float) -> tuple[FloatArray, Array]:
        deadline = time.monotonic() + seconds
        matrices, targets = [_thin(self.first, part)], [_thin(self.target, part)]
        for start, frame in self.reader.tables():
            for low, high in own_rows(start, len(frame), self.index, self.count):
                matrix, target = self.reader.prepare(start + low, frame.iloc[low:high])
                fresh = find_fresh(matrix, self.known)
                matrices.append(_thin(matrix[fresh], part))
                targets.append(_thin(target[fresh], part))
                if time.monotonic() > deadline:
                    return np.concatenate(matrices), np.concatenate(targets)
        return np.concatenate(matrices), np.concatenate(targets)


def own_rows(start: int, rows: int, index: int, count: int) -> list[tuple[int, int]]:
    """Which rows [low, high) of a table that begins at row `start` of the file are in blocks of this share."""
    found = []
    for block in range(start // BLOCK_ROWS, -(-(start + rows) // BLOCK_ROWS)):
        if block % count == index:
            found.append((max(0, block * BLOCK_ROWS - start), min(rows, (block + 1) * BLOCK_ROWS - start)))
    return found


def _thin(rows: Array, part: float) -> Array:
    """This part of them, evenly."""
    return rows if part >= 1 else rows[keep_evenly(len(rows), part)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileShares:
    """See `automl.candidates.Shares`."""

    scheduler: str
    threads: int
    path: Path
    total: int
    sample_target: Array
    sample: FloatArray
    reader: FileReader
    known: Array

    def cut(self, count: int) -> list[FileShare]:
        parts = zip(*(np.array_split(each, count) for each in (self.sample, self.sample_target)), strict=True)
        return [
            FileShare(self.reader, self.known, first, target, index, count)
            for (first, target), index in zip(parts, itertools.count())
        ]


def run_all_shares(payload: dict[str, Any]) -> dict[str, Any]:
    """As `automl.search.pieces.run_all_rows`, by the workers of a cluster together.

    Args:
        payload: besides what `run_all_rows` is told: scheduler (its address), cluster_threads.

    Raises:
        ValueError: if too few workers see the file.
        Exception: whatever the family raises; so it does if a worker is lost.
    """
    began = time.monotonic()
    begun = begin_fit(payload, began)
    shares = FileShares(
        scheduler=payload["scheduler"],
        threads=int(payload["cluster_threads"]),
        path=begun.reader.path,
        total=begun.reader.total,
        sample=np.array(begun.sample),
        sample_target=np.array(begun.sample_target),
        reader=begun.reader,
        known=begun.known,
    )
    prepared = time.monotonic()
    rows = begun.estimator.fit_shares(shares, begun.stop_matrix, begun.stop_target, begun.start)
    return begun.keep(payload, rows, began=began, prepared=prepared)
