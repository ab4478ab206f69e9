"""N-grams of words and characters, counted by their keys: a vocabulary is a sorted array of integers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from automl.matrix import Array
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


def count_ngrams(texts: Sequence[str | None], kind: Kind, n: int, *, least: int = 1) -> Counts:
    """Count the n-grams of every text.

    Args:
        kind: "word" for n tokens in a row, "char" for n characters in a row inside a word and its two blanks, "span"
            for n characters in a row wherever the blanks are.
        least: n-grams that stand in fewer texts are left out.
    """
    from scipy.sparse import csr_matrix, vstack

    keys, parts, terms = np.zeros(0, dtype=np.uint64), [], []
    known: list[tuple[Array, Any]] = []
    for points in _blocks(texts):
        own, owners, starts, lengths = find_ngrams(points, kind, n)
        fresh, first, places = np.unique(own, return_index=True, return_inverse=True)
        matrix = csr_matrix(
            (np.ones(len(own), dtype=np.float32), (owners, places.reshape(-1))), shape=(points.count, len(fresh))
        )
        matrix.sum_duplicates()
        known.append((fresh, matrix))
        new = ~np.isin(fresh, keys, assume_unique=True)
        terms.append((fresh[new], _spell(points.codes, starts[first[new]], lengths[first[new]])))
        keys = np.union1d(keys, fresh)
    for fresh, matrix in known:
        matrix.indices = np.searchsorted(keys, fresh).astype(np.int32)[matrix.indices]
        parts.append(csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], len(keys))))
    whole = parts[0] if len(parts) == 1 else vstack(parts, format="csr") if parts else csr_matrix((0, 0), dtype="f4")
    if least > 1:
        keep = np.flatnonzero(np.bincount(whole.indices, minlength=len(keys)) >= least)
        whole, kept = select_columns(whole, keep), keys[keep]
    else:
        kept = keys
    return Counts(matrix=whole, keys=kept, terms=_join_terms(terms, kept))


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


def _blocks(texts: Sequence[str | None]) -> Iterator[Points]:
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
