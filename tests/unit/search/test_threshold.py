"""The probability from which on the second class is named."""

from __future__ import annotations

import numpy as np

from automl.metrics import get_metric
from automl.search.threshold import choose_threshold, find_threshold, move_threshold


def two_columns(positive: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - positive, positive]).astype(np.float32)


def make_rare(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One row in ten is positive; probabilities are calibrated and seldom reach a half."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    chance = 1 / (1 + np.exp(-(1.5 * x - 3)))
    return (rng.random(rows) < chance).astype(np.int64), chance


def test_f1_of_a_rare_class_gains_on_new_rows() -> None:
    metric = get_metric("f1")
    y, chance = make_rare(4000, 1)
    threshold = choose_threshold(metric, y, two_columns(chance))
    assert 0.15 < threshold < 0.4
    y_new, chance_new = make_rare(20_000, 2)
    moved = metric.score(y_new, move_threshold(two_columns(chance_new), threshold))
    assert moved > metric.score(y_new, two_columns(chance_new)) + 0.05


def test_probabilities_without_information_leave_it_at_a_half() -> None:
    rng = np.random.default_rng(3)
    found = [
        choose_threshold(get_metric("accuracy"), rng.integers(0, 2, 400), two_columns(rng.uniform(0.3, 0.7, 400)))
        for _ in range(20)
    ]
    assert sum(threshold == 0.5 for threshold in found) >= 8


def test_models_are_held_against_each_other_at_thresholds_of_their_own_only_where_the_metric_hangs_on_them() -> None:
    y, chance = make_rare(4000, 1)
    assert 0.15 < find_threshold(get_metric("f1"), y, two_columns(chance)) < 0.4
    for name in ("accuracy", "roc_auc", "log_loss"):
        assert find_threshold(get_metric(name), y, two_columns(chance)) == 0.5
    assert find_threshold(get_metric("f1"), y[:40], two_columns(chance[:40])) == 0.5  # too few to tell
    chance[7] = np.nan
    assert find_threshold(get_metric("f1"), y, two_columns(chance)) == 0.5


def test_metrics_of_ranks_and_probabilities_have_no_threshold() -> None:
    y, chance = make_rare(500, 4)
    assert choose_threshold(get_metric("roc_auc"), y, two_columns(chance)) == 0.5
    assert choose_threshold(get_metric("log_loss"), y, two_columns(chance)) == 0.5


def test_a_moved_probability_is_above_a_half_exactly_where_the_old_one_reaches_the_threshold() -> None:
    positive = np.array([0.0, 0.1, np.nextafter(np.float32(0.2), 0), 0.2, 0.21, 0.5, 1.0], dtype=np.float32)
    threshold = float(np.float32(0.2))
    moved = move_threshold(np.column_stack([1 - positive, positive]), threshold)
    np.testing.assert_array_equal(moved[:, 1] >= 0.5, positive >= threshold)
    assert moved[0, 1] == 0
    assert moved[-1, 1] == 1
    assert (np.diff(moved[:, 1]) >= 0).all()


def test_a_class_of_two_in_a_thousand_is_reached_as_well() -> None:
    """The best threshold names about as many rows as there are positives, far fewer than a step of an even grid."""
    rng = np.random.default_rng(6)
    y = (rng.random(40_000) < 0.002).astype(np.int64)
    score = two_columns(1 / (1 + np.exp(-(rng.normal(size=40_000) + 5.0 * y - 6))))
    metric = get_metric("f1")
    best = max(metric.score(y, move_threshold(score, place)) for place in np.linspace(0.01, 0.9, 300))
    assert metric.score(y, move_threshold(score, choose_threshold(metric, y, score))) > best - 0.03
    assert metric.score(y, move_threshold(score, find_threshold(metric, y, score))) > best - 0.06  # in fewer steps
    frequent, mirrored = 1 - y, score[:, ::-1]
    assert find_threshold(get_metric("mcc"), frequent, mirrored) > 0.5


def test_rows_that_weigh_nothing_have_no_threshold_of_their_own() -> None:
    y, chance = make_rare(400, 1)
    assert find_threshold(get_metric("f1"), y, two_columns(chance), np.zeros(400)) == 0.5
