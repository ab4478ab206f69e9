"""Greedy selection: its weights, its promises on any input, and a case worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.ensemble import selection
from automl.ensemble.selection import (
    LEAST_BAGGED_ROWS,
    MAX_MODELS,
    blend_outputs,
    sample_rows,
    select_ensemble,
    shortlist,
)
from automl.errors import SearchError
from automl.matrix import FloatArray
from automl.metrics import get_metric
from automl.search.threshold import choose_threshold, find_threshold, move_threshold

METRICS = ("mae", "rmse", "roc_auc", "log_loss", "accuracy", "f1")


def values(*numbers: float) -> FloatArray:
    return np.array(numbers, dtype=np.float32)[:, None]


def make_models(name: str, models: int, rows: int, seed: int) -> tuple[Any, dict[int, FloatArray]]:
    """Targets and predictions of models between poor and good, some of them copies of others."""
    rng = np.random.default_rng(seed)
    if name in {"mae", "rmse"}:
        y: Any = rng.normal(size=rows)
        arrays = [(y + rng.normal(0, rng.uniform(0.2, 3), rows)).astype(np.float32)[:, None] for _ in range(models)]
    else:
        y = rng.permutation(np.arange(rows) % 2)
        odds = [rng.uniform(-1, 2) * (2 * y - 1) + rng.normal(0, 1.5, rows) for _ in range(models)]
        chances = [1 / (1 + np.exp(-each)) for each in odds]
        arrays = [np.column_stack([1 - each, each]).astype(np.float32) for each in chances]
    if models > 2 and seed % 3 == 0:
        arrays[-1] = arrays[0].copy()
    return y, {10 * place + 3: array for place, array in enumerate(arrays)}


@given(
    name=st.sampled_from(METRICS),
    models=st.integers(1, 8),
    rows=st.integers(4, 60) | st.integers(LEAST_BAGGED_ROWS - 5, LEAST_BAGGED_ROWS + 100),
    seed=st.integers(0, 10_000),
    rounds=st.integers(1, 30),
    max_members=st.integers(1, 9),
    weighted=st.booleans(),
)
def test_weights_are_shares_of_few_models_and_never_worse_than_the_best_alone(
    name: str, models: int, rows: int, seed: int, rounds: int, max_members: int, weighted: bool
) -> None:
    metric = get_metric(name)
    y, outputs = make_models(name, models, rows, seed)
    weight = np.random.default_rng(seed).uniform(0.5, 2, rows) if weighted else None
    found = select_ensemble(outputs, y, metric, weight=weight, rounds=rounds, max_members=max_members).weights
    assert set(found) <= set(outputs)
    assert all(share > 0 for share in found.values())
    assert sum(found.values()) == pytest.approx(1.0)
    assert len(found) <= (min(max_members, rounds) if rows < LEAST_BAGGED_ROWS else max_members)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    sign = -1 if metric.maximize else 1

    def loss(each: FloatArray) -> float:
        """At its own threshold, where the metric hangs on that."""
        return sign * metric.score(y, move_threshold(each, find_threshold(metric, y, each, weight)), weight)

    best = min(loss(each) for each in outputs.values())
    blended = loss(blend_outputs(outputs, found))
    near_a_step = name in {"accuracy", "f1"}  # rounding of float32 may carry a row over the threshold
    assert blended <= best + (1e-6 if not near_a_step else 1.5 / rows)
    again = select_ensemble(outputs, y, metric, weight=weight, rounds=rounds, max_members=max_members).weights
    assert again == found


def test_hundreds_of_models_that_say_the_same_do_not_keep_out_one_of_another_family() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=100)
    alike = y + rng.normal(size=100)
    outputs = {trial: (alike + 0.001 * rng.normal(size=100))[:, None].astype(np.float32) for trial in range(300)}
    outputs[300] = (y + 1.1 * rng.normal(size=100))[:, None].astype(np.float32)
    families = dict.fromkeys(range(300), "linear") | {300: "forest"}
    assert 300 not in select_ensemble(outputs, y, get_metric("rmse")).weights
    assert 300 in select_ensemble(outputs, y, get_metric("rmse"), families=families).weights


def test_where_no_other_family_is_left_the_short_list_takes_the_next_best() -> None:
    losses = np.arange(40.0)
    assert shortlist(losses, ["a"] * 40).tolist() == list(range(MAX_MODELS))
    found = shortlist(losses, ["a"] * 38 + ["b", "c"]).tolist()
    assert found == [*range(MAX_MODELS - 2), 38, 39]


def test_two_models_that_err_against_each_other_worked_by_hand() -> None:
    """Errors of +1 and −1: each alone scores 1, half of each 0; the third, off by 2, is never taken."""
    outputs = {5: values(1, 1, 1), 7: values(-1, -1, -1), 9: values(2, 2, 2)}
    found = select_ensemble(outputs, np.zeros(3), get_metric("mae"))
    assert found.weights == {5: 0.5, 7: 0.5}


def test_a_model_taken_twice_weighs_twice() -> None:
    """Errors of +1 and −2: two thirds of the first and one third of the second is right."""
    outputs = {0: values(1, 1), 1: values(-2, -2)}
    found = select_ensemble(outputs, np.zeros(2), get_metric("mae"))
    assert found.weights == pytest.approx({0: 2 / 3, 1: 1 / 3})


def test_at_most_one_member_is_the_best_model() -> None:
    outputs = {0: values(1, 1), 1: values(-0.9, -0.9), 2: values(3, 3)}
    assert select_ensemble(outputs, np.zeros(2), get_metric("mae"), max_members=1).weights == {1: 1.0}


def test_of_equal_models_the_one_in_use_is_taken_again() -> None:
    """A twin brings nothing but its size; here +1 and its twins must balance −3 with a weight of three."""
    outputs = {0: values(1, 1), 1: values(1, 1), 2: values(1, 1), 3: values(-3, -3)}
    found = select_ensemble(outputs, np.zeros(2), get_metric("mae"))
    assert found.weights == {0: 0.75, 3: 0.25}


def test_models_without_a_score_are_never_taken() -> None:
    outputs = {0: values(np.nan, 0), 1: values(5, 5), 2: values(np.inf, 0)}
    assert select_ensemble(outputs, np.zeros(2), get_metric("mae")).weights == {1: 1.0}


def test_weights_of_rows_decide_which_model_is_best() -> None:
    outputs = {0: values(0, 9), 1: values(9, 0)}
    y, metric = np.zeros(2), get_metric("mae")
    for weight, best in (((1.9, 0.1), 0), ((0.1, 1.9), 1)):
        assert max(select_ensemble(outputs, y, metric, weight=np.array(weight), rounds=1).weights) == best


def test_without_models_there_is_nothing_to_choose() -> None:
    with pytest.raises(SearchError, match="No configuration is complete"):
        select_ensemble({}, np.zeros(2), get_metric("mae"))


def test_of_very_many_models_only_the_best_are_looked_at() -> None:
    """The worst one would complement the best exactly, but it does not stand among the first."""
    outputs = {trial: values(1 + trial, 1 + trial) for trial in range(MAX_MODELS)}
    outputs[99] = values(-100, -100)
    assert select_ensemble(outputs, np.zeros(2), get_metric("mae"), rounds=150).weights == {0: 1.0}


def test_on_few_rows_repeated_climbs_follow_the_luck_of_the_rows_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of one kind with errors of their own: on other rows of the same kind about the same should be chosen."""
    metric = get_metric("log_loss")

    def choose(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 300)
        shared = rng.normal(0, 2, len(y))
        odds = [2 * y - 1 + shared + rng.normal(0, 1 + place / 4, len(y)) for place in range(8)]
        chances = [1 / (1 + np.exp(-each)) for each in odds]
        outputs = {place: np.column_stack([1 - each, each]).astype(np.float32) for place, each in enumerate(chances)}
        found = select_ensemble(outputs, y, metric).weights
        return np.array([found.get(place, 0.0) for place in range(8)])

    repeated = np.array([choose(seed) for seed in range(24)])
    monkeypatch.setattr(selection, "LEAST_BAGGED_ROWS", 1_000)
    single = np.array([choose(seed) for seed in range(24)])
    assert repeated.std(axis=0).mean() < single.std(axis=0).mean()


