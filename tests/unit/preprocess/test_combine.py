"""Columns made of two: chosen on training rows, worked by hand, alike at training and after."""

from __future__ import annotations

import numpy as np
import pytest

from automl.graph import Graph
from automl.matrix import Needs
from automl.preprocess.combine import CombinePart, association, choose_numbers, choose_pairs, combine, cross
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import MISSING, UNSEEN, Layout, Table, TableNames
from automl.task import Task, TaskKind

VALUES = Task(kind=TaskKind.REGRESSION, target="y")


def make_table(numbers: np.ndarray, categories: np.ndarray | None = None, levels: tuple[int, ...] = ()) -> Table:
    rows = len(numbers)
    layout = Layout(
        numbers=tuple(f"n{place}" for place in range(numbers.shape[1])),
        categories=tuple(f"c{place}" for place in range(len(levels))),
        levels=levels,
        dates=(),
    )
    codes = np.empty((rows, 0), dtype=np.int32) if categories is None else categories.astype(np.int32)
    return Table(layout=layout, numbers=numbers.astype(np.float32), categories=codes, dates=np.empty((rows, 0)))


def test_products_ratios_and_differences_by_hand() -> None:
    numbers = np.array([[6.0, 3.0], [1.0, 0.0], [np.nan, 2.0], [1e30, 1e30]], dtype=np.float32)
    np.testing.assert_array_equal(combine(numbers, 0, 1, 0), np.float32([18, 0, np.nan, 1e30]))
    np.testing.assert_array_equal(combine(numbers, 0, 1, 1), np.float32([2, np.nan, np.nan, 1]))
    np.testing.assert_array_equal(combine(numbers, 0, 1, 2), np.float32([3, 1, np.nan, 0]))
    np.testing.assert_array_equal(combine(numbers, 0, 1, 3), np.float32([9, 1, np.nan, 2e30]).clip(max=1e30))


def test_a_ratio_that_rules_the_target_is_found() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.uniform(1, 10, size=(400, 4)).astype(np.float32)
    target = numbers[:, 2] / numbers[:, 0]
    chosen = choose_numbers(numbers, target, classes=False)
    assert tuple(chosen[0]) in {(2, 0, 1), (0, 2, 1)}
    assert association(combine(numbers, 2, 0, 1), target, classes=False) > 0.999


def test_two_numbers_that_are_weak_alone_are_found_in_their_sum() -> None:
    """Among ten others that go with the target more than either."""
    rng = np.random.default_rng(0)
    line, spread = rng.normal(size=2_000), 20 * rng.normal(size=2_000)
    others = [line + 3 * rng.normal(size=2_000) for _ in range(10)]
    numbers = np.column_stack([line + spread, -spread, *others]).astype(np.float32)
    assert tuple(choose_numbers(numbers, line, classes=False)[0]) == (0, 1, 3)


@pytest.mark.parametrize("classes", [False, True])
def test_of_many_pairs_of_categories_those_are_kept_that_tell_of_the_target(classes: bool) -> None:
    rng = np.random.default_rng(0)
    categories = rng.integers(0, 6, size=(3_000, 5)).astype(np.int32)
    told = (categories[:, 3] + categories[:, 4]) % 2
    target = told if classes else told + rng.normal(scale=0.5, size=3_000)
    pairs = choose_pairs((6,) * 5, categories, target, classes)
    assert len(pairs) == 6 and (3, 4) in pairs  # by the order of the columns it would be the last of ten


def test_noise_gives_no_pair() -> None:
    rng = np.random.default_rng(1)
    chosen = choose_numbers(rng.normal(size=(2000, 4)).astype(np.float32), rng.normal(size=2000), classes=False)
    assert len(chosen) == 0


def test_where_no_two_numbers_belong_together_the_graph_has_the_columns_alone() -> None:
    rng = np.random.default_rng(1)
    table = make_table(rng.normal(size=(2000, 4)))
    params = plan_space(Needs(missing=True), table.layout).complete({"combine": "numbers"})
    transformer = Transformer(Needs(missing=True), params, table.layout)
    matrix = transformer.fit(table, FitRows(task=VALUES, target=rng.normal(size=2000), seed=1))
    assert matrix.shape == (2000, 4)
    graph = Graph()
    made = transformer.to_graph(graph, TableNames(numbers="numbers", categories="", dates=""))
    assert made and all(node.inputs for node in graph.nodes)


@pytest.mark.parametrize("classes", [False, True])
def test_rows_count_for_their_weight_when_pairs_are_chosen(classes: bool) -> None:
    """A product rules the target of the rows with weight, a ratio that of the others."""
    rng = np.random.default_rng(0)
    numbers = rng.uniform(1, 10, size=(1_000, 2)).astype(np.float32)
    values = np.where(np.arange(1_000) < 300, numbers[:, 0] * numbers[:, 1], 25 * numbers[:, 0] / numbers[:, 1])
    target = (values > 25).astype(np.int64) if classes else values
    weight = np.where(np.arange(1_000) < 300, 1.0, 0.0)
    assert tuple(choose_numbers(numbers, target, classes, weight)[0]) == (0, 1, 0)
    assert tuple(choose_numbers(numbers, target, classes)[0]) != (0, 1, 0)
    for column in numbers.T:
        assert association(column, target, classes, np.full(1_000, 0.3)) == pytest.approx(
            association(column, target, classes)
        )


def test_columns_without_a_row_of_weight_go_with_nothing() -> None:
    column = np.where(np.arange(40) < 20, np.nan, np.arange(40)).astype(np.float32)
    weight = (np.arange(40) < 20).astype(float)
    assert association(column, np.arange(40.0), classes=False, weight=weight) == 0


def test_a_pair_of_categories_is_one_code_and_holes_are_levels() -> None:
    codes = np.array([[0, 1], [1, 0], [MISSING, 1], [UNSEEN, UNSEEN]], dtype=np.int32)
    crossed, size = cross(codes, 0, 1, (2, 2))
    assert size == 16
    np.testing.assert_array_equal(crossed, [1, 4, 13, 10])
    some = np.zeros((40, 3), dtype=np.int32)
    pairs = choose_pairs((2, 400, 400), some, np.arange(40) % 2, classes=True)
    assert pairs == [(0, 1), (0, 2)]  # the two large ones would be 161,604 codes


def test_what_two_categories_say_together_is_learned_and_looked_up_again(tmp_path: object) -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 2, size=(600, 2))
    target = (codes[:, 0] ^ codes[:, 1]) * 10.0 + rng.normal(scale=0.1, size=600)
    table = make_table(np.zeros((600, 0)), codes, (2, 2))
    part = CombinePart({"combine": "categories"})
    fitted = part.fit(table, FitRows(task=VALUES, target=target, seed=1))
    names = [feature.name for feature in part.features(table)]
    assert names == ["count of c0", "count of c1", "c0 & c1"]
    assert np.corrcoef(fitted[:, 2], target)[0, 1] > 0.99
    four = make_table(np.zeros((4, 0)), np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), (2, 2))
    np.testing.assert_allclose(part.transform(four)[:, 2], [0, 10, 10, 0], atol=0.3)
    assert part.transform(four).dtype == np.float32
