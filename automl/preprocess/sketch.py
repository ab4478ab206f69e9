"""Document frequencies of any number of n-grams in a table of fixed size: which of them may be common.

Feature hashing (Weinberger et al. 2009, arXiv:0902.2206) gives a huge vocabulary a fixed number of places, and what
shares a place becomes one feature for good. Here the places only choose: a key has one in each of two rows, what is
counted there is never less than its own frequency (a count-min sketch, Cormode and Muthukrishnan 2005,
doi:10.1016/j.jalgor.2003.12.001), and those that may be common are counted by themselves in a second pass. So no two
n-grams are ever mixed, and a model's vocabulary and its exports are what they are for few texts.
"""

from __future__ import annotations

import numpy as np

from automl.matrix import Array

PLACE_BITS = 22  # 32 MB


class FrequencySketch:
    """Upper bounds of the number of texts that each key stands in.

    Args:
        bits: log2 of the places of a row.
    """

    def __init__(self, bits: int = PLACE_BITS) -> None:
        self.bits = bits
        self.rows = np.zeros((2, 2**bits), dtype=np.int32)

    def add(self, keys: Array, frequencies: Array) -> None:
        """Count keys (v,) uint64 that stand in so many more texts (v,)."""
        for row, places in zip(self.rows, self._place(keys), strict=True):
            row += np.bincount(places, frequencies, minlength=len(row)).astype(np.int32)

    def bound(self, keys: Array) -> Array:
        """(v,) int32, at least the number of texts that each key stands in."""
        first, second = (row[places] for row, places in zip(self.rows, self._place(keys), strict=True))
        return np.asarray(np.minimum(first, second))

    def find_floor(self, most: int) -> int:
        """The least frequency that at most so many places of a row reach; all keys above it are among those."""
        return max(find_floor(row, most) for row in self.rows)

    def _place(self, keys: Array) -> tuple[Array, Array]:
        # the two ends of a key are independent
        last = np.uint64(2**self.bits - 1)
        return (keys & last).astype(np.int64), (keys >> np.uint64(64 - self.bits)).astype(np.int64)


def find_floor(frequencies: Array, most: int) -> int:
    """The least frequency, 1 or more, that at most `most` of these (v,) reach."""
    if np.count_nonzero(frequencies) <= most:
        return 1
    return int(np.partition(frequencies, len(frequencies) - most - 1)[len(frequencies) - most - 1]) + 1
