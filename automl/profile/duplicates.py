"""Rows whose features are equal: found by their hashes, told from those that few distinct values make by chance."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from automl.matrix import Array, IntArray
from automl.profile.association import code_levels, sample_rows

if TYPE_CHECKING:
    from automl.data import Dataset

# Rows that are equal to so many others are no copies that slipped in: what they share is common, in new rows too.
MOST_TWINS = 50
BLOCK = 64  # columns hashed at once: in a wide table the first ones tell most rows apart
_found: WeakKeyDictionary[Dataset, Duplicates | None] = WeakKeyDictionary()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Equal rows of a table.

    Attributes:
        group: number of the row's set of equal rows (n,) int64; a row without a twin is a set of its own, and so is one
            with very many: a set as large as a fold would make that fold unlike all others.
        common: rows that have so many twins.
        copies: rows that equal an earlier one.
        conflicting: rows whose twins have another target.
        by_chance: True if columns of so few values repeat anyhow; then new rows will repeat old ones too, and keeping
            twins together would ask of a model what it will never be asked.
    """

    group: IntArray
    common: int
    copies: int
    conflicting: int
    by_chance: bool


def find_duplicates(dataset: Dataset) -> Duplicates | None:
    """Equal feature rows; None if there are none, or no features. Looked for once a data set."""
    if dataset not in _found:
        _found[dataset] = _find(dataset)
    return _found[dataset]


def _find(dataset: Dataset) -> Duplicates | None:
    contents = dataset.contents
    keys = _hash_rows(contents)
    if keys is None:
        return None
    group = np.asarray(pd.factorize(keys)[0], dtype=np.int64)
    copies = len(group) - (int(group.max()) + 1)
    pairs = pd.DataFrame({"group": group, "target": dataset.target}).drop_duplicates()
    labels = np.bincount(pairs["group"].to_numpy(), minlength=int(group.max()) + 1)
    is_common = np.bincount(group)[group] > MOST_TWINS
    return Duplicates(
        group=_set_apart(group, is_common),
        common=int(is_common.sum()),
        copies=copies,
        conflicting=int((labels[group] > 1).sum()),
        by_chance=_repeat_by_chance(contents, group),
    )


def _set_apart(group: IntArray, alone: Array) -> IntArray:
    """The groups, with each row of `alone` (n,) in one of its own."""
    apart = group.copy()
    apart[alone] = int(group.max()) + 1 + np.arange(int(alone.sum()))
    return np.asarray(pd.factorize(apart)[0], dtype=np.int64)


def _hash_rows(frame: pd.DataFrame) -> Array | None:
    """(n,) uint64 keys, equal for equal rows; None if no two rows are equal. Rows told apart early are left out."""
    if frame.shape[1] == 0 or len(frame) < 2:
        return None
    keys = np.zeros(len(frame), dtype=np.uint64)
    alive = np.arange(len(frame))
    for start in range(0, frame.shape[1], BLOCK):
        block = frame.iloc[:, start : start + BLOCK]
        block = block if len(alive) == len(frame) else block.iloc[alive]
        keys[alive] = (
            keys[alive] * np.uint64(0x9E3779B97F4A7C15) + pd.util.hash_pandas_object(block, index=False).to_numpy()
        )
        alive = np.flatnonzero(pd.Series(keys).duplicated(keep=False).to_numpy())
        if len(alive) == 0:
            return None
    return keys


def _repeat_by_chance(frame: pd.DataFrame, group: IntArray) -> bool:
    """Whether independent columns with these shares of values would make a third of the twins there are.

    The shares are those of the distinct rows, for copies must not make themselves look likely. A table with twenty rows
    to each distinct one is a table of counts, however it came about.
    """
    n, (_, first, sizes) = len(group), np.unique(group, return_index=True, return_counts=True)
    if len(sizes) < n / 20:
        return True
    distinct = frame.iloc[first[sample_rows(len(first), frame.shape[1])]]
    chance = 0.0  # logarithm of the probability that two rows are equal
    for position in range(frame.shape[1]):
        counts = np.bincount(code_levels(distinct.iloc[:, position])).astype(np.float64)
        pairs = float(counts @ (counts - 1)) / max(1, len(distinct) * (len(distinct) - 1))
        if pairs == 0.0:
            return False
        chance += np.log(pairs)
    twins = float(sizes @ (sizes - 1)) / n  # that a row has on average
    return bool(n * np.exp(chance) >= twins / 3)
