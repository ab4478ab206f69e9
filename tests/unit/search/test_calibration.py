"""Calibration: what was distorted is set right, what is right or too small is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.search.calibration import IDENTITY, Calibrator, fit_calibrator
from automl.task import Task, TaskKind

BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"))
MULTICLASS = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"))
REGRESSION = Task(kind=TaskKind.REGRESSION, target="y")
LOG_LOSS = get_metric("log_loss")


def two_columns(positive: Array) -> FloatArray:
    return np.column_stack([1 - positive, positive]).astype(np.float32)


def make_binary(rows: int, slope: float, shift: float, seed: int = 0) -> tuple[FloatArray, Array]:
    """Outputs whose true log odds are `slope` times theirs plus `shift`."""
    rng = np.random.default_rng(seed)
    told = rng.normal(0, 1.5, rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-(slope * told + shift)))).astype(np.int64)
    return two_columns(1 / (1 + np.exp(-told))), y


def make_multiclass(rows: int, slope: float, seed: int = 0) -> tuple[FloatArray, Array]:
    """Outputs whose true log probabilities are `slope` times theirs."""
    rng = np.random.default_rng(seed)
    told = rng.normal(0, 1.5, (rows, 3))
    raised = np.exp(slope * told)
    y = (raised.cumsum(axis=1) < rng.random((rows, 1)) * raised.sum(axis=1, keepdims=True)).sum(axis=1)
    outputs = np.exp(told) / np.exp(told).sum(axis=1, keepdims=True)
    return outputs.astype(np.float32), y.astype(np.int64)


def test_a_logistic_curve_worked_by_hand() -> None:
    """Log odds of 0.8 are ln 4; twice that is ln 16, and ln 2 more is ln 32: 32 / 33."""
    found = Calibrator(slope=2.0, shift=float(np.log(2))).apply(two_columns(np.array([0.8])))
    assert found[0].tolist() == pytest.approx([1 / 33, 32 / 33])


def test_a_temperature_worked_by_hand() -> None:
    """Probabilities ½ ¼ ¼ squared are ¼ ¹⁄₁₆ ¹⁄₁₆: ⅔ ⅙ ⅙."""
    found = Calibrator(slope=2.0).apply(np.array([[0.5, 0.25, 0.25]], dtype=np.float32))
    assert found[0].tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_the_identity_and_values_pass_as_they_are() -> None:
    outputs, given = make_binary(10, 1, 0)[0], np.arange(3, dtype=np.float32)[:, None]
    assert IDENTITY.apply(outputs) is outputs
    assert Calibrator(2.0, 1.0).apply(given) is given


def test_certainty_stays_finite() -> None:
    for outputs in (two_columns(np.array([0.0, 1.0])), np.array([[1.0, 0.0, 0.0]], dtype=np.float32)):
        found = Calibrator(1.7, 0.2 if outputs.shape[1] == 2 else 0.0).apply(outputs)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("slope", "shift"), [(0.5, 0.0), (2.0, 0.0), (1.0, 1.0), (0.6, -0.8)])
def test_a_distortion_of_two_classes_is_found_and_set_right(slope: float, shift: float) -> None:
    outputs, y = make_binary(8000, slope, shift)
    found = fit_calibrator(BINARY, outputs, y)
    assert found.slope == pytest.approx(slope, rel=0.1)
    assert found.shift == pytest.approx(shift, abs=0.1)
    new, y_new = make_binary(8000, slope, shift, seed=1)
    assert LOG_LOSS.score(y_new, found.apply(new)) < LOG_LOSS.score(y_new, new)


@pytest.mark.parametrize("slope", [0.5, 2.0])
def test_a_distortion_of_several_classes_is_found_and_set_right(slope: float) -> None:
    outputs, y = make_multiclass(5000, slope)
    found = fit_calibrator(MULTICLASS, outputs, y)
    assert found.slope == pytest.approx(slope, rel=0.1)
    assert found.shift == 0.0
    new, y_new = make_multiclass(5000, slope, seed=1)
    assert LOG_LOSS.score(y_new, found.apply(new)) < LOG_LOSS.score(y_new, new)


def test_what_is_calibrated_is_left_alone() -> None:
    assert fit_calibrator(BINARY, *make_binary(20_000, 1.0, 0.0)).is_identity
    assert fit_calibrator(MULTICLASS, *make_multiclass(20_000, 1.0)).is_identity


def test_few_rows_and_values_are_left_alone() -> None:
    assert fit_calibrator(BINARY, *make_binary(99, 0.3, 1.0)).is_identity
    assert fit_calibrator(REGRESSION, np.zeros((500, 1), dtype=np.float32), np.ones(500)).is_identity


def test_outputs_turned_upside_down_are_not_mended_by_turning_them_back() -> None:
    """A falling curve would make the leaderboard's order a lie."""
    outputs, y = make_binary(2000, -1.0, 0.0)
    assert fit_calibrator(BINARY, outputs, y).is_identity


def test_the_order_of_rows_is_kept() -> None:
    outputs, y = make_binary(2000, 0.5, 1.0)
    found = fit_calibrator(BINARY, outputs, y)
    assert not found.is_identity
    order = np.argsort(outputs[:, 1], kind="stable")
    assert (np.diff(found.apply(outputs)[order, 1]) >= 0).all()


def test_rows_that_weigh_nothing_do_not_count() -> None:
    outputs, y = make_binary(4000, 0.5, 0.0)
    poison, y_poison = make_binary(4000, 3.0, 2.0, seed=5)
    weight = np.repeat([1.0, 0.0], 4000)
    both = fit_calibrator(BINARY, np.concatenate([outputs, poison]), np.concatenate([y, y_poison]), weight)
    alone = fit_calibrator(BINARY, outputs, y)
    assert both.slope == pytest.approx(alone.slope, rel=0.02)
    assert both.shift == pytest.approx(alone.shift, abs=0.02)


def test_outputs_that_are_certain_and_right_can_be_fitted() -> None:
    y = np.arange(400) % 2
    found = fit_calibrator(BINARY, two_columns(y.astype(float)), y)
    assert np.isfinite([found.slope, found.shift]).all()


def test_it_reads_back_from_its_json() -> None:
    calibrator = Calibrator(1.25, -0.5)
    assert Calibrator.from_json(calibrator.to_json()) == calibrator
