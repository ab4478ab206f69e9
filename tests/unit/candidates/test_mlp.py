"""The network in numpy is the network in Keras, and needs no Keras to predict."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from automl.candidates._keras import Pace, coslog4
from automl.candidates._mlp import ACTIVATIONS, Architecture
from automl.errors import ArtifactError
from automl.matrix import Feature
from automl.task import TaskKind
from tests.conformance.candidates import CANDIDATES, make_context, make_problem

FEATURES = (
    Feature(name="a", source="a"),
    Feature(name="few", source="few", cardinality=4),
    Feature(name="b", source="b"),
    Feature(name="many", source="many", cardinality=30),
)


def make_matrix(rows: int = 200) -> np.ndarray:
    """Numbers up to 50 deviations away, and codes."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=rows), 10 * rng.standard_t(2, size=rows)
    columns = [a, rng.integers(0, 4, rows), b, rng.integers(0, 30, rows)]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)


def plan(activation: str, frequencies: int, outputs: int = 3) -> Architecture:
    facts = {"embedding": 5, "frequencies": frequencies, "periodic": 4, "hidden": (32, 16), "outputs": outputs}
    return Architecture.plan(FEATURES, activation=activation, **facts)


@pytest.mark.parametrize(("activation", "frequencies"), list(itertools.product(ACTIVATIONS, (0, 8))))
def test_numpy_and_keras_agree_to_1e_5(activation: str, frequencies: int) -> None:
    from automl.candidates._keras import start_keras

    keras = start_keras(seed=1, threads=1)
    architecture = plan(activation, frequencies)
    model = architecture.build_keras(keras, make_matrix(), {"dropout": 0.2, "sigma": 0.5})
    rng = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape))
    matrix = make_matrix()
    expected = model(matrix, training=False).numpy()
    scores = architecture.forward(architecture.read_keras(model), matrix)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_saved_network_predicts_without_keras_or_tensorflow(tmp_path: Path) -> None:
    plugin = CANDIDATES.get("keras_mlp")
    problem = make_problem(TaskKind.BINARY, plugin.needs)
    params = plugin.space(problem.task, problem.shape).complete({"epochs": 5})
    estimator = plugin.build(params, make_context(problem))
    estimator.fit(problem.matrix, problem.target, None)
    folder = tmp_path / "model"
    folder.mkdir()
    estimator.save(folder)
    np.save(tmp_path / "rows.npy", problem.matrix)
    code = (
        "import sys, numpy as np, pathlib\n"
        "from automl.candidates.keras_mlp import plugin\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "predictions = plugin.load(folder / 'model').predict(np.load(folder / 'rows.npy'))\n"
        "np.save(folder / 'predictions.npy', predictions)\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    # Another process may use another number of threads, and so add up in another order.
    np.testing.assert_allclose(np.load(tmp_path / "predictions.npy"), estimator.predict(problem.matrix), atol=1e-6)


def test_the_best_weights_are_kept_not_the_last() -> None:
    """Random labels cannot be learned: far from the start, the loss on the stop rows only rises."""
    plugin = CANDIDATES.get("keras_mlp")
    problem = make_problem(TaskKind.BINARY, plugin.needs, rows=200)
    target = np.random.default_rng(0).integers(0, 2, 200)
    given = {"epochs": 100, "dropout": 0.0, "weight_decay": 1e-6, "learning_rate": 0.01}
    params = plugin.space(problem.task, problem.shape).complete(given)
    context = make_context(problem)
    estimator = plugin.build(params, context)
    estimator.fit(problem.matrix, target, None)
    chosen = estimator.predict(problem.matrix)[context.stop_rows, target[context.stop_rows]]
    assert -np.log(chosen).mean() < math.log(2) + 0.05


def test_an_architecture_survives_json_and_a_strange_one_is_refused(tmp_path: Path) -> None:
    import json

    architecture = plan("selu", 8)
    record = json.loads(json.dumps(architecture.to_json()))
    assert Architecture.from_json(tmp_path, {"architecture": record}) == architecture
    strange = [{"activation": "eval"}, {"hidden": [10**9]}, {"numbers": [0, 0]}, {"cardinalities": [4]}]
    strange += [{"outputs": 0}, {"outputs": True}, {"hidden": ["8"]}, {"more": 1}, {"cardinalities": [4, -3]}]
    for change in strange:
        with pytest.raises(ArtifactError):
            Architecture.from_json(tmp_path, {"architecture": {**record, **change}})


def test_the_learning_rate_waves_and_ends_at_zero() -> None:
    """Troughs at 1/15, 3/15, 7/15 and 1, where log2(1 + 15t) is whole."""
    for trough in (0.0, 1 / 15, 3 / 15, 7 / 15, 1.0):
        assert coslog4(trough) == pytest.approx(0.0, abs=1e-12)
    assert coslog4((2**0.5 - 1) / 15) == pytest.approx(1.0)


def test_steps_of_one_call_never_outlast_half_a_second() -> None:
    pace = Pace(time.monotonic() + 100)
    pace.begin()
    assert pace.end(1) == 1  # the first call compiles, and says nothing about the pace
    pace.begin()
    time.sleep(0.1)
    assert pace.end(1) <= 4  # a step takes 0.1 s
    assert pace.plan_steps(10, 10_000) <= 10 + 950


def test_without_a_deadline_the_plan_does_not_depend_on_the_clock() -> None:
    pace = Pace(math.inf)
    for seconds in (0.0, 0.05):
        pace.begin()
        time.sleep(seconds)
        pace.end(1)
    assert pace.plan_steps(3, 777) == 777 and not pace.is_over()
