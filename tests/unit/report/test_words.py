"""Words that speak for each class: the order of a table made of weights."""

from __future__ import annotations

import numpy as np

from automl.report.sections.words import SHOWN, _list_rows, spread_classes


def test_of_two_classes_each_has_the_words_of_its_side() -> None:
    weights = {"cheap": np.array([-2.0]), "nice": np.array([1.0]), "good": np.array([3.0]), "table": np.array([0.0])}
    assert _list_rows(weights, ["bad", "fine"]) == [("bad", "cheap"), ("fine", "good, nice")]


def test_of_several_classes_each_has_its_own_column() -> None:
    weights = {"goal": np.array([2.0, -1.0, -1.0]), "bank": np.array([-1.0, 2.0, -0.5])}
    rows = _list_rows(weights, ["sport", "money", "other"])
    assert rows == [("sport", "goal"), ("money", "bank"), ("other", "no word of its own")]


def test_of_a_value_words_raise_or_lower_it() -> None:
    assert [name for name, _ in _list_rows({"old": np.array([-1.0])}, [])] == ["lower", "higher"]


def test_no_more_words_are_listed_than_one_reads() -> None:
    weights = {f"w{number:02d}": np.array([float(number)]) for number in range(50)}
    (_, (_, listed)) = _list_rows(weights, ["no", "yes"])
    assert len(listed.split(", ")) == SHOWN and listed.startswith("w49, w48")


def test_without_words_there_are_no_rows() -> None:
    assert _list_rows({}, ["a", "b"]) == []


def test_a_fold_that_lacks_a_class_gives_the_others_their_own_columns() -> None:
    three = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(spread_classes(three, np.array([0, 2, 3]), 4), [[1, 0, 2, 3]])
    np.testing.assert_array_equal(spread_classes(np.array([[5.0]]), np.array([0, 2]), 3), [[-5, 0, 5]])
