"""Word vectors from a text file of word2vec or GloVe, kept for the words of one table."""

from __future__ import annotations

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


def store_word_vectors(path: Path, table: Table, folder: Path) -> tuple[int, int]:
    """Read the vectors of the table's words and write them to `folder`.

    Args:
        path: one word a line, then its numbers, all separated by blanks; a first line of two counts is passed over.
            A word may have blanks in it, as some of the large published files have.

    Returns:
        Words found, and words of the table.

    Raises:
        DataError: if the file cannot be read, a line has another number of numbers, or no word of the table is there.
    """
    keys: set[int] = set()
    for texts in table.texts:
        keys |= set(texts.counts("word", 1)[1].keys.tolist())
    found: dict[int, FloatArray] = {}
    for lines in _batch_lines(path):
        for key, (number, _, numbers) in zip(_find_keys([word for _, word, _ in lines]), lines, strict=True):
            if key not in keys or key in found:
                continue
            try:
                found[key] = np.array(numbers, dtype=np.float32)
            except ValueError as error:
                raise _refuse(path, f"line {number} holds {str(error)[:60]}", "Mend or delete that line") from error
    if not found:
        raise _refuse(path, "it has none of the table's words", "Give vectors of the language of the texts")
    order = np.array(sorted(found), dtype=np.uint64)
    vectors = np.stack([found[int(key)] for key in order])
    write_array(folder / FILE, lambda file: np.savez(file, keys=order, vectors=vectors))
    return len(found), len(keys)


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


def _batch_lines(path: Path) -> Iterator[list[tuple[int, str, list[str]]]]:
    """Number, word and numbers of so many lines at a time that looking their words up costs little."""
    width = 0
    lines: list[tuple[int, str, list[str]]] = []
    for number, word, rest in _read_lines(path):
        numbers = rest.split()
        if number == 1 and len(numbers) == 1:
            continue
        if not width:
            width = len(numbers)
            if not 1 < width <= MAX_WIDTH:
                raise _refuse(path, f"line {number} has {width} numbers", "Give vectors of 2 to 1,024 numbers")
        if len(numbers) < width:
            raise _refuse(path, f"line {number} has {len(numbers)} numbers, not {width}", "Mend or delete that line")
        if len(numbers) > width:
            word, numbers = " ".join([word, *numbers[:-width]]), numbers[-width:]
        lines.append((number, word, numbers))
        if len(lines) == LINES_AT_ONCE:
            yield lines
            lines = []
    yield lines


def _read_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE or b"\0" in line:
                    raise _refuse(path, f"line {number} is no word and its numbers", "Give GloVe or word2vec as text")
                word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                if word:
                    yield number, word, rest
    except OSError as error:
        raise DataError(
            f"Cannot read {str(path)!r}: {error.strerror}", hint="Check the path of --embeddings"
        ) from error


def _refuse(path: Path, reason: str, hint: str) -> DataError:
    return DataError(f"{path} holds no word vectors that can be used: {reason}", hint=hint)
