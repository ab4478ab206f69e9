"""The suite that every metric must pass: subclass `MetricConformance` and name the plug-in."""

from __future__ import annotations

import numpy as np
import pytest

from automl.metrics import Metric
from automl.task import TaskKind


def make_truth(kind: TaskKind, rows: int, seed: int) -> np.ndarray:
    """A target with every class present, or positive values."""
    rng = np.random.default_rng(seed)
    if kind is TaskKind.REGRESSION:
        return rng.gamma(3.0, 2.0, rows)
    classes = 2 if kind is TaskKind.BINARY else 4
    return np.concatenate((np.arange(classes), rng.integers(0, classes, rows - classes)))


def make_predictions(kind: TaskKind, y_true: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Predictions that are worse the more noise there is; float32, as models give them."""
    rng = np.random.default_rng(seed)
    if kind is TaskKind.REGRESSION:
        return np.abs(y_true + noise * rng.normal(size=len(y_true)))[:, None].astype(np.float32)
    logits = 3.0 * np.eye(int(y_true.max()) + 1)[y_true] + 2 * noise * rng.normal(size=(len(y_true), y_true.max() + 1))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


def make_perfect(kind: TaskKind, y_true: np.ndarray) -> np.ndarray:
    if kind is TaskKind.REGRESSION:
        return y_true[:, None].astype(np.float32)
    return np.eye(int(y_true.max()) + 1, dtype=np.float32)[y_true]


class MetricConformance:
    """What search, ensemble and evaluation rely on. Subclasses set `plugin`."""

    plugin: Metric

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test for the kinds of task that the metric is defined for."""
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", self.plugin.kinds, ids=str)

    def test_it_says_what_it_is(self) -> None:
        assert self.plugin.title and self.plugin.kinds
        assert isinstance(self.plugin.maximize, bool) and isinstance(self.plugin.needs_labels, bool)
        assert 0 <= self.plugin.decimals <= 8

    def test_better_predictions_score_better(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 600, seed=0)
        scores = [self.plugin.score(y_true, make_predictions(kind, y_true, noise, seed=1)) for noise in (0.2, 1.0, 5.0)]
        assert all(type(score) is float for score in scores)
        assert scores == sorted(scores, reverse=self.plugin.maximize) and len(set(scores)) == 3

    def test_perfect_predictions_score_one_or_no_error(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 200, seed=2)
        best = self.plugin.score(y_true, make_perfect(kind, y_true))
        assert best == pytest.approx(1.0 if self.plugin.maximize else 0.0, abs=2e-6)

    def test_no_score_lies_outside_its_bounds(self, kind: TaskKind) -> None:
        low, high = self.plugin.bounds
        for seed in range(20):
            y_true = make_truth(kind, 30, seed)
            for answers in (make_predictions(kind, y_true, 3.0, seed), make_perfect(kind, y_true)[::-1]):
                score = self.plugin.score(y_true, answers)
                assert low <= score <= high
                assert self.plugin.maximize or score >= 0

    def test_whole_weights_are_as_good_as_repeated_rows(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 300, seed=3)
        y_pred = make_predictions(kind, y_true, 1.5, seed=4)
        weight = np.random.default_rng(5).integers(1, 4, 300).astype(float)
        times = weight.astype(int)
        repeated = self.plugin.score(np.repeat(y_true, times), np.repeat(y_pred, times, axis=0))
        assert self.plugin.score(y_true, y_pred, weight) == pytest.approx(repeated, rel=1e-6)
        assert self.plugin.score(y_true, y_pred, weight) != pytest.approx(self.plugin.score(y_true, y_pred), rel=1e-6)

    def test_equal_weights_change_nothing(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 300, seed=6)
        y_pred = make_predictions(kind, y_true, 1.5, seed=7)
        assert self.plugin.score(y_true, y_pred, np.full(300, 2.5)) == pytest.approx(self.plugin.score(y_true, y_pred))

    def test_the_mean_of_the_row_losses_orders_models_as_the_score_does(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 400, seed=8)
        models = [
            make_predictions(kind, y_true, noise, seed) for seed, noise in enumerate((0.3, 0.6, 1.2, 2.4, 4.8, 0.9))
        ]
        losses = [self.plugin.row_losses(y_true, y_pred) for y_pred in models]
        assert all(loss.shape == (400,) and loss.dtype == np.float64 and np.isfinite(loss).all() for loss in losses)
        by_loss = np.argsort([loss.mean() for loss in losses], kind="stable")
        sign = -1 if self.plugin.maximize else 1
        by_score = np.argsort([sign * self.plugin.score(y_true, y_pred) for y_pred in models], kind="stable")
        assert by_loss.tolist() == by_score.tolist()

    def test_influences_have_the_mean_of_the_row_losses(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 400, seed=8)
        y_pred = make_predictions(kind, y_true, 1.2, 3)
        influences = self.plugin.row_influences(y_true, y_pred)
        assert influences.shape == (400,)
        assert influences.mean() == pytest.approx(self.plugin.row_losses(y_true, y_pred).mean())

    def test_a_row_that_weighs_double_counts_as_two_rows_in_losses_and_influences(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 300, seed=8)
        y_pred = make_predictions(kind, y_true, 1.2, 3)
        weight = np.random.default_rng(9).integers(1, 4, 300).astype(np.float64)
        times = weight.astype(np.int64)
        for measure in (self.plugin.row_losses, self.plugin.row_influences):
            weighted, whole = (
                measure(y_true, y_pred, weight),
                measure(y_true.repeat(times), y_pred.repeat(times, axis=0)),
            )
            np.testing.assert_allclose(weighted.repeat(times), whole, rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_many_models_at_once_score_as_each_alone(self, kind: TaskKind, weighted: bool) -> None:
        y_true = make_truth(kind, 250, seed=9)
        weight = np.random.default_rng(10).uniform(0.5, 2.0, 250) if weighted else None
        models = np.stack([make_predictions(kind, y_true, noise, seed=11) for noise in (0.5, 1.0, 2.0)])
        alone = [self.plugin.score(y_true, y_pred, weight) for y_pred in models]
        together = self.plugin.score_many(y_true, models, weight)
        assert together.shape == (3,) and together.dtype == np.float64
        np.testing.assert_allclose(together, alone, rtol=1e-9)

    def test_mixes_of_condensed_predictions_score_as_those_of_whole_ones(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 250, seed=9)
        models = [make_predictions(kind, y_true, noise, seed) for seed, noise in enumerate((0.5, 1.0, 2.0))]
        condensed = [self.plugin.condense(y_true, y_pred) for y_pred in models]
        assert all(y.dtype == y_true.dtype and part.dtype == np.float32 for y, part in condensed)
        assert all(part.shape[1] <= models[0].shape[1] for _, part in condensed)
        for shares in ((1.0, 0.0, 0.0), (0.5, 0.3, 0.2), (0.0, 0.1, 0.9)):
            whole = sum(share * y_pred for share, y_pred in zip(shares, models, strict=True))
            part = sum(share * each for share, (_, each) in zip(shares, condensed, strict=True))
            expected = self.plugin.score(y_true, np.asarray(whole, dtype=np.float32))
            found = self.plugin.score(condensed[0][0], np.asarray(part, dtype=np.float32))
            assert found == pytest.approx(expected, rel=1e-5)

    def test_no_rows_have_no_score(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 10, seed=12)[:0]
        y_pred = np.zeros((0, {"binary": 2, "multiclass": 4, "regression": 1}[kind]), dtype=np.float32)
        assert np.isnan(self.plugin.score(y_true, y_pred))
        assert np.isnan(self.plugin.score_many(y_true, np.stack([y_pred, y_pred]))).all()

    def test_a_prediction_that_is_not_a_number_never_gives_a_score(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 50, seed=13)
        y_pred = make_predictions(kind, y_true, 1.0, seed=14)
        y_pred[7] = np.nan
        assert np.isnan(self.plugin.score(y_true, y_pred))
        assert np.isnan(self.plugin.score_many(y_true, np.stack([y_pred, y_pred]))).all()

    def test_the_inputs_are_left_as_they_were(self, kind: TaskKind) -> None:
        y_true = make_truth(kind, 60, seed=15)
        y_pred = make_predictions(kind, y_true, 1.0, seed=16)
        weight = np.ones(60)
        for array in (y_true, y_pred, weight):
            array.flags.writeable = False  # as memory-mapped out-of-fold predictions are
        before = y_pred.copy()
        self.plugin.score(y_true, y_pred, weight)
        self.plugin.row_losses(y_true, y_pred)
        self.plugin.score_many(y_true, y_pred[None], weight)
        self.plugin.condense(y_true, y_pred)
        np.testing.assert_array_equal(before, y_pred)
