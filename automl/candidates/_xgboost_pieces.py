"""Rows that come in pieces, as XGBoost learns from them: quantised in memory or, where that is too little, on disk.

XGBoost goes over the pieces a few times; what stays is a byte or two a cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Pieces
from automl.candidates._rounds import keep_evenly
from automl.matrix import Array, FloatArray

# Of a quantised row: a cell, its gradients, predictions and places in the tree, and what a sketch holds meanwhile.
CELL_BYTES, ROW_BYTES = 3, 64
SHARE = 0.6  # of the memory allowed


class ThinnedPieces:
    """This share of the rows of others, evenly from the first to the last; see `automl.candidates.Pieces`."""

    def __init__(self, pieces: Pieces, share: float) -> None:
        self._pieces, self._kept = pieces, keep_evenly(len(pieces.target), share)
        self.target: Array = pieces.target[self._kept]
        self.sampled = int(self._kept[: pieces.sampled].sum())
        self.memory_bytes: float = pieces.memory_bytes
        self.scratch: Path = pieces.scratch

    def __iter__(self) -> Iterator[FloatArray]:
        end = 0
        for matrix in self._pieces:
            end += len(matrix)
            yield matrix[self._kept[end - len(matrix) : end]]


def keep_best(booster: Any, before: Any, best: int, rounds: int) -> Any:
    """The trees of `before` (None: no trees) and, of the `rounds` that followed, those up to the best."""
    known = 0 if before is None else before.num_boosted_rounds()
    return booster[: known + best] if best < rounds else booster


def quantise_pieces(pieces: Pieces, target: Array, types: Sequence[str], threads: int) -> Any:
    """A matrix of all pieces.

    Args:
        target: of all rows (n,), as the booster learns it.
        types: "c" or "q" a column.
    """
    import xgboost

    class Reader(xgboost.DataIter):  # type: ignore[misc]
        """Gives the pieces one by one, and all of them again after `reset`."""

        def __init__(self, prefix: str | None) -> None:
            self.reset()
            super().__init__(cache_prefix=prefix, release_data=True)

        def next(self, input_data: Any) -> bool:
            matrix = next(self.left, None)
            if matrix is None:
                return False
            self.end += len(matrix)
            label = target[self.end - len(matrix) : self.end]
            input_data(data=np.asarray(matrix, dtype=np.float32), label=label, feature_types=list(types))
            return True

        def reset(self) -> None:
            self.left, self.end = iter(pieces), 0

    bytes_needed = len(target) * (CELL_BYTES * len(types) + ROW_BYTES)
    options = {"nthread": threads, "enable_categorical": True}
    if bytes_needed <= SHARE * pieces.memory_bytes:
        return xgboost.QuantileDMatrix(Reader(None), **options)
    return xgboost.ExtMemQuantileDMatrix(Reader(str(pieces.scratch / "pages")), **options)
