"""Metrics against values worked by hand and against scikit-learn."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from automl.errors import UsageError
from automl.metrics import decide_labels, get_metric, resolve_metric
from automl.task import TaskKind


def binary(*positive: float) -> np.ndarray:
    return np.array([(1 - p, p) for p in positive], dtype=np.float32)


def values(*given: float) -> np.ndarray:
    return np.array(given, dtype=np.float32)[:, None]


# Rows 0, 0, 1, 1 with these probabilities of the positive class are used throughout.
TRUTH = np.array([0, 0, 1, 1])
TOLD = binary(0.1, 0.4, 0.35, 0.8)


def test_roc_auc_counts_pairs_and_half_of_the_ties() -> None:
    assert get_metric("roc_auc").score(TRUTH, TOLD) == 0.75  # 3 of 4 pairs are in order
    assert get_metric("roc_auc").score(TRUTH, binary(0.2, 0.5, 0.5, 0.5)) == 0.75  # 2 pairs in order, 2 tied
    assert get_metric("roc_auc").score(TRUTH, binary(0.5, 0.5, 0.5, 0.5)) == 0.5


def test_roc_auc_of_one_class_is_not_defined() -> None:
    auc = get_metric("roc_auc")
    assert math.isnan(auc.score(np.array([1, 1]), binary(0.2, 0.3)))
    assert math.isnan(auc.score(np.array([1, 1]), binary(0.2, 0.3), np.ones(2)))
    assert math.isnan(auc.score(np.array([2, 2]), np.full((2, 3), 1 / 3, dtype=np.float32)))
    assert math.isnan(auc.score(TRUTH, TOLD, np.array([0.0, 0.0, 1.0, 1.0])))
    assert np.isnan(auc.row_losses(np.array([0, 0]), binary(0.2, 0.3))).all()


def test_multiclass_roc_auc_is_the_mean_over_the_classes_that_occur() -> None:
    y_true = np.array([0, 0, 1, 1])  # class 2 does not occur
    y_pred = np.array([[0.6, 0.2, 0.2], [0.3, 0.3, 0.4], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1]], dtype=np.float32)
    # class 0: pairs (0.6, 0.3) against (0.4, 0.1): 3 of 4; class 1: (0.5, 0.8) against (0.2, 0.3): 4 of 4
    assert get_metric("roc_auc").score(y_true, y_pred) == pytest.approx(0.875)
    assert get_metric("roc_auc").row_losses(y_true, y_pred).mean() == pytest.approx(0.125)


def test_the_structural_components_are_placement_values() -> None:
    # positives 0.35 (above 1 of 2) and 0.8 (2 of 2); negatives 0.1 (below 2 of 2) and 0.4 (below 1 of 2)
    np.testing.assert_allclose(get_metric("roc_auc").row_losses(TRUTH, TOLD), [0.0, 0.5, 0.5, 0.0])
    unequal = get_metric("roc_auc").row_losses(np.array([0, 0, 0, 1]), binary(0.1, 0.6, 0.2, 0.5))
    # positive 0.5 is above 2 of 3: 1/3 times n / (2 n_pos) = 2; negative 0.6 is above the positive: 1 times 4 / 6
    np.testing.assert_allclose(unequal, [0.0, 2 / 3, 0.0, 2 / 3])


def test_log_loss_is_the_mean_surprise() -> None:
    by_hand = -(math.log(0.9) + math.log(0.6) + math.log(0.35) + math.log(0.8)) / 4
    assert get_metric("log_loss").score(TRUTH, TOLD) == pytest.approx(by_hand, rel=1e-6)


def test_log_loss_scales_rows_to_one_and_clips_at_one_in_ten_million() -> None:
    loss = get_metric("log_loss")
    assert loss.score(np.array([1]), np.array([[1.0, 3.0]], dtype=np.float32)) == pytest.approx(-math.log(0.75))
    assert loss.score(np.array([1]), binary(0.0)) == pytest.approx(-math.log(1e-7))
    assert loss.score(np.array([1]), binary(1.0)) == 0.0
    assert math.isnan(loss.score(np.array([1]), np.zeros((1, 2), dtype=np.float32)))


def test_labels_are_the_likeliest_class_and_half_is_positive() -> None:
    assert decide_labels(binary(0.49, 0.5, 0.51)).tolist() == [0, 1, 1]
    assert decide_labels(np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]], dtype=np.float32)).tolist() == [1, 0]


def test_label_metrics_by_hand() -> None:
    y_true, y_pred = np.array([0, 0, 0, 1, 1]), binary(0.1, 0.2, 0.7, 0.6, 0.3)  # 2 tn, 1 fp, 1 tp, 1 fn
    assert get_metric("accuracy").score(y_true, y_pred) == pytest.approx(3 / 5)
    assert get_metric("balanced_accuracy").score(y_true, y_pred) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert get_metric("f1").score(y_true, y_pred) == pytest.approx(2 / 4)
    assert get_metric("mcc").score(y_true, y_pred) == pytest.approx((1 * 2 - 1 * 1) / math.sqrt(2 * 2 * 3 * 3))


@pytest.mark.parametrize("name", ["roc_auc", "balanced_accuracy", "f1", "average_precision", "r2", "accuracy"])
def test_row_losses_average_to_one_minus_the_score(name: str) -> None:
    rng = np.random.default_rng(0)
    metric = get_metric(name)
    for kind in metric.kinds:
        if kind is TaskKind.REGRESSION:
            y_true, y_pred = rng.normal(size=80), rng.normal(size=(80, 1)).astype(np.float32)
        else:
            k = 2 if kind is TaskKind.BINARY else 5
            y_true, y_pred = rng.integers(0, k, 80), rng.dirichlet(np.ones(k), 80).round(1).astype(np.float32)
        losses = metric.row_losses(y_true, y_pred)
        assert losses.mean() == pytest.approx(1 - metric.score(y_true, y_pred), rel=1e-6)


def test_f1_without_a_positive_row_is_not_defined_and_with_no_hit_is_zero() -> None:
    assert math.isnan(get_metric("f1").score(np.array([0, 0]), binary(0.9, 0.1)))
    assert get_metric("f1").score(np.array([0, 1]), binary(0.9, 0.1)) == 0.0


def test_mcc_of_a_constant_prediction_is_zero_and_of_one_class_not_defined() -> None:
    assert get_metric("mcc").score(TRUTH, binary(0.1, 0.1, 0.1, 0.1)) == 0.0
    assert math.isnan(get_metric("mcc").score(np.array([1, 1]), binary(0.1, 0.9)))


def test_average_precision_by_hand_with_a_tie() -> None:
    # from the top: 0.8 is right (1 of 1), 0.4 is wrong, 0.35 is right (2 of 3)
    assert get_metric("average_precision").score(TRUTH, TOLD) == pytest.approx((1 + 2 / 3) / 2)
    assert get_metric("average_precision").score(np.array([0, 1]), binary(0.5, 0.5)) == pytest.approx(0.5)
    assert math.isnan(get_metric("average_precision").score(np.array([0, 0]), binary(0.5, 0.5)))


def test_brier_is_one_sided_for_two_classes_and_summed_for_more() -> None:
    assert get_metric("brier").score(np.array([1]), binary(0.8)) == pytest.approx(0.04, rel=1e-5)
    three = np.array([[0.2, 0.5, 0.3]], dtype=np.float32)
    assert get_metric("brier").score(np.array([1]), three) == pytest.approx(0.04 + 0.25 + 0.09, rel=1e-5)


def test_regression_metrics_by_hand() -> None:
    y_true, y_pred = np.array([1.0, 2.0, 4.0, 9.0]), values(2, 2, 2, 5)  # errors 1, 0, 2, 4
    assert get_metric("rmse").score(y_true, y_pred) == pytest.approx(math.sqrt(21 / 4))
    assert get_metric("mae").score(y_true, y_pred) == pytest.approx(7 / 4)
    assert get_metric("median_absolute_error").score(y_true, y_pred) == pytest.approx(1.5)
    assert get_metric("r2").score(y_true, y_pred) == pytest.approx(1 - 21 / 38)
    assert get_metric("mape").score(y_true, y_pred) == pytest.approx((1 + 0 + 0.5 + 4 / 9) / 4)
    ratios = [math.log(3 / 2), 0.0, math.log(3 / 5), math.log(6 / 10)]
    assert get_metric("rmsle").score(y_true, y_pred) == pytest.approx(math.sqrt(sum(r * r for r in ratios) / 4))


def test_r2_of_a_target_that_does_not_vary_is_not_defined() -> None:
    assert math.isnan(get_metric("r2").score(np.array([3.0, 3.0]), values(3, 4)))


def test_mape_leaves_out_rows_whose_value_is_zero() -> None:
    assert get_metric("mape").score(np.array([0.0, 2.0]), values(5, 3)) == pytest.approx(0.5)
    assert get_metric("mape").row_losses(np.array([0.0, 2.0]), values(5, 3)).tolist() == [0.0, 1.0]
    assert math.isnan(get_metric("mape").score(np.array([0.0, 0.0]), values(5, 3)))


def test_rmsle_takes_negative_predictions_as_zero_and_refuses_negative_values() -> None:
    assert get_metric("rmsle").score(np.array([0.0]), values(-3)) == 0.0
    assert math.isnan(get_metric("rmsle").score(np.array([-1.0]), values(3)))


def test_large_targets_do_not_overflow_float32() -> None:
    assert get_metric("rmse").score(np.array([3e30, 1e30]), values(1e30, 1e30)) == pytest.approx(2e30 / math.sqrt(2))


@pytest.mark.parametrize("weighted", [False, True])
def test_binary_metrics_agree_with_scikit_learn(weighted: bool) -> None:
    from sklearn import metrics as reference

    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 2, 500), rng.random(500).round(2)
    y_pred, w = np.stack((1 - p, p), axis=1), rng.random(500) if weighted else None
    label = (p >= 0.5).astype(int)
    expected = {
        "roc_auc": reference.roc_auc_score(y, p, sample_weight=w),
        "log_loss": reference.log_loss(y, np.clip(p, 1e-7, 1 - 1e-7), sample_weight=w),
        "average_precision": reference.average_precision_score(y, p, sample_weight=w),
        "brier": reference.brier_score_loss(y, p, sample_weight=w),
        "accuracy": reference.accuracy_score(y, label, sample_weight=w),
        "balanced_accuracy": reference.balanced_accuracy_score(y, label, sample_weight=w),
        "f1": reference.f1_score(y, label, sample_weight=w),
        "f1_macro": reference.f1_score(y, label, average="macro", sample_weight=w),
        "mcc": reference.matthews_corrcoef(y, label, sample_weight=w),
    }
    got = {name: get_metric(name).score(y, y_pred, w) for name in expected}
    assert got == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_multiclass_metrics_agree_with_scikit_learn(weighted: bool) -> None:
    from sklearn import metrics as reference

    rng = np.random.default_rng(2)
    y, y_pred = rng.integers(0, 4, 500), rng.dirichlet(np.ones(4), 500)
    w, label, happened = rng.random(500) if weighted else None, y_pred.argmax(axis=1), np.eye(4)[y]
    expected = {
        "roc_auc": reference.roc_auc_score(y, y_pred, multi_class="ovr", sample_weight=w),
        "log_loss": reference.log_loss(y, y_pred, sample_weight=w),
        "average_precision": reference.average_precision_score(happened, y_pred, sample_weight=w),
        "brier": reference.brier_score_loss(y, y_pred, sample_weight=w),
        "balanced_accuracy": reference.balanced_accuracy_score(y, label, sample_weight=w),
        "f1": reference.f1_score(y, label, average="macro", sample_weight=w),
        "f1_macro": reference.f1_score(y, label, average="macro", sample_weight=w),
        "mcc": reference.matthews_corrcoef(y, label, sample_weight=w),
    }
    got = {name: get_metric(name).score(y, y_pred, w) for name in expected}
    assert got == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_regression_metrics_agree_with_scikit_learn(weighted: bool) -> None:
    from sklearn import metrics as reference

    rng = np.random.default_rng(3)
    y = rng.gamma(2.0, 3.0, 501)
    guess = y * rng.uniform(0.5, 1.5, 501)
    w = rng.random(501) if weighted else None
    expected = {
        "rmse": reference.root_mean_squared_error(y, guess, sample_weight=w),
        "mae": reference.mean_absolute_error(y, guess, sample_weight=w),
        "r2": reference.r2_score(y, guess, sample_weight=w),
        "median_absolute_error": reference.median_absolute_error(y, guess, sample_weight=w),
        "mape": reference.mean_absolute_percentage_error(y, guess, sample_weight=w),
        "rmsle": reference.root_mean_squared_log_error(y, guess, sample_weight=w),
    }
    got = {name: get_metric(name).score(y, guess[:, None], w) for name in expected}
    assert got == pytest.approx(expected, rel=1e-6)


def test_the_default_metrics_score_40000_rows_in_a_few_milliseconds() -> None:
    rng = np.random.default_rng(4)
    y, p = rng.integers(0, 2, 40_000), rng.random(40_000).astype(np.float32)
    y_pred = np.stack((1 - p, p), axis=1)
    for name in ("roc_auc", "log_loss", "accuracy"):
        seconds = []
        for _ in range(5):
            started = time.perf_counter()
            get_metric(name).score(y, y_pred)
            seconds.append(time.perf_counter() - started)
        assert min(seconds) < 0.02, name


def test_auto_is_the_default_of_the_task() -> None:
    assert resolve_metric("auto", TaskKind.BINARY) == "roc_auc"
    assert resolve_metric("auto", TaskKind.MULTICLASS) == "log_loss"
    assert resolve_metric("auto", TaskKind.REGRESSION) == "rmse"


def test_a_metric_of_another_task_is_refused_with_those_that_fit() -> None:
    with pytest.raises(UsageError, match="'rmse' is not defined for binary") as caught:
        resolve_metric("rmse", TaskKind.BINARY)
    assert "roc_auc" in caught.value.hint and "mae" not in caught.value.hint


def test_a_misspelt_metric_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="Unknown metric 'roc_uac'") as caught:
        resolve_metric("roc_uac", TaskKind.BINARY)
    assert caught.value.hint == "Did you mean 'roc_auc'?"


def test_the_spread_of_influences_is_the_error_of_the_area() -> None:
    """Held against the scores of many samples of one world; row losses alone would say half of it."""
    rng = np.random.default_rng(0)
    areas, errors = [], []
    for _ in range(400):
        y = (rng.random(200) < 0.3).astype(np.int64)
        score = 1 / (1 + np.exp(-(0.8 * y + rng.normal(size=200))))
        outputs = np.column_stack([1 - score, score]).astype(np.float32)
        influences = get_metric("roc_auc").row_influences(y, outputs)
        areas.append(get_metric("roc_auc").score(y, outputs))
        errors.append(influences.std(ddof=1) / np.sqrt(200))
        assert influences.mean() == pytest.approx(1 - areas[-1], abs=1e-6)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)
