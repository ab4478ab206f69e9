"""What single families promise beyond the common suite."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.candidates._sklearn import read_skops
from automl.candidates.xgboost import XGBoostEstimator
from automl.errors import ArtifactError
from automl.matrix import Needs, Shape
from automl.metrics import get_metric
from automl.task import Task, TaskKind
from tests.conformance.candidates import CANDIDATES, make_context, make_problem

BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"), metric="log_loss")
VALUE = Task(kind=TaskKind.REGRESSION, target="y", metric="rmse")


def shape(rows: int, numbers: int, outputs: int = 2) -> Shape:
    return Shape(rows=rows, numbers=numbers, categories=0, levels=0, outputs=outputs)


@pytest.mark.parametrize(
    ("name", "task", "size", "reason"),
    [
        ("naive_bayes", VALUE, shape(100, 5, 1), "number"),
        ("nearest_neighbors", BINARY, shape(50_001, 5), "50,001 rows"),
        ("nearest_neighbors", BINARY, shape(100, 201), "201 columns"),
        ("svm_rbf", BINARY, shape(6_001, 5), "6,001 rows"),
        ("keras_mlp", BINARY, shape(1_000_000, 50), "50,000,000 cells"),
        ("svm_linear", BINARY, shape(1_000_000, 50), "50,000,000 cells"),
    ],
)
def test_a_family_says_why_it_cannot_be_used(name: str, task: Task, size: Shape, reason: str) -> None:
    assert reason in CANDIDATES.get(name).unsupported(task, size)


def test_the_constant_is_the_mean_the_weighted_mean_or_the_median() -> None:
    problem = make_problem(TaskKind.REGRESSION, Needs())
    target = np.array([1.0, 2.0, 3.0, 10.0])
    matrix = problem.matrix[:4]

    def predict(metric: str, weight: np.ndarray | None) -> float:
        task = dataclasses.replace(problem.task, metric=metric)
        context = dataclasses.replace(make_context(problem), task=task)
        estimator = CANDIDATES.get("dummy").build({}, context)
        estimator.fit(matrix, target, weight)
        return float(estimator.predict(matrix)[0, 0])

    assert predict("rmse", None) == 4.0
    assert predict("rmse", np.array([2.0, 0.0, 0.0, 2.0])) == 5.5
    assert predict("mae", None) == 2.5
    assert predict("mae", np.array([1.0, 1.0, 1.0, 1.0])) == 2.5
    assert predict("mae", np.array([0.2, 0.2, 0.2, 3.4])) == 10.0
    # of 2, 3, 4 and 11, one more than each, the geometric mean less one
    assert predict("rmsle", None) == pytest.approx(264**0.25 - 1)


@pytest.mark.parametrize("name", ["xgboost", "hist_gradient_boosting", "svm_rbf", "random_forest"])
def test_counts_that_are_often_0_are_learned_as_their_errors_are_measured(name: str) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(400, 2)).astype(np.float32)
    target = rng.poisson(np.exp(2.0 + 1.5 * matrix[:, 0])) * (rng.random(400) > 0.3).astype(np.float64)
    plugin = CANDIDATES.get(name)
    problem = make_problem(TaskKind.REGRESSION, plugin.needs)

    def error(metric: str) -> float:
        task = dataclasses.replace(VALUE, metric=metric)
        given = {"n_estimators": 50} if name == "random_forest" else {}
        context = dataclasses.replace(make_context(problem), task=task, features=problem.features[:2])
        estimator = plugin.build(plugin.space(task, shape(400, 2, 1)).complete(given), context)
        estimator.fit(matrix[:300], target[:300], None)
        return get_metric("rmsle").score(target[300:], estimator.predict(matrix[300:]))

    assert error("rmsle") < 0.95 * error("rmse")


def test_clouds_of_more_columns_than_memory_holds_are_refused() -> None:
    estimator = CANDIDATES.get("discriminant").build(
        {"pooled": 0.3, "shrunk": 0.01}, make_context(make_problem(TaskKind.BINARY, Needs()))
    )
    with pytest.raises(ValueError, match="1,000 columns and 30 classes"):
        estimator.fit(np.zeros((60, 1_000), dtype=np.float32), np.arange(60) % 30, None)


def test_a_linear_model_of_the_logarithm_learns_what_multiplies() -> None:
    """y = exp(2x): a straight line through log y is right where one through y is far off."""
    x = np.linspace(-2, 2, 400, dtype=np.float32)
    target = np.exp(2.0 * x.astype(np.float64))
    plugin = CANDIDATES.get("linear")
    problem = make_problem(TaskKind.REGRESSION, plugin.needs)
    context = dataclasses.replace(make_context(problem), features=problem.features[:1])

    def error(transform: str) -> float:
        params = plugin.space(VALUE, shape(400, 1, 1)).complete({"target_transform": transform})
        estimator = plugin.build(params, context)
        estimator.fit(x[:, None], target, None)
        return float(np.abs(estimator.predict(x[:, None])[:, 0] - target).mean())

    assert error("log") < 0.5 * error("none")


def test_a_neighbour_that_is_the_row_itself_decides_alone() -> None:
    plugin = CANDIDATES.get("nearest_neighbors")
    problem = make_problem(TaskKind.REGRESSION, plugin.needs)
    estimator = plugin.build({"n_neighbors": 3, "weights": "distance"}, make_context(problem))
    matrix = np.array([[0.0], [1.0], [3.0], [50.0]], dtype=np.float32)
    estimator.fit(matrix, np.array([10.0, 20.0, 40.0, 0.0]), None)
    # At 2: distances 1, 1, 2 to values 20, 40, 10, so (20 + 40 + 10 / 2) / (1 + 1 + 1 / 2) = 26.
    np.testing.assert_allclose(estimator.predict(np.array([[1.0], [2.0]], dtype=np.float32)), [[20.0], [26.0]])


def test_xgboost_does_not_learn_from_the_stop_rows() -> None:
    """The stop rows carry nonsense: without a refit their labels change nothing but when to stop."""
    plugin = CANDIDATES.get("xgboost")
    problem = make_problem(TaskKind.REGRESSION, plugin.needs, rows=100)
    context = make_context(problem)
    params = plugin.space(problem.task, problem.shape).defaults()
    target = problem.target.copy()
    target[context.stop_rows] = 1e6
    first, second = plugin.build(params, context), plugin.build(params, context)
    first.fit(problem.matrix, problem.target, None)
    second.fit(problem.matrix, target, None)
    assert isinstance(first, XGBoostEstimator) and isinstance(second, XGBoostEstimator)
    assert first.scale == second.scale
    assert first.booster[:1].get_dump() == second.booster[:1].get_dump()


@pytest.mark.parametrize("name", ["xgboost", "hist_gradient_boosting"])
def test_boosting_keeps_the_best_round_and_refits_with_more(name: str) -> None:
    plugin = CANDIDATES.get(name)
    problem = make_problem(TaskKind.BINARY, plugin.needs, rows=500)
    params = plugin.space(problem.task, problem.shape).defaults()

    def rounds(refit: bool) -> int:
        estimator = plugin.build(params, make_context(problem, refit=refit))
        estimator.fit(problem.matrix, problem.target, None)
        booster = getattr(estimator, "booster", None)
        return booster.num_boosted_rounds() if booster is not None else estimator.trees.count  # type: ignore

    stopped = rounds(refit=False)
    assert 1 <= stopped < 400
    assert rounds(refit=True) == round(stopped * 500 / 400)


def test_a_skops_file_that_asks_for_another_type_is_refused_by_name(tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer
    from skops.io import dump

    path = tmp_path / "model.skops"
    dump(FunctionTransformer(func=zipfile.is_zipfile), path)
    with pytest.raises(ArtifactError, match=r"zipfile\.is_zipfile"):
        read_skops(path)


def test_a_pickle_called_skops_is_called_a_pickle(tmp_path: Path) -> None:
    import pickle

    (tmp_path / "model.skops").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ArtifactError, match="pickle"):
        read_skops(tmp_path / "model.skops")


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("name", ["linear", "svm_linear"])
def test_scores_of_linear_models_are_those_that_scikit_learn_gives(name: str, kind: TaskKind) -> None:
    """They are computed without its look at the input, which takes most of the time of one row."""
    plugin = CANDIDATES.get(name)
    problem = make_problem(kind, plugin.needs)
    params = plugin.space(problem.task, shape(300, 5)).complete({})
    estimator: Any = plugin.build(params, make_context(problem))
    estimator.fit(problem.matrix, problem.target, None)
    matrix = np.nan_to_num(problem.matrix)

    if kind is TaskKind.REGRESSION:
        ours, theirs = estimator.predict_values(matrix), estimator.model.predict(matrix)
    elif name == "linear":
        ours, theirs = estimator.predict_classes(matrix), estimator.model.predict_proba(matrix)
    else:
        theirs = estimator.model.decision_function(matrix)
        ours = estimator.decide(matrix)[:, -theirs.reshape(len(matrix), -1).shape[1] :].reshape(theirs.shape)

    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_no_row_lies_on_a_split_of_a_column_that_linear_algebra_makes() -> None:
    """Else the last bit of a number decides what is said of a row, and other machines say otherwise."""
    plugin = CANDIDATES.get("xgboost")
    problem = make_problem(TaskKind.BINARY, plugin.needs, rows=400)
    last_bit = np.nextafter(problem.matrix, np.float32(-np.inf))
    moved = {}
    for computed in (False, True):
        features = tuple(dataclasses.replace(feature, computed=computed) for feature in problem.features)
        numbers = [at for at, feature in enumerate(features) if not feature.cardinality]
        context = make_context(dataclasses.replace(problem, features=features))
        estimator = plugin.build({**plugin.space(problem.task, problem.shape).defaults()}, context)
        estimator.fit(problem.matrix, problem.target, None)
        nudged = problem.matrix.copy()
        nudged[:, numbers] = last_bit[:, numbers]
        moved[computed] = np.abs(estimator.predict(nudged) - estimator.predict(problem.matrix)).max()
    assert moved[True] == 0.0 < moved[False]
