"""Margins become probabilities on rows that the machine did not learn from."""

from __future__ import annotations

import numpy as np
import pytest

from automl.candidates._margin import MarginEstimator, fit_probabilities
from automl.candidates._targets import softmax
from automl.task import TaskKind
from tests.conformance.candidates import CANDIDATES, make_context, make_problem


def test_a_known_sigmoid_is_found_again() -> None:
    """Labels drawn with slope 2 and offset 0.5; 20,000 draws give them to within 0.1."""
    rng = np.random.default_rng(0)
    margin = rng.normal(size=20_000)
    chance = 1.0 / (1.0 + np.exp(-(2.0 * margin + 0.5)))
    codes = (rng.random(20_000) < chance).astype(np.int64)
    slope, offsets = fit_probabilities(np.column_stack([np.zeros(20_000), margin]), codes, None)
    assert slope == pytest.approx(2.0, abs=0.1)
    assert offsets[1] - offsets[0] == pytest.approx(0.5, abs=0.1)


def test_classes_that_separate_do_not_get_certainty() -> None:
    margins = np.column_stack([np.zeros(20), np.repeat([-1.0, 1.0], 10)])
    slope, offsets = fit_probabilities(margins, np.repeat([0, 1], 10), None)
    assert 0.9 < softmax(slope * margins + offsets)[-1, 1] < 0.9999


def test_weights_move_the_offset() -> None:
    margins = np.zeros((40, 2))
    codes = np.tile([0, 1], 20)
    _, offsets = fit_probabilities(margins, codes, np.where(codes == 1, 3.0, 1.0) * 50)
    assert softmax(offsets[None])[0, 1] == pytest.approx(0.75, abs=0.01)


def test_probabilities_are_learned_on_rows_held_out_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = CANDIDATES.get("svm_rbf")
    problem = make_problem(TaskKind.BINARY, plugin.needs, rows=100)
    context = make_context(problem)
    estimator = plugin.build(plugin.space(problem.task, problem.shape).defaults(), context)
    assert isinstance(estimator, MarginEstimator)
    learned: list[int] = []
    decided: list[np.ndarray] = []
    fit_model, decide = estimator.fit_model, estimator.decide
    monkeypatch.setattr(estimator, "fit_model", lambda m, t, w: (learned.append(len(m)), fit_model(m, t, w))[1])
    monkeypatch.setattr(estimator, "decide", lambda m: (decided.append(m), decide(m))[1])
    estimator.fit(problem.matrix, problem.target, None)
    assert learned == [80]
    np.testing.assert_array_equal(decided[0], problem.matrix[context.stop_rows])


def test_rows_held_back_leave_every_class_in_training() -> None:
    plugin = CANDIDATES.get("svm_linear")
    problem = make_problem(TaskKind.MULTICLASS, plugin.needs, rows=60)
    estimator = plugin.build(plugin.space(problem.task, problem.shape).defaults(), make_context(problem))
    assert isinstance(estimator, MarginEstimator)
    target = np.array([0] * 20 + [1] * 10 + [2] * 3)
    keep, held = estimator._hold_back(target)
    assert sorted([*keep.tolist(), *held.tolist()]) == list(range(33))
    assert np.bincount(target[held], minlength=3).tolist() == [4, 2, 0]
