"""What a fold is expected to take: as its family grows, at the pace of its family here, or else of its pool."""

from __future__ import annotations

import pytest

from automl.matrix import Shape
from automl.search.cost import CostModel

POOLS = {"xgboost": "core", "random_forest": "core", "keras_mlp": "keras", "keras_tabm": "keras"}
SHAPE = Shape(rows=12_000, numbers=20, categories=0, levels=0, outputs=1)  # four fifths are the reference's rows


def expect(costs: CostModel, family: str) -> float:
    seconds = costs.expect(family, 1.0)
    assert seconds is not None
    return seconds


def test_the_pace_of_a_pool_stands_in_for_that_of_a_family_not_yet_seen() -> None:
    costs = CostModel(SHAPE, pools=POOLS)
    assert expect(costs, "random_forest") == pytest.approx(1.0)
    for _ in range(3):
        costs.note("xgboost", 1.0, 5.0)
    assert expect(costs, "xgboost") == pytest.approx(5.0)
    assert expect(costs, "random_forest") == pytest.approx(5.0)
    costs.note("random_forest", 1.0, 2.0)
    assert expect(costs, "random_forest") == pytest.approx(2.0)


def test_what_makes_one_family_slow_is_not_expected_of_the_others() -> None:
    """Many rounds of boosting take long; a forest next to it is more like the quickest of its pool."""
    costs = CostModel(SHAPE, pools=POOLS | {"linear": "core"})
    costs.note("linear", 1.0, 2.0)
    for _ in range(12):
        costs.note("xgboost", 1.0, 10.0)
    assert expect(costs, "random_forest") == pytest.approx(2.0)
    assert expect(costs, "xgboost") == pytest.approx(10.0)


def test_a_family_that_takes_no_time_tells_nothing() -> None:
    costs = CostModel(SHAPE, pools=POOLS, quick=["random_forest"])
    costs.note("random_forest", 1.0, 0.1)
    assert expect(costs, "xgboost") == pytest.approx(1.0)


def test_what_trees_take_says_little_of_nets() -> None:
    costs = CostModel(SHAPE, pools=POOLS)
    costs.note("xgboost", 1.0, 16.0)
    assert expect(costs, "keras_mlp") == pytest.approx(2.0)
    costs.note("keras_tabm", 1.0, 3.0)
    assert expect(costs, "keras_mlp") == pytest.approx(3.0)


def test_what_is_over_at_once_tells_nothing_of_nets() -> None:
    costs = CostModel(SHAPE, pools=POOLS | {"linear": "core"})
    costs.note("linear", 0.05, 0.8)
    assert expect(costs, "keras_mlp") == pytest.approx(1.0)


def test_what_the_model_does_not_know_has_no_expectation() -> None:
    costs = CostModel(SHAPE, pools=POOLS)
    assert costs.expect("xgboost", None) is None
    assert costs.expect("a plug-in", 1.0) is None
