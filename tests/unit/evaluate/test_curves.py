"""Curves of four rows that can be drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from automl.evaluate.curves import (
    MOST_POINTS,
    count_thresholds,
    describe_curves,
    find_confused,
    gain_curve,
    precision_recall_curve,
    roc_curve,
)
from automl.metrics import get_metric
from automl.task import Task, TaskKind

HAPPENED = np.array([True, False, True, False])
SCORE = np.array([0.9, 0.6, 0.4, 0.1])
COLORS = Task(
    kind=TaskKind.MULTICLASS,
    target="color",
    classes=("red", "green", "blue"),
    metric="log_loss",
    maximize=False,
    label_type="str",
    reason="",
)


def test_roc_goes_up_for_a_hit_and_right_for_an_alarm() -> None:
    curve = roc_curve(HAPPENED, SCORE)
    assert curve["fpr"] == [0.0, 0.0, 0.5, 0.5, 1.0]
    assert curve["tpr"] == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert curve["auc"] == 0.75


def test_rows_of_one_score_are_one_step() -> None:
    curve = roc_curve(HAPPENED, np.array([0.9, 0.5, 0.5, 0.1]))
    assert (curve["fpr"], curve["tpr"]) == ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])
    assert curve["auc"] == 0.875


def test_precision_and_recall() -> None:
    curve = precision_recall_curve(HAPPENED, SCORE)
    assert curve["recall"] == [0.5, 0.5, 1.0, 1.0]
    assert curve["precision"] == [1.0, 0.5, 0.66667, 0.5]
    assert curve["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert curve["base_rate"] == 0.5


def test_a_long_curve_is_thinned_and_its_area_is_not() -> None:
    rng = np.random.default_rng(0)
    happened = rng.random(5_000) < 0.3
    score = np.clip(0.4 * happened + rng.random(5_000) * 0.8, 0, 1)
    curve = roc_curve(happened, score)
    assert len(curve["fpr"]) <= MOST_POINTS + 2
    assert (curve["fpr"][0], curve["tpr"][0], curve["fpr"][-1], curve["tpr"][-1]) == (0.0, 0.0, 1.0, 1.0)
    both = np.column_stack([1 - score, score]).astype(np.float32)
    assert curve["auc"] == pytest.approx(get_metric("roc_auc").score(happened.astype(np.int64), both), abs=1e-4)


def test_gain_counts_what_the_likeliest_rows_hold() -> None:
    curve = gain_curve(np.array([True] * 5 + [False] * 15), np.linspace(1, 0, 20))
    assert curve["share"][:3] == [0.0, 0.05, 0.1]
    assert curve["found"][:7] == [0, 1, 2, 3, 4, 5, 5]
    assert curve["gain"][4] == 0.8


def test_thresholds_count_from_the_probability_on() -> None:
    figures = count_thresholds(HAPPENED, SCORE.astype(np.float32).astype(np.float64))
    at = dict(zip(figures["threshold"], zip(figures["hits"], figures["alarms"], strict=True), strict=True))
    assert (at[0.1], at[0.11], at[0.4], at[0.41], at[0.6], at[0.9], at[0.91]) == (
        (2, 2), (2, 1), (2, 1), (1, 1), (1, 1), (1, 0), (0, 0),
    )  # fmt: skip
    assert (figures["positives"], figures["negatives"]) == (2, 2)


def test_classes_taken_for_each_other_are_found() -> None:
    y = np.repeat([0, 1, 2], 40)
    decided = y.copy()
    decided[:16] = 1  # 40% of red
    decided[80:85] = 0  # 12.5% of blue
    assert find_confused(COLORS, y, decided) == [{"true": "red", "taken_for": "green", "rows": 16, "share": 0.4}]


def test_several_classes_have_a_curve_each_and_no_threshold() -> None:
    y = np.array([0, 1, 2] * 20)
    outputs = np.full((60, 3), 0.2, dtype=np.float32)
    outputs[np.arange(60), y] = 0.6
    found = describe_curves(COLORS, y, outputs, outputs)
    assert [(curve["label"], curve["auc"]) for curve in found["roc"]] == [("red", 1.0), ("green", 1.0), ("blue", 1.0)]
    assert found["calibration_before"] is None
    assert "thresholds" not in found
