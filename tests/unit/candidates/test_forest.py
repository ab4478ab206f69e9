"""Forests stay within time and size."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from automl.candidates import _forest
from automl.candidates._forest import ForestEstimator
from automl.matrix import Feature
from automl.task import Task, TaskKind
from tests.conformance.candidates import CANDIDATES, Problem, make_context, make_problem

PLUGIN = CANDIDATES.get("extra_trees")


def fit(problem: Problem, given: dict[str, object] | None = None, deadline: float = float("inf")) -> ForestEstimator:
    params = PLUGIN.space(problem.task, problem.shape).complete(given or {})
    estimator = PLUGIN.build(params, make_context(problem, deadline=deadline))
    estimator.fit(problem.matrix, problem.target, None)
    assert isinstance(estimator, ForestEstimator)
    return estimator


def test_all_trees_are_grown_when_there_is_time() -> None:
    assert fit(make_problem(TaskKind.BINARY, PLUGIN.needs), {"n_estimators": 50}).trees.count == 50


def test_a_deadline_cuts_the_number_of_trees_not_their_rows() -> None:
    problem = make_problem(TaskKind.MULTICLASS, PLUGIN.needs, rows=8_000)
    trees = fit(problem, {"n_estimators": 500, "min_samples_leaf": 1}, time.monotonic() + 1.0).trees
    assert 1 <= trees.count < 500
    assert trees.arrays["sizes"].max() > 500


def test_a_forest_stops_at_its_most_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_forest, "MAX_NODES", 2_000)
    problem = make_problem(TaskKind.REGRESSION, PLUGIN.needs, rows=400)
    trees = fit(problem, {"n_estimators": 500, "min_samples_leaf": 1}).trees
    assert _forest.LEAST_TREES <= trees.count < 500
    assert len(trees.arrays["right"]) < 2_500


def test_a_large_forest_is_saved_and_loaded_quickly_and_predicts_a_row_at_once(tmp_path: Path) -> None:
    problem = make_problem(TaskKind.REGRESSION, PLUGIN.needs, rows=6_000)
    estimator = fit(problem, {"n_estimators": 60, "min_samples_leaf": 1})
    assert len(estimator.trees.arrays["right"]) > 300_000
    started = time.process_time()
    estimator.save(tmp_path)
    loaded = PLUGIN.load(tmp_path)
    assert time.process_time() - started < 1.0
    row = problem.matrix[:1]
    loaded.predict(row)
    started = time.process_time()
    for _ in range(20):
        loaded.predict(row)
    assert (time.process_time() - started) / 20 < 0.02
    np.testing.assert_array_equal(loaded.predict(problem.matrix), estimator.predict(problem.matrix))


def test_missing_values_in_a_read_only_matrix_are_learned_from() -> None:
    """Scikit-learn's forests refuse such a matrix: "buffer source array is read-only"."""
    problem = make_problem(TaskKind.BINARY, PLUGIN.needs)
    assert np.isnan(problem.matrix).any() and not problem.matrix.flags.writeable
    assert np.isfinite(fit(problem, {"n_estimators": 50}).predict(problem.matrix)).all()


@pytest.mark.parametrize("scale", [1.0, 0.001])
def test_a_single_tree_calls_no_class_impossible_and_asks_weights_only_for_their_ratio(scale: float) -> None:
    tree = CANDIDATES.get("decision_tree")
    problem = make_problem(TaskKind.MULTICLASS, tree.needs)
    params = tree.space(problem.task, problem.shape).complete({"min_samples_leaf": 1, "max_depth": 12})
    plain, weighted = (tree.build(params, make_context(problem)) for _ in range(2))
    plain.fit(problem.matrix, problem.target, None)
    weighted.fit(problem.matrix, problem.target, np.full(len(problem.target), scale))

    shares = plain.predict(problem.matrix)

    assert shares.min() > 0
    assert (shares.argmax(axis=1) == problem.target).mean() > 0.8
    np.testing.assert_allclose(weighted.predict(problem.matrix), shares, atol=1e-6)


def make_many_classes(classes: int = 100, rows: int = 1_000) -> Problem:
    rng = np.random.default_rng(0)
    target = np.arange(rows) % classes
    matrix = np.column_stack([target + 3 * rng.normal(size=rows), rng.normal(size=rows)]).astype(np.float32)
    features = tuple(Feature(name=name, source=name) for name in ("x", "noise"))
    names = tuple(f"{label:02}" for label in range(classes))
    task = Task(kind=TaskKind.MULTICLASS, target="y", classes=names, metric="log_loss")
    return Problem(task=task, features=features, matrix=matrix, target=target)


def test_a_forest_of_many_classes_has_many_small_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 classes each node holds 100 shares: the largest trees that there are would be few."""
    monkeypatch.setattr(_forest, "MAX_CELLS", 300_000)
    trees = fit(make_many_classes(), {"n_estimators": 100, "min_samples_leaf": 1}).trees
    assert trees.count >= _forest.LEAST_TREES
    assert trees.width * len(trees.arrays["right"]) <= 400_000


def test_below_31_classes_only_nodes_are_counted() -> None:
    assert _forest.MAX_CELLS // 30 == _forest.MAX_NODES >= 2 * _forest.LEAST_TREES * _forest.MAX_LEAVES_PER_TREE


def test_trees_that_are_let_go_of_leave_those_after_them_as_they_would_be() -> None:
    from sklearn.ensemble import ExtraTreesClassifier

    problem = make_many_classes(classes=5, rows=200)
    grown = fit(problem, {"n_estimators": 50})
    settings = {name: grown.params[name] for name in ("max_features", "min_samples_leaf", "max_depth", "criterion")}
    at_once = ExtraTreesClassifier(50, random_state=make_context(problem).seed, **settings)
    at_once.fit(problem.matrix, problem.target)
    np.testing.assert_allclose(grown.predict(problem.matrix), at_once.predict_proba(problem.matrix), atol=1e-6)
