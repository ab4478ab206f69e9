"""A column of texts as one array of bytes: memory-mapped by workers, its n-grams counted once for all folds.

Counting for the whole table tells a model nothing about a row's target, and an n-gram that does not stand in a fold's
training rows is unknown to that fold's model, as an unseen level of a category is.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl.matrix import Array
from automl.preprocess.ngrams import Counts, count_ngrams
from automl.preprocess.tokens import Kind

# A chain of characters that stands in one text of the whole table only is never looked up again.
LEAST_CHAR = 2
# N-grams of one order that are kept of a whole table: several times what a model may have.
MOST_STORED = 2**20


class Corpus:
    """The texts of one column.

    Args:
        data: (b,) uint8, the texts as UTF-8, one after the other.
        starts, ends: (n,) int64 places in `data`; a start below 0 is a missing text.
    """

    def __init__(self, data: Array, starts: Array, ends: Array) -> None:
        self.data, self.starts, self.ends = data, starts, ends
        self._counts: dict[tuple[Kind, int], Counts] = {}
        self.memo: dict[str, dict[int, Any]] = {}  # what an encoder made of parts of the texts, by part

    @staticmethod
    def pack(values: Sequence[Any] | Array) -> Corpus:
        """Texts (n,) of str, or anything else for missing."""
        parts = [text.encode("utf-8", "replace") if isinstance(text, str) else None for text in values]
        lengths = np.array([len(part) if part else 0 for part in parts], dtype=np.int64)
        ends = np.cumsum(lengths)
        starts = np.where([part is None for part in parts], -1, ends - lengths).astype(np.int64)
        data = np.frombuffer(b"".join(part for part in parts if part), dtype=np.uint8)
        return Corpus(data, starts, ends)

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[str | None]:
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield None if start < 0 else self.data[start:end].tobytes().decode("utf-8", "replace")

    def sizes(self) -> Array:
        """(n,) int64 bytes of each text."""
        return np.where(self.starts < 0, 0, self.ends - self.starts)

    @property
    def n_bytes(self) -> int:
        return int(self.sizes().sum())

    def ascii_share(self) -> float:
        """Share of the bytes that are ASCII, of the first million; 1 where there are none."""
        begin = self.data[:1_000_000]
        return float(np.mean(begin < 128)) if len(begin) else 1.0

    def count(self, kind: Kind, n: int, store: Path | None) -> Counts:
        """The n-grams of every text, from memory, from `store`, or counted and put there.

        Only what is stored, a whole table, is without what stands in one text, and without the rarest of more than
        `MOST_STORED`: no fold has a use for it. What a model reads to answer is counted as it is.
        """
        key = (kind, n)
        if key not in self._counts:
            place = store / f"{kind}-{n}" if store is not None else None
            if place is not None and place.is_dir():
                self._counts[key] = _read_counts(place)
            else:
                least = LEAST_CHAR if store is not None and kind != "word" else 1
                most = MOST_STORED if store is not None else None
                self._counts[key] = count_ngrams(self, kind, n, least=least, most=most)
                if place is not None:
                    _write_counts(place, self._counts[key])
        return self._counts[key]


@dataclasses.dataclass(frozen=True)
class Texts:
    """Rows of a corpus, in any order.

    Attributes:
        rows: (n,) int64.
        store: a folder for counts that other workers and folds can use, or None.
    """

    corpus: Corpus
    rows: Array
    store: Path | None = None

    @staticmethod
    def pack(values: Sequence[Any] | Array) -> Texts:
        corpus = Corpus.pack(values)
        return Texts(corpus, np.arange(len(corpus), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str | None]:
        data, starts, ends = self.corpus.data, self.corpus.starts, self.corpus.ends
        for row in self.rows.tolist():
            start = int(starts[row])
            yield None if start < 0 else data[start : int(ends[row])].tobytes().decode("utf-8", "replace")

    def sizes(self) -> Array:
        """(n,) int64 bytes of each text."""
        return self.corpus.sizes()[self.rows]

    def take(self, rows: Array | slice) -> Texts:
        """These rows; the counts are shared."""
        return dataclasses.replace(self, rows=self.rows[rows])

    def detach(self) -> Texts:
        """The same rows as a corpus of their own, so that work on them does not touch the others."""
        corpus = self.corpus
        return Texts.over(Corpus(corpus.data, corpus.starts[self.rows], corpus.ends[self.rows]))

    @staticmethod
    def over(corpus: Corpus) -> Texts:
        return Texts(corpus, np.arange(len(corpus), dtype=np.int64))

    def counts(self, kind: Kind, n: int) -> tuple[Any, Counts]:
        """CSR (n, v) float32 of these rows, and the counts of the whole corpus that it was taken from."""
        counts = self.corpus.count(kind, n, self.store)
        whole = len(self.rows) == counts.matrix.shape[0] and np.array_equal(self.rows, np.arange(len(self.rows)))
        return (counts.matrix if whole else counts.matrix[self.rows]), counts

    def save(self, folder: Path, name: str) -> None:
        """Write three .npy files; only for texts in the order of their corpus."""
        corpus = self.corpus
        for part in ("data", "starts", "ends"):
            np.save(folder / f"{name}-{part}.npy", getattr(corpus, part))

    @staticmethod
    def load(folder: Path, name: str) -> Texts:
        """Memory-map what `save` wrote."""
        data, starts, ends = (
            np.load(folder / f"{name}-{part}.npy", mmap_mode="r", allow_pickle=False)
            for part in ("data", "starts", "ends")
        )
        return Texts.over(Corpus(data, starts, ends))


def write_sparse(folder: Path, name: str, matrix: Any) -> None:
    """A CSR matrix as three .npy files and its width."""
    for part in ("data", "indices", "indptr"):
        np.save(folder / f"{name}-{part}.npy", getattr(matrix, part))
    np.save(folder / f"{name}-width.npy", np.int64(matrix.shape[1]))


def read_sparse(folder: Path, name: str) -> Any:
    """The CSR matrix that `write_sparse` wrote, memory-mapped."""
    from scipy.sparse import csr_matrix

    # copy on write: the pages are shared, yet libraries that refuse read-only buffers take the arrays
    data, indices, indptr = (
        np.load(folder / f"{name}-{part}.npy", mmap_mode="c", allow_pickle=False)
        for part in ("data", "indices", "indptr")
    )
    width = int(np.load(folder / f"{name}-width.npy", allow_pickle=False))
    matrix = csr_matrix((len(indptr) - 1, width), dtype=np.float32)
    matrix.data, matrix.indices, matrix.indptr = data, indices, indptr
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    return matrix


def _write_counts(place: Path, counts: Counts) -> None:
    # two workers may count the same n-grams at once: the first rename wins
    own = place.with_name(f".{place.name}.tmp-{os.getpid()}")
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    try:
        write_sparse(own, "matrix", counts.matrix)
        np.save(own / "keys.npy", counts.keys)
        np.save(own / "terms.npy", counts.terms)
        try:
            own.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _read_counts(place: Path) -> Counts:
    return Counts(
        matrix=read_sparse(place, "matrix"),
        keys=np.load(place / "keys.npy", mmap_mode="r", allow_pickle=False),
        terms=np.load(place / "terms.npy", mmap_mode="r", allow_pickle=False),
    )
