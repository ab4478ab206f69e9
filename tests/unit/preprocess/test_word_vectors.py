"""Word vectors from a file, for the words of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from automl.errors import DataError
from automl.preprocess.word_vectors import read_word_vectors, store_word_vectors
from tests.unit.preprocess.test_text import TOKENS, fit, make_table


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("head", ["", "4 2\n"])
def test_vectors_are_found_for_the_words_of_the_table(tmp_path: Path, head: str) -> None:
    table = make_table(["good food", "bad wine"] * 5)
    path = write(tmp_path / "glove.txt", f"{head}Good 1 2\nunheard 3 4\nwine -1 0.5\ngood 9 9\n")
    assert store_word_vectors(path, table, tmp_path) == (2, 4)
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
    assert store_word_vectors(path, make_table(["good food", "bad wine"] * 5), tmp_path) == (2, 4)


def test_words_are_looked_up_many_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.preprocess.word_vectors.LINES_AT_ONCE", 3)
    lines = "".join(f"w{number} {number} 1\n" for number in range(10))
    path = write(tmp_path / "glove.txt", lines + "good 7 8\n")
    assert store_word_vectors(path, make_table(["good food"] * 5), tmp_path) == (1, 2)
