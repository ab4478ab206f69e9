"""Word vectors from a file, for the words of a table."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from automl.errors import DataError
from automl.preprocess.word_vectors import WordVectors, read_word_vectors, store_word_vectors
from tests.unit.preprocess.test_text import TOKENS, fit, make_table


def counts_of(read: WordVectors) -> tuple[int, int]:
    return read.found, read.words


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("head", ["", "4 2\n"])
def test_vectors_are_found_for_the_words_of_the_table(tmp_path: Path, head: str) -> None:
    table = make_table(["good food", "bad wine"] * 5)
    path = write(tmp_path / "glove.txt", f"{head}Good 1 2\nunheard 3 4\nwine -1 0.5\ngood 9 9\n")
    assert counts_of(store_word_vectors(path, table, tmp_path)) == (2, 4)
    transformer, _ = fit(table, TOKENS)
    assert transformer.text is not None
    vectors = read_word_vectors(tmp_path, transformer.text.state["keys"][0])
    words = transformer.text.state["terms"][0].tobytes().decode().split("\n")
    assert vectors is not None and vectors.shape == (4, 2)
    assert vectors[words.index("good")].tolist() == [1, 2] and vectors[words.index("wine")].tolist() == [-1, 0.5]
    assert np.isnan(vectors[words.index("bad")]).all()


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_word_vectors(tmp_path, np.zeros(3, dtype=np.uint64)) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("good 1 2\nbad 1\n", "line 2 has 1 numbers, not 2"),
        ("good 1 x\n", "line 1 holds"),
        ("good 1 2\nfood 1\t2 3\n", "line 2 has 3 numbers, not 2"),
        ("other 1 2\n", "none of the table's words"),
        ("good\n", "line 1 has 0 numbers"),
        ("\0\0\0", "line 1 is no word"),
    ],
)
def test_a_file_of_something_else_is_refused_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        store_word_vectors(write(tmp_path / "x.txt", content), make_table(["good food"] * 5), tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Cannot read"):
        store_word_vectors(tmp_path / "none.txt", make_table(["good food"] * 5), tmp_path)


def test_words_with_blanks_in_them_are_passed_over(tmp_path: Path) -> None:
    """As in the largest file of GloVe, where ". . ." is a word."""
    path = write(tmp_path / "glove.txt", "good 1 2\n. . . 3 4\nat name@domain.com 5 6\nwine -1 0.5\n")
    read = store_word_vectors(path, make_table(["good food", "bad wine"] * 5), tmp_path)
    assert counts_of(read) == (2, 4)


def test_words_are_looked_up_many_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.preprocess.word_vectors.LINES_AT_ONCE", 3)
    lines = "".join(f"w{number} {number} 1\n" for number in range(10))
    path = write(tmp_path / "glove.txt", lines + "good 7 8\n")
    read = store_word_vectors(path, make_table(["good food"] * 5), tmp_path)
    assert counts_of(read) == (1, 2) and read.lines == 11 and read.is_whole


def test_when_the_time_is_over_the_vectors_read_until_then_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.preprocess.word_vectors.LINES_AT_ONCE", 3)
    path = write(tmp_path / "glove.txt", "the 0 0\ngood 7 8\na 1 1\nfood 5 6\n")
    table = make_table(["good food"] * 5)
    read = store_word_vectors(path, table, tmp_path, deadline=time.monotonic())
    assert counts_of(read) == (1, 2) and read.lines == 3 and not read.is_whole
    vectors = read_word_vectors(tmp_path, table.texts[0].counts("word", 1)[1].keys)
    assert vectors is not None and np.nanmax(vectors, axis=0).tolist() == [7, 8]


def test_when_the_time_is_over_before_a_word_is_found_nets_start_without_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.preprocess.word_vectors.LINES_AT_ONCE", 1)
    path = write(tmp_path / "glove.txt", "the 0 0\ngood 7 8\n")
    read = store_word_vectors(path, make_table(["good food"] * 5), tmp_path, deadline=time.monotonic())
    assert counts_of(read) == (0, 2) and read.lines == 1 and not read.is_whole
    assert read_word_vectors(tmp_path, np.zeros(3, dtype=np.uint64)) is None


def test_numbers_may_be_parted_by_more_than_one_blank(tmp_path: Path) -> None:
    path = write(tmp_path / "glove.txt", "the 0 0 1\r\ngood  7\t8  9 \r\nfood 1\t2 3\r\n")
    table = make_table(["good food"] * 5)
    assert counts_of(store_word_vectors(path, table, tmp_path)) == (2, 2)
    vectors = read_word_vectors(tmp_path, table.texts[0].counts("word", 1)[1].keys)
    assert vectors is not None and sorted(vectors.tolist()) == [[1, 2, 3], [7, 8, 9]]
