"""Targets without gaps and on one scale, and predictions back in the task's form."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from automl.candidates._targets import (
    TargetScale,
    class_priors,
    encode_classes,
    sigmoid_columns,
    softmax,
    spread_probabilities,
    target_space,
)
from automl.errors import ArtifactError
from automl.space import Choice
from automl.task import Task, TaskKind


def test_classes_with_gaps_become_positions() -> None:
    classes, codes = encode_classes(np.array([4, 1, 4, 7]))
    assert classes.tolist() == [1, 4, 7]
    assert codes.tolist() == [1, 0, 1, 2]


def test_probabilities_go_to_their_own_columns_and_sum_to_one() -> None:
    spread = spread_probabilities(np.array([[0.2, 0.6], [1.0, 3.0]]), np.array([0, 2]), 4)
    np.testing.assert_allclose(spread, [[0.25, 0, 0.75, 0], [0.25, 0, 0.75, 0]], atol=1e-7)
    assert spread.dtype == np.float32


def test_a_row_without_probability_becomes_uniform() -> None:
    spread = spread_probabilities(np.array([[0.0, 0.0], [np.nan, np.nan]]), np.array([0, 1]), 2)
    assert spread.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_priors_follow_the_weights() -> None:
    assert class_priors(np.array([0, 1, 1, 0]), np.array([3.0, 0.5, 0.5, 0.0]), 3).tolist() == [0.75, 0.25, 0.0]


def test_the_sigmoid_and_the_softmax_agree() -> None:
    np.testing.assert_allclose(sigmoid_columns(np.array([np.log(3.0), 800.0])), [[0.25, 0.75], [0.0, 1.0]], atol=1e-12)
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0]])), [[0.5, 0.5]])


def test_a_standardised_target_has_mean_0_and_deviation_1_by_weight() -> None:
    scale = TargetScale.learn(np.array([0.0, 10.0]), np.array([1.5, 0.5]))
    assert scale.mean == 2.5
    assert scale.deviation == pytest.approx(np.sqrt(0.75 * 2.5**2 + 0.25 * 7.5**2))


@given(
    arrays(np.float64, st.integers(2, 30), elements=st.floats(-1e6, 1e6)),
    st.booleans(),
)
def test_a_target_comes_back_from_its_scale(target: np.ndarray, log: bool) -> None:
    scale = TargetScale.learn(target, None, log=log)
    back = scale.invert(scale.apply(target))
    assert back.shape == (len(target), 1) and back.dtype == np.float32
    np.testing.assert_allclose(back[:, 0], target, rtol=1e-5, atol=1e-5 * np.abs(target).max() + 1e-6)


def test_predictions_stay_within_the_training_range_and_its_margin() -> None:
    scale = TargetScale.learn(np.array([0.0, 10.0]), None, margin=0.1)
    values = scale.invert(np.array([100.0, -100.0, np.nan, np.inf]))
    np.testing.assert_allclose(values[:, 0], [11.0, -1.0, 5.0, 11.0])


def test_a_scale_survives_json_and_a_strange_one_is_refused(tmp_path: Path) -> None:
    scale = TargetScale.learn(np.array([1.0, 2.0, 9.0]), None, log=True)
    assert TargetScale.from_json(tmp_path, {"scale": scale.to_json()}) == scale
    for change in ({"mean": "1"}, {"log": 1}, {"mean": float("inf")}, {"more": 1}):
        with pytest.raises(ArtifactError):
            TargetScale.from_json(tmp_path, {"scale": {**scale.to_json(), **change}})


def test_where_values_were_cut_off_no_prediction_goes_beyond() -> None:
    """A price that is at most 500 and often just that, as in a survey, but has no such lower end."""
    target = np.concatenate([np.linspace(100, 499, 95), np.full(5, 500.0)])
    scale = TargetScale.learn(target, None, margin=0.1)
    assert (scale.low, scale.high) == (100 - 40, 500)


def test_a_target_in_tiny_units_is_brought_to_a_deviation_of_one() -> None:
    y = np.random.default_rng(0).uniform(1e-15, 9e-13, 500)
    scale = TargetScale.learn(y, None)
    assert scale.apply(y).std() == pytest.approx(1.0)
    np.testing.assert_allclose(scale.invert(scale.apply(y))[:, 0], y, rtol=1e-5)
    assert TargetScale.learn(np.full(9, 1e6), None).deviation == 1.0


def test_for_errors_of_logarithms_the_logarithm_of_one_more_is_learned() -> None:
    target = np.array([0.0, np.e - 1, np.e**2 - 1])
    scale = TargetScale.learn(target, None, metric="rmsle")
    assert (scale.log, scale.unit) == (True, 1.0)
    assert scale.mean == pytest.approx(1.0)
    np.testing.assert_allclose(scale.invert(np.zeros(1)), [[np.e - 1]], rtol=1e-6)
    assert not TargetScale.learn(target, None, metric="rmse").log
    assert not TargetScale.learn(target, None, metric="rmsle", log=False).log


def test_the_logarithm_is_the_default_where_it_is_measured_and_a_choice_where_values_are_skewed() -> None:
    plain = Task(kind=TaskKind.REGRESSION, target="y", metric="rmse")
    skewed, measured = dataclasses.replace(plain, skewed=True), dataclasses.replace(plain, metric="rmsle")
    assert target_space(plain) == {}
    assert target_space(skewed) == {"target_transform": Choice(("none", "log"), "none")}
    assert target_space(measured) == {"target_transform": Choice(("none", "log"), "log")}
