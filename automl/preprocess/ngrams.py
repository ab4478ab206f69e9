"""N-grams of words and characters, counted by their keys: a vocabulary is a sorted array of integers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from automl.matrix import Array
from automl.preprocess.sketch import FrequencySketch, find_floor
from automl.preprocess.tokens import Kind, Points, find_ngrams, to_points

# Characters looked at at once, so that memory stays flat however large the texts are.
BLOCK_CHARACTERS = 2_000_000
SEPARATOR = "\n"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often each n-gram stands in each text.

    Attributes:
        matrix: scipy CSR (n, v) float32; columns in the order of `keys`.
        keys: (v,) uint64, ascending.
        terms: what the keys stand for, joined by line ends, as UTF-8 bytes (b,) uint8.
    """

    matrix: Any
    keys: Array
    terms: Array

    def spell(self, places: Array) -> list[str]:
        """The n-grams of these columns."""
        words = self.terms.tobytes().decode("utf-8").split(SEPARATOR)
        return [words[place] for place in places]


def count_ngrams(texts: Iterable[str | None], kind: Kind, n: int, *, least: int = 1, most: int | None = None) -> Counts:
    """Count the n-grams of every text.

    Args:
        texts: something that can be gone through more than once.
        kind: "word" for n tokens in a row, "char" for n characters in a row inside a word and its two blanks, "span"
            for n characters in a row wherever the blanks are.
        least: n-grams that stand in fewer texts are left out.
        most: where there are more n-grams, those that stand in the fewest texts are left out, and memory does not
            grow with their number (see `sketch.py`); None for all of them.
    """
    whole = _count_exactly(texts, kind, n, most=most)
    if whole is None:
        assert most is not None, "all n-grams were asked for"
        sketch = FrequencySketch()
        for points in read_blocks(texts):
            found = _count_block(points, kind, n)
            sketch.add(found.keys, found.frequencies())
        least = max(least, sketch.find_floor(most))
        whole = _count_exactly(texts, kind, n, is_wanted=lambda keys: sketch.bound(keys) >= least)
        assert whole is not None, "nothing bounds this count"
        least = max(least, find_floor(whole.frequencies(), most))
    return whole.take(np.flatnonzero(whole.frequencies() >= least)) if least > 1 else whole.join()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The n-grams of some texts before their terms are joined.

    Attributes:
        matrix, keys: see `Counts`.
        terms: keys and what they stand for, block by block.
    """

    matrix: Any
    keys: Array
    terms: list[tuple[Array, list[str]]]

    def frequencies(self) -> Array:
        """(v,) int64 texts that each n-gram stands in."""
        return np.bincount(self.matrix.indices, minlength=len(self.keys))

    def join(self) -> Counts:
        return Counts(matrix=self.matrix, keys=self.keys, terms=_join_terms(self.terms, self.keys))

    def take(self, columns: Array) -> Counts:
        """These columns only."""
        kept = self.keys[columns]
        return Counts(matrix=select_columns(self.matrix, columns), keys=kept, terms=_join_terms(self.terms, kept))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """The n-grams of one block of texts, and where the first of each lies in its code points."""

    matrix: Any
    keys: Array
    starts: Array
    lengths: Array

    def frequencies(self) -> Array:
        """(v,) int64 texts that each n-gram stands in."""
        return np.bincount(self.matrix.indices, minlength=len(self.keys))

    def take(self, columns: Array) -> _Block:
        return _Block(
            matrix=select_columns(self.matrix, columns),
            keys=self.keys[columns],
            starts=self.starts[columns],
            lengths=self.lengths[columns],
        )


def _count_block(points: Points, kind: Kind, n: int) -> _Block:
    from scipy.sparse import csr_matrix

    own, owners, starts, lengths = find_ngrams(points, kind, n)
    keys, first, places = np.unique(own, return_index=True, return_inverse=True)
    matrix = csr_matrix(
        (np.ones(len(own), dtype=np.float32), (owners, places.reshape(-1))), shape=(points.count, len(keys))
    )
    matrix.sum_duplicates()
    return _Block(matrix=matrix, keys=keys, starts=starts[first], lengths=lengths[first])


def _count_exactly(
    texts: Iterable[str | None],
    kind: Kind,
    n: int,
    *,
    most: int | None = None,
    is_wanted: Callable[[Array], Array] | None = None,
) -> _Found | None:
    """All n-grams, or those whose keys `is_wanted` says yes to; None as soon as they are more than `most`."""
    from scipy.sparse import csr_matrix, vstack

    keys, parts, terms = np.zeros(0, dtype=np.uint64), [], []
    known: list[tuple[Array, Any]] = []
    for points in read_blocks(texts):
        block = _count_block(points, kind, n)
        if is_wanted is not None:
            block = block.take(np.flatnonzero(is_wanted(block.keys)))
        known.append((block.keys, block.matrix))
        new = match_keys(block.keys, keys) < 0
        terms.append((block.keys[new], _spell(points.codes, block.starts[new], block.lengths[new])))
        keys = np.insert(keys, np.searchsorted(keys, block.keys[new]), block.keys[new])
        if most is not None and len(keys) > most:
            return None
    for own, matrix in known:
        matrix.indices = np.searchsorted(keys, own).astype(np.int32)[matrix.indices]
        parts.append(csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], len(keys))))
    whole = parts[0] if len(parts) == 1 else vstack(parts, format="csr") if parts else csr_matrix((0, 0), dtype="f4")
    return _Found(matrix=whole, keys=keys, terms=terms)


def select_columns(matrix: Any, columns: Array) -> Any:
    """The CSR matrix of these columns; -1 stands for a column of zeros."""
    from scipy.sparse import csr_matrix

    target = np.full(matrix.shape[1] + 1, -1, dtype=np.int32)
    target[columns] = np.arange(len(columns), dtype=np.int32)
    target[-1] = -1
    indices = target[matrix.indices]
    keep = indices >= 0
    indptr = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])[matrix.indptr]
    chosen = csr_matrix((matrix.data[keep], indices[keep], indptr), shape=(matrix.shape[0], len(columns)))
    chosen.sort_indices()
    return chosen


def match_keys(wanted: Array, keys: Array) -> Array:
    """Place (w,) int64 of each wanted key among the ascending `keys`, -1 if it is not there."""
    if len(keys) == 0:
        return np.full(len(wanted), -1, dtype=np.int64)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)


def read_blocks(texts: Iterable[str | None]) -> Iterator[Points]:
    """All texts in their order, a block of them at a time."""
    block: list[str | None] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text) if text else 0
        if size >= BLOCK_CHARACTERS:
            yield to_points(block)
            block, size = [], 0
    if block:
        yield to_points(block)


def _spell(codes: Array, starts: Array, lengths: Array) -> list[str]:
    """Texts of spans, without a loop over characters."""
    if len(starts) == 0:
        return []
    ends = np.cumsum(lengths + 1)
    gathered = np.full(int(ends[-1]), ord(SEPARATOR), dtype=np.uint32)
    within = np.arange(len(gathered)) - np.repeat(ends - lengths - 1, lengths + 1)
    is_code = within < np.repeat(lengths, lengths + 1)
    gathered[is_code] = codes[(np.repeat(starts, lengths + 1) + within)[is_code]]
    return gathered[:-1].tobytes().decode("utf-32-le").split(SEPARATOR)


def _join_terms(found: list[tuple[Array, list[str]]], kept: Array) -> Array:
    names = np.empty(len(kept), dtype=object)
    for keys, words in found:
        places = match_keys(keys, kept)
        here = places >= 0
        names[places[here]] = np.array(words, dtype=object)[here]
    return np.frombuffer(SEPARATOR.join(names).encode("utf-8"), dtype=np.uint8)
