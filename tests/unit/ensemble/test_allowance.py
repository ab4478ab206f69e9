"""What an ensemble may cost, and that the selection keeps to it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from automl.ensemble.allowance import make_allowance
from automl.ensemble.selection import Allowance, select_ensemble
from automl.metrics import get_metric
from automl.preprocess.table import Layout
from automl.recipe import Recipe
from automl.search.data import SearchData
from tests.unit.search.test_records import make_result

RMSE = get_metric("rmse")
NUMBERS = Layout(numbers=("n",), categories=(), levels=(), dates=())


def make_data(layout: Layout = NUMBERS, reading_seconds: float = 0.001, *, in_time: bool = False) -> SearchData:
    """What an allowance asks of a run's arrays: five folds of 100 rows, in order of time if `in_time`."""
    places = tuple(range(5))
    facts = {
        "table": SimpleNamespace(layout=layout),
        "target": np.zeros(100),
        "times": np.arange(100) if in_time else None,
        "folds": places,
        "trains": [np.arange(16 * (fold + 1)) if in_time else np.arange(80) for fold in places],
        "serving_folds": places[-1:] if in_time else places,
    }
    return cast(SearchData, SimpleNamespace(reading_seconds=reading_seconds, **facts))


def make_three() -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Trial 2 is best, 0 and 1 err in opposite ways."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    noise = rng.normal(size=200)
    outputs = {0: y + noise, 1: y - noise, 2: y + 0.5 * rng.normal(size=200)}
    return {trial: values[:, None].astype(np.float32) for trial, values in outputs.items()}, y


def test_without_a_limit_the_opposites_are_joined() -> None:
    outputs, y = make_three()
    assert {0, 1} <= set(select_ensemble(outputs, y, RMSE).weights)


def test_members_together_keep_the_limit() -> None:
    outputs, y = make_three()
    allowance = Allowance({0: (6.0, 1.0), 1: (5.0, 1.0), 2: (2.0, 1.0)}, (10.0, 9.0))
    chosen = select_ensemble(outputs, y, RMSE, allowance=allowance).weights
    assert sum(allowance.costs[trial][0] for trial in chosen) <= 10.0


def test_a_model_too_dear_by_itself_is_left_out_unless_all_are() -> None:
    costs = {0: (6.0,), 1: (50.0,), 2: (20.0,)}
    assert Allowance(costs, (10.0,)).affordable([0, 1, 2]) == [0]
    assert Allowance(costs, (1.0,)).affordable([0, 1, 2]) == [0]
    assert Allowance(costs, (float("inf"),)).affordable([0, 1, 2]) == [0, 1, 2]


def test_a_recipe_limits_latency_and_size() -> None:
    results = {
        3: make_result(3, candidate="linear", row_seconds=0.002, size_bytes=7_000_000, fold_scores=(1.0,) * 5),
        4: make_result(4, candidate="xgboost", row_seconds=0.002, size_bytes=7_000_000, fold_scores=(1.0,) * 5),
    }
    recipe = Recipe().override({"constraints": {"latency_ms": 8, "size_mb": 100}})
    allowance = make_allowance(recipe, results, data=make_data())
    assert allowance is not None
    assert allowance.costs[3] == pytest.approx((0.01, 7e6))
    assert allowance.costs[4] == pytest.approx((0.006, 7e6 / 5 * 3.25))  # one of all rows and two folds answer
    assert allowance.limits == pytest.approx((0.008 / 1.8 - 0.001, 95e6))  # the row is read first


def test_where_only_the_latest_fold_answers_its_model_is_counted_at_its_own_size() -> None:
    results = {3: make_result(3, candidate="extra_trees", size_bytes=3_000_000, fold_scores=(1.0,) * 5)}
    recipe = Recipe().override({"constraints": {"size_mb": 100}})
    allowance = make_allowance(recipe, results, data=make_data(in_time=True))
    assert allowance is not None
    assert allowance.costs[3][1] == pytest.approx(1e6)  # it learned from 80 rows, they from 48 on average


def test_measured_times_decide_nothing_in_a_run_by_trials_unless_demanded() -> None:
    recipe = Recipe().override({"budget": {"trials": 5, "seconds": None}})
    assert make_allowance(recipe, {}, data=make_data()) is None
    aimless = Recipe().override({"ensemble": {"latency_ms": None}})
    assert make_allowance(aimless, {}, data=make_data()) is None


def test_texts_may_take_longer_unless_the_user_demands_otherwise() -> None:
    texts = make_data(dataclasses.replace(NUMBERS, texts=("said",)), reading_seconds=0.002)
    aimed = make_allowance(Recipe(), {}, data=texts)
    assert aimed is not None
    assert aimed.limits[0] == pytest.approx(5 * 0.020 / 1.8 - 0.002)
    demanded = make_allowance(Recipe().override({"constraints": {"latency_ms": 8}}), {}, data=texts)
    assert demanded is not None
    assert demanded.limits[0] == pytest.approx(0.008 / 1.8 - 0.002)


def test_a_row_that_takes_long_to_read_leaves_less_for_the_models_but_never_less_than_a_half() -> None:
    def limit(reading_seconds: float) -> float:
        allowance = make_allowance(Recipe(), {}, data=make_data(reading_seconds=reading_seconds))
        assert allowance is not None
        return allowance.limits[0]

    assert limit(0.004) == pytest.approx(0.020 / 1.8 - 0.004)
    assert limit(0.300) == pytest.approx(0.010 / 1.8)
