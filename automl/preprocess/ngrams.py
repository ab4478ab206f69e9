"""N-grams of words and characters, counted by 64-bit keys: a vocabulary is a sorted array of integers.

Keys are polynomials of code points modulo 2^64 (Karp and Rabin 1987, doi:10.1147/rd.312.0249): the same n-gram has the
same key on every machine, and two of a vocabulary's share one with a chance below 1e-9.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from automl.matrix import Array
from automl.preprocess.tokens import Points, Tokens, to_points, to_tokens

Kind = Literal["word", "char", "span"]
BASE = np.uint64(0x9E3779B97F4A7C15)
INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
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


def find_ngrams(points: Points, kind: Kind, n: int) -> tuple[Array, Array, Array, Array]:
    """Every n-gram: key (g,) uint64, text (g,) int32, and where it lies in the code points: start and length."""
    if kind == "word":
        return _find_words(points, to_tokens(points), n)
    return _find_characters(points, n, across=kind == "span")


def _find_words(points: Points, tokens: Tokens, n: int) -> tuple[Array, Array, Array, Array]:
    keys = mix(hash_spans(points.codes, tokens.starts, tokens.ends))
    count = max(0, len(keys) - n + 1)
    combined = np.zeros(count, dtype=np.uint64)
    for at in range(n):
        combined = combined * BASE + keys[at : at + count]
    inside = tokens.texts[:count] == tokens.texts[n - 1 :][:count]
    starts, ends = tokens.starts[:count][inside], tokens.ends[n - 1 :][:count][inside]
    return combined[inside], tokens.texts[:count][inside], starts, ends - starts


def _find_characters(points: Points, n: int, *, across: bool) -> tuple[Array, Array, Array, Array]:
    codes = points.codes
    count = max(0, len(codes) - n + 1)
    combined = np.zeros(count, dtype=np.uint64)
    for at in range(n):
        combined = combined * BASE + (codes[at : at + count].astype(np.uint64) + np.uint64(1))
    blanks = np.concatenate([[0], np.cumsum(codes == ord(" "))])
    starts = np.arange(count)
    # a window is never blank; inside a word, blanks stand at its ends only
    alone = blanks[starts + n] - blanks[starts] == n
    inside = blanks[starts + max(n - 1, 1)] - blanks[starts + 1]
    valid = ~alone & (across | (inside == 0))
    valid &= points.texts[:count] == points.texts[n - 1 :][:count]
    starts = starts[valid]
    return mix(combined[valid]), points.texts[starts], starts, np.full(len(starts), n, dtype=np.int64)


def hash_spans(codes: Array, starts: Array, ends: Array) -> Array:
    """Polynomial keys (t,) uint64 of spans of code points, from running sums."""
    with np.errstate(over="ignore"):
        powers = np.concatenate([[np.uint64(1)], np.cumprod(np.full(len(codes), BASE, dtype=np.uint64))])
        inverse = np.concatenate([[np.uint64(1)], np.cumprod(np.full(len(codes), INVERSE, dtype=np.uint64))])
        sums = np.concatenate(
            [[np.uint64(0)], np.cumsum((codes.astype(np.uint64) + np.uint64(1)) * powers[:-1], dtype=np.uint64)]
        )
        result: Array = (sums[ends] - sums[starts]) * inverse[starts]
    return result


def mix(keys: Array) -> Array:
    """Spread keys evenly over 64 bits, reversibly (Steele et al. 2014, doi:10.1145/2660193.2660195)."""
    keys = (keys ^ (keys >> np.uint64(30))) * MIX_1
    keys = (keys ^ (keys >> np.uint64(27))) * MIX_2
    return np.asarray(keys ^ (keys >> np.uint64(31)))


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
