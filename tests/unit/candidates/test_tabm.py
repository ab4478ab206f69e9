"""TabM in numpy is TabM in Keras; its intervals are quantiles; its members differ and are averaged."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from automl.candidates._keras import flat_cosine
from automl.candidates._tabm import TabMNetwork, interval_rates, quantile_edges
from automl.errors import ArtifactError
from automl.matrix import Feature, Shape
from automl.task import TaskKind
from tests.conformance.candidates import CANDIDATES, make_context, make_problem

FEATURES = (
    Feature(name="a", source="a"),
    Feature(name="few", source="few", cardinality=4),
    Feature(name="b", source="b"),
    Feature(name="many", source="many", cardinality=30),
)


def make_matrix(rows: int = 150) -> np.ndarray:
    rng = np.random.default_rng(1)
    columns = [rng.normal(size=rows), rng.integers(0, 4, rows), 10 * rng.standard_t(2, rows), rng.integers(0, 30, rows)]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)


def plan(bins: int, features: tuple[Feature, ...] = FEATURES) -> TabMNetwork:
    return TabMNetwork.plan(features, embedding=5, bins=bins, width=3, members=4, blocks=2, units=16, outputs=3)


@pytest.mark.parametrize("bins", [0, 8])
@pytest.mark.parametrize("features", [FEATURES, FEATURES[:1], FEATURES[1:2]], ids=["mixed", "numbers", "codes"])
def test_numpy_and_keras_agree_to_1e_5(bins: int, features: tuple[Feature, ...]) -> None:
    from automl.candidates._keras import start_keras

    keras = start_keras(seed=1, threads=1)
    network = plan(bins, features)
    matrix = make_matrix()[:, [FEATURES.index(feature) for feature in features]]
    model = network.build_keras(keras, matrix, {"dropout": 0.2})
    rng = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape))
    expected = model(matrix, training=False).numpy()
    weights = network.read_keras(model)
    assert {name: array.shape for name, array in weights.items()} == network.shapes()
    scores = network.forward(weights, matrix)
    assert scores.shape == (150, 4, 3)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_intervals_hold_equal_shares_and_may_have_no_width() -> None:
    edges = quantile_edges(np.array([[0.0], [1.0], [2.0], [3.0], [4.0]], dtype=np.float32), 2)
    np.testing.assert_array_equal(edges, [[0.0, 2.0, 4.0]])
    np.testing.assert_array_equal(interval_rates(edges), [[0.5, 0.5]])
    same = quantile_edges(np.ones((5, 1), dtype=np.float32), 2)
    np.testing.assert_array_equal(interval_rates(same), [[0.0, 0.0]])


def test_members_see_the_rows_differently() -> None:
    plugin = CANDIDATES.get("keras_tabm")
    problem = make_problem(TaskKind.BINARY, plugin.needs)
    params = plugin.space(problem.task, problem.shape).complete({"epochs": 10, "members": 8})
    estimator = plugin.build(params, make_context(problem))
    estimator.fit(problem.matrix, problem.target, None)
    scores = estimator.network.forward(estimator.weights, problem.matrix)
    assert scores.shape[1] == 8
    assert scores.std(axis=1).mean() > 1e-3
    shares = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(estimator.predict(problem.matrix), shares.mean(axis=1), atol=1e-6)


def test_the_rate_is_flat_and_then_falls_to_zero() -> None:
    assert flat_cosine(0.0) == flat_cosine(0.5) == 1.0
    assert flat_cosine(0.75) == pytest.approx(0.5)
    assert flat_cosine(1.0) == pytest.approx(0.0, abs=1e-12)


def test_an_architecture_survives_json_and_a_strange_one_is_refused(tmp_path: Path) -> None:
    network = plan(8)
    record = json.loads(json.dumps(network.to_json()))
    assert TabMNetwork.from_json(tmp_path, {"architecture": record}) == network
    strange = [{"members": 0}, {"units": 10**9}, {"numbers": [0, 0]}, {"cardinalities": [4]}, {"outputs": True}]
    for change in (*strange, {"more": 1}, {"cardinalities": [4, -3]}):
        with pytest.raises(ArtifactError):
            TabMNetwork.from_json(tmp_path, {"architecture": {**record, **change}})


def test_the_columns_that_pictures_become_are_embedded_in_few_numbers() -> None:
    space = CANDIDATES.get("keras_tabm").space
    task = make_problem(TaskKind.BINARY, CANDIDATES.get("keras_tabm").needs).task
    table = Shape(rows=1_000, numbers=4, categories=2, levels=20, outputs=2)
    widths = [space(task, dataclasses.replace(table, pictures=count)).defaults()["width"] for count in (0, 1)]
    assert widths == [8, 3]
