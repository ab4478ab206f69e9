"""What the columns are worth to a model."""

from __future__ import annotations

import numpy as np
import pytest

from automl.evaluate.importance import shuffle_column, summarize_importance
from automl.preprocess.table import Layout, Table

LAYOUT = Layout(
    numbers=("size", "note (characters)", "note (words)"),
    categories=("city", "kind"),
    levels=(3, 3),
    dates=("when",),
    sources={"note (characters)": "note", "note (words)": "note"},
)


@pytest.fixture
def table() -> Table:
    rng = np.random.default_rng(0)
    return Table(
        layout=LAYOUT,
        numbers=rng.normal(size=(20, 3)).astype(np.float32),
        categories=rng.integers(0, 3, (20, 2)).astype(np.int32),
        dates=rng.normal(size=(20, 1)),
    )


@pytest.mark.parametrize(
    ("source", "kind", "places"),
    [("size", "numbers", [0]), ("note", "numbers", [1, 2]), ("city", "categories", [0]), ("when", "dates", [0])],
)
def test_a_column_is_shuffled_with_everything_made_of_it_and_nothing_else(
    table: Table, source: str, kind: str, places: list[int]
) -> None:
    order = np.random.default_rng(1).permutation(20)
    shuffled = shuffle_column(table, source, order)
    for name in ("numbers", "categories", "dates"):
        before, after = getattr(table, name), getattr(shuffled, name)
        moved = places if name == kind else []
        for place in range(before.shape[1]):
            expected = before[order, place] if place in moved else before[:, place]
            np.testing.assert_array_equal(after[:, place], expected)
    assert shuffled.layout == LAYOUT


def test_the_table_itself_is_left_as_it_was(table: Table) -> None:
    names = ("numbers", "categories", "dates")
    before = {name: getattr(table, name).copy() for name in names}
    for column in ("size", "city", "when", "note"):
        shuffle_column(table, column, np.arange(20)[::-1])
    for name in names:
        np.testing.assert_array_equal(getattr(table, name), before[name])


def test_a_column_that_is_not_there_changes_nothing(table: Table) -> None:
    shuffled = shuffle_column(table, "no such column", np.arange(20)[::-1])
    np.testing.assert_array_equal(shuffled.numbers, table.numbers)


def test_importance_is_the_mean_over_folds_and_repeats_with_its_interval() -> None:
    """Losses 1 3 and 2 4: mean 2.5, variance 2 within the folds; of 2 repeats in 2 folds each 2 · 3 / 4."""
    rows = summarize_importance([{"size": [1.0, 3.0], "city": [5.0]}, {"size": [2.0, 4.0], "when": [-1.0]}])
    assert [row["column"] for row in rows] == ["city", "size", "when"]
    half = 1.96 * 1.5**0.5
    assert rows[1] == {
        "column": "size",
        "importance": 2.5,
        "low": pytest.approx(2.5 - half),
        "high": pytest.approx(2.5 + half),
    }


def test_a_column_that_was_shuffled_once_has_no_interval() -> None:
    rows = summarize_importance([{"city": [5.0]}, {"city": [7.0]}])
    assert rows == [{"column": "city", "importance": 6.0, "low": None, "high": None}]


def test_a_column_of_noise_is_seldom_called_important() -> None:
    """Five repeats in each of two folds, held against one score of the fold, which is as much by chance as they."""
    rng, beyond = np.random.default_rng(5), 0
    for _ in range(500):
        folds = [{"noise": list(rng.normal() - rng.normal(size=5))} for _ in range(2)]
        (row,) = summarize_importance(folds)
        beyond += not row["low"] < 0 < row["high"]
    assert beyond / 500 < 0.13  # s is of eight degrees of freedom


def test_equals_stand_in_the_order_of_their_names_and_nothing_gives_nothing() -> None:
    rows = summarize_importance([{"b": [1.0], "a": [1.0]}])
    assert [row["column"] for row in rows] == ["a", "b"]
    assert summarize_importance([]) == summarize_importance([{}]) == []


def test_folds_that_differ_make_the_interval_as_wide_as_they_differ() -> None:
    (row,) = summarize_importance([{"size": [1.0, 1.01]}, {"size": [5.0, 5.01]}])
    assert row["high"] - row["importance"] == pytest.approx(1.96 * 2.0)
