"""Word vectors from a text file of word2vec or GloVe, kept for the words of one table."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from automl.errors import DataError
from automl.files import write_array
from automl.matrix import Array, FloatArray
from automl.preprocess.ngrams import match_keys
from automl.preprocess.table import Table
from automl.preprocess.tokens import find_ngrams, to_points

FILE = "word_vectors.npz"
MAX_WIDTH = 1024
MAX_LINE = 64 * 1024
LINES_AT_ONCE = 4096
READ_BYTES = 2**20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WordVectors:
    """What was read of a file.

    Attributes:
        found: words of the table that have a vector.
        words: words of the table.
        lines: lines that were read.
        is_whole: whether those are all there are.
    """

    found: int
    words: int
    lines: int
    is_whole: bool


def store_word_vectors(path: Path, table: Table, folder: Path, *, deadline: float = float("inf")) -> WordVectors:
    """Read the vectors of the table's words and write them to `folder`.

    Args:
        path: one word a line, then its numbers, all separated by blanks; a first line of two counts is passed over.
            A word may have blanks in it, as some of the large published files have.
        deadline: `time.monotonic()` after which no more lines are read; published files begin with the common words.

    Raises:
        DataError: if the file cannot be read, a line has another number of numbers, or no word of the table is there.
    """
    keys: set[int] = set()
    for texts in table.texts:
        keys |= set(texts.counts("word", 1)[1].keys.tolist())
    found: dict[int, FloatArray] = {}
    read, is_whole = 0, True
    for lines, width in _batch_lines(path):
        if read and lines and time.monotonic() >= deadline:
            is_whole = False
            break
        for key, (number, _, rest) in zip(_find_keys([word for _, word, _ in lines]), lines, strict=True):
            if key in keys and key not in found:
                found[key] = _parse_numbers(path, number, rest, width)
            read = number
    if found:
        order = np.array(sorted(found), dtype=np.uint64)
        vectors = np.stack([found[int(key)] for key in order])
        write_array(folder / FILE, lambda file: np.savez(file, keys=order, vectors=vectors))
    elif is_whole:
        raise _refuse(path, "it has none of the table's words", "Give vectors of the language of the texts")
    return WordVectors(found=len(found), words=len(keys), lines=read, is_whole=is_whole)


def read_word_vectors(folder: Path, vocabulary: Array) -> FloatArray | None:
    """Vectors (v, width) float32 of the keys `vocabulary` (v,), NaN where a word has none; None without a file."""
    if not (folder / FILE).exists():
        return None
    with np.load(folder / FILE, allow_pickle=False) as file:
        keys, vectors = file["keys"], file["vectors"]
    places = match_keys(vocabulary, keys)
    return np.where(places[:, None] >= 0, vectors[np.maximum(places, 0)], np.float32(np.nan))


def _find_keys(words: list[str]) -> list[int]:
    """The key of each word that is one token; 0, which no word has, for anything else."""
    keys, owners = find_ngrams(to_points(words), "word", 1)[:2]
    counts = np.bincount(owners, minlength=len(words))
    single = np.zeros(len(words), dtype=np.uint64)
    alone = counts[owners] == 1
    single[owners[alone]] = keys[alone]
    return [int(key) for key in single]


def _batch_lines(path: Path) -> Iterator[tuple[list[tuple[int, str, bytes]], int]]:
    """Number, word and the rest of so many lines at a time that looking their words up costs little; and the width."""
    width = 0
    lines: list[tuple[int, str, bytes]] = []
    for number, word, rest in _read_lines(path):
        if not width:
            width = len(rest.split())
            if number == 1 and width == 1:
                width = 0
                continue
            if not 1 < width <= MAX_WIDTH:
                raise _refuse(path, f"line {number} has {width} numbers", "Give vectors of 2 to 1,024 numbers")
        # most words are none of the table's: their numbers are counted by the blanks between them, never split
        if rest.count(b" ") != width - 1:
            numbers = rest.split()
            if len(numbers) < width:
                raise _refuse_width(path, number, len(numbers), width)
            word, rest = b" ".join([word, *numbers[:-width]]), b" ".join(numbers[-width:])
        lines.append((number, word.decode("utf-8", "replace"), rest))
        if len(lines) == LINES_AT_ONCE:
            yield lines, width
            lines = []
    yield lines, width


def _read_lines(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    try:
        with path.open("rb", buffering=READ_BYTES) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE or b"\0" in line:
                    raise _refuse(path, f"line {number} is no word and its numbers", "Give GloVe or word2vec as text")
                word, _, rest = line.strip().partition(b" ")
                if word:
                    yield number, word, rest
    except OSError as error:
        raise DataError(
            f"Cannot read {str(path)!r}: {error.strerror}", hint="Check the path of --embeddings"
        ) from error


def _parse_numbers(path: Path, number: int, rest: bytes, width: int) -> FloatArray:
    try:
        vector = np.array(rest.decode("utf-8", "replace").split(), dtype=np.float32)
    except ValueError as error:
        raise _refuse(path, f"line {number} holds {str(error)[:60]}", "Mend or delete that line") from error
    if len(vector) != width:
        raise _refuse_width(path, number, len(vector), width)
    return vector


def _refuse_width(path: Path, number: int, numbers: int, width: int) -> DataError:
    return _refuse(path, f"line {number} has {numbers} numbers, not {width}", "Mend or delete that line")


def _refuse(path: Path, reason: str, hint: str) -> DataError:
    return DataError(f"{path} holds no word vectors that can be used: {reason}", hint=hint)