def test_where_repeated_climbs_mix_worse_than_the_best_model_one_climb_over_all_rows_decides() -> None:
    """The best of many models by a few rows is lucky as well: it is no reason to leave the others out."""
    metric = get_metric("roc_auc")
    rng = np.random.default_rng(16)
    y = rng.integers(0, 2, 160)
    odds = [2 * y - 1 + rng.normal(0, 2 if place == 0 else 14, len(y)) for place in range(6)]
    outputs = {place: _two(1 / (1 + np.exp(-each))) for place, each in enumerate(odds)}
    best = max(metric.score(y, each) for each in outputs.values())

    once = select_ensemble(outputs, y, metric, climbs=1).weights
    assert len(once) > 1
    assert metric.score(y, blend_outputs(outputs, once)) > best
    assert select_ensemble(outputs, y, metric).weights == pytest.approx(once)


@pytest.mark.parametrize("rows", [3_000, 6_000])  # where the climb is repeated, and where it is not
@pytest.mark.parametrize("name", ["f1", "f1_macro", "balanced_accuracy", "mcc"])
def test_where_a_class_is_rare_who_knows_more_is_chosen_before_who_is_bold(name: str, rows: int) -> None:
    """At 0.5 the better model names nobody; at a threshold of its own it is the better one, also on other rows."""
    metric = get_metric(name)
    rng = np.random.default_rng(4)

    def draw(count: int) -> tuple[Any, dict[int, FloatArray]]:
        know, guess = rng.normal(size=(2, count))
        chance = 1 / (1 + np.exp(-(1.2 * know - 3.7)))
        y = (rng.random(count) < chance).astype(np.int64)
        bold = 1 / (1 + np.exp(-(1.2 * know + 1.2 * guess - 1.2)))
        return y, {1: _two(chance), 2: _two(bold)}

    y, outputs = draw(rows)
    weights = select_ensemble(outputs, y, metric).weights
    y_new, new = draw(50_000)

    def score_new(shares: dict[int, float]) -> float:
        threshold = choose_threshold(metric, y, blend_outputs(outputs, shares))
        return float(metric.score(y_new, move_threshold(blend_outputs(new, shares), threshold)))

    assert weights[1] > 0.7
    assert score_new(weights) > score_new({2: 1.0}) + 0.03


