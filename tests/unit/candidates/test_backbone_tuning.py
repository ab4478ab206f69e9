"""Fine-tuning changes the last blocks alone, is kept where the stop rows are the better for it, and keeps its time."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.candidates import _backbone_tuning, keras_backbone
from automl.candidates.keras_backbone import Backbone, BackboneEstimator
from automl.matrix import Shape
from automl.space import Params
from automl.task import Task, TaskKind
from tests.unit.candidates.backbones import SIDE, TASK, draw_pictures, make_context, make_net, write_weights

pytestmark = pytest.mark.slow

ROWS = 240
TUNED: Params = {"tune": True, "tune_rate": 1e-3, "tune_epochs": 4, "tune_blocks": 2}
FROZEN: Params = {"tune": False}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "net.weights.h5"
    return write_weights(path, make_net())


def fit(weights: Path, params: Params, **changes: Any) -> BackboneEstimator:
    """A model of the first rows of a problem that the linear model alone does not quite solve."""
    matrix, target = draw_pictures(ROWS)
    shape = Shape(
        rows=ROWS, numbers=0, categories=0, levels=0, outputs=3, pictures=1, colored=True, backbone_file=str(weights)
    )
    complete = Backbone().space(TASK, shape).complete({"side": SIDE, "C": 1e-4, **params})
    estimator = BackboneEstimator(complete, make_context(weights, rows=ROWS, **changes))
    estimator.fit(matrix, target, None)
    return estimator


def log_loss(estimator: BackboneEstimator) -> float:
    """Of as many other pictures."""
    matrix, target = draw_pictures(ROWS, seed=9)
    return float(-np.log(estimator.predict(matrix)[np.arange(ROWS), target] + 1e-9).mean())


@pytest.fixture(scope="module")
def frozen(weights: Path) -> BackboneEstimator:
    return fit(weights, FROZEN)


@pytest.fixture(scope="module")
def tuned(weights: Path) -> BackboneEstimator:
    return fit(weights, TUNED)


def test_the_last_blocks_learn_and_normalisation_does_not(frozen: BackboneEstimator, tuned: BackboneEstimator) -> None:
    net = make_net()
    names = [(layer.name, weight.name) for layer in net.layers for weight in layer.weights]
    first = next(at for at, (layer, _) in enumerate(names) if layer.startswith("expanded_conv_9_"))

    changed = [not np.array_equal(old, new) for old, new in zip(frozen.weights, tuned.weights, strict=True)]

    assert not any(changed[:first])
    for (layer, weight), has_changed in list(zip(names, changed, strict=True))[first:]:
        assert has_changed == (not layer.endswith("_bn")), (layer, weight)


def test_a_tuned_net_sees_more_than_a_frozen_one(frozen: BackboneEstimator, tuned: BackboneEstimator) -> None:
    assert log_loss(tuned) < log_loss(frozen)


def test_a_tuned_model_is_whole_in_its_folder(tuned: BackboneEstimator, tmp_path: Path) -> None:
    tuned.save(tmp_path)
    matrix = draw_pictures(20, seed=5)[0]

    loaded = BackboneEstimator.load(tmp_path)

    np.testing.assert_allclose(loaded.predict(matrix), tuned.predict(matrix), atol=1e-5)


def test_the_same_seed_tunes_the_same_net(weights: Path, tuned: BackboneEstimator) -> None:
    again = fit(weights, TUNED)
    for found, expected in zip(again.weights, tuned.weights, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_net_that_tuning_spoiled_is_thrown_away(weights: Path, frozen: BackboneEstimator) -> None:
    """With a rate far beyond the space's no stop row is the better for it: the linear model is that of all rows."""
    params = {**frozen.params, **TUNED, "tune_rate": 10.0, "tune_epochs": 2}
    spoiled = BackboneEstimator(params, make_context(weights, rows=ROWS))
    spoiled.fit(*draw_pictures(ROWS), None)
    assert_same_model(spoiled, frozen)


def test_without_stop_rows_nothing_is_tuned(weights: Path, frozen: BackboneEstimator) -> None:
    assert_same_model(fit(weights, TUNED, stop=False), frozen)


def test_without_time_nothing_is_tuned(
    weights: Path, frozen: BackboneEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_backbone, "TUNE_START", 1e6)
    assert_same_model(fit(weights, TUNED, deadline=time.monotonic() + 1000.0), frozen)


def test_tuning_ends_before_its_deadline(
    weights: Path, frozen: BackboneEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand passes would take many minutes."""
    monkeypatch.setattr(_backbone_tuning, "PATIENCE", 1000)
    started = time.monotonic()
    params = {**frozen.params, **TUNED, "tune_epochs": 1000}
    estimator = BackboneEstimator(params, make_context(weights, rows=ROWS, deadline=started + 60.0))
    estimator.fit(*draw_pictures(ROWS), None)
    assert time.monotonic() - started < 60.0


def test_a_class_that_only_stop_rows_have_does_no_harm(weights: Path) -> None:
    matrix, target = draw_pictures(ROWS)
    context = make_context(weights, rows=ROWS)
    target = np.where(np.isin(np.arange(ROWS), context.stop_rows[:3]), 2, target % 2)
    params = {"net": "MobileNetV3Small", "side": SIDE, "C": 0.1, **TUNED, "tune_epochs": 2}
    estimator = BackboneEstimator(params, context)
    estimator.fit(matrix, target, None)
    predictions = estimator.predict(matrix)
    assert predictions.shape == (ROWS, 3)
    np.testing.assert_allclose(predictions.sum(axis=1), 1.0, atol=1e-5)


def test_values_are_tuned_as_classes_are(weights: Path) -> None:
    matrix, target = draw_pictures(ROWS)
    other, truth = draw_pictures(ROWS, seed=9)
    task = Task(kind=TaskKind.REGRESSION, target="y", metric="rmse")
    context = dataclasses.replace(make_context(weights, rows=ROWS), task=task)
    errors = []
    for params in (FROZEN, TUNED):
        estimator = BackboneEstimator({"net": "MobileNetV3Small", "side": SIDE, "C": 1e-4, **params}, context)
        estimator.fit(matrix, 1000.0 + 10.0 * target, None)
        errors.append(np.abs(estimator.predict(other)[:, 0] - (1000.0 + 10.0 * truth)).mean())
    assert errors[1] < errors[0]


def test_tuning_is_a_choice_whose_default_follows_from_the_rows() -> None:
    sizes = {"numbers": 0, "categories": 0, "levels": 0, "outputs": 3, "pictures": 1}
    few, many = (Backbone().space(TASK, Shape(rows=rows, **sizes)).defaults() for rows in (2_000, 60_000))
    assert (few["tune"], few["tune_epochs"]) == (True, 10)
    assert many["tune"] is False
    assert "tune_epochs" not in many


def assert_same_model(found: BackboneEstimator, expected: BackboneEstimator) -> None:
    for name, array in expected.head.items():
        np.testing.assert_array_equal(found.head[name], array)
    for one, other in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(one, other)