@pytest.mark.parametrize("rows", [1_000, 9_000])
def test_with_many_classes_as_many_rows_decide_as_with_two(rows: int) -> None:
    """Log loss sees what the true class has, and what all others have together."""
    metric, rng = get_metric("log_loss"), np.random.default_rng(8)
    y = rng.integers(0, 40, rows)
    odds = [rng.normal(0, 1.2, (rows, 40)) + 3 * np.eye(40)[y] for _ in range(9)]
    outputs = {
        place: np.asarray(np.exp(each) / np.exp(each).sum(1, keepdims=True), "f4") for place, each in enumerate(odds)
    }
    right = {place: each[np.arange(rows), y] for place, each in outputs.items()}
    weights = select_ensemble(outputs, y, metric).weights
    as_two = select_ensemble({place: _two(each) for place, each in right.items()}, np.ones(rows, dtype=int), metric)
    assert len(weights) > 2
    assert weights == pytest.approx(as_two.weights)


def _two(positive: Any) -> FloatArray:
    return np.column_stack([1 - positive, positive]).astype(np.float32)


def test_rows_are_sampled_where_they_are_too_many_and_the_sample_follows_the_seed() -> None:
    outputs = {trial: np.zeros((10_000, 1), dtype=np.float32) for trial in range(10)}
    first, same, other = (sample_rows(np.zeros(10_000), outputs, seed, 50_000) for seed in (1, 1, 2))
    assert len(first) == 5_000 == len(np.unique(first))
    assert (np.diff(first) > 0).all()
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert len(sample_rows(np.zeros(10_000), outputs, 1, 100_000)) == 10_000
    assert len(sample_rows(np.zeros(10_000), outputs, 1, 1)) == 2_000


def test_a_blend_is_the_weighted_mean() -> None:
    blend = blend_outputs({0: values(0, 4), 1: values(8, 0), 2: values(99, 99)}, {0: 0.25, 1: 0.75})
    assert blend.dtype == np.float32
    assert blend[:, 0].tolist() == [6.0, 1.0]
