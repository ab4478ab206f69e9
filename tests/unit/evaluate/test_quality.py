"""Figures beside the score, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from automl.evaluate.quality import (
    BETTER_Z,
    compare_rows,
    correct_claims,
    correct_metrics,
    describe_calibration,
    describe_classes,
    describe_residuals,
    find_majority,
    make_constant,
    score_all,
)
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric, registry
from automl.task import Task, TaskKind

BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"), metric="roc_auc", maximize=True)
MULTICLASS = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"), metric="log_loss")
REGRESSION = Task(kind=TaskKind.REGRESSION, target="y", metric="rmse")


def two_columns(*positive: float) -> FloatArray:
    p = np.array(positive, dtype=np.float32)
    return np.column_stack([1 - p, p])


def make_case(task: Task, rows: int, seed: int = 0) -> tuple[Array, FloatArray]:
    rng = np.random.default_rng(seed)
    if task is REGRESSION:
        values = rng.uniform(1, 9, rows)
        return values, (values + rng.normal(0, 1, rows)).astype(np.float32)[:, None]
    y = np.arange(rows) % task.n_classes
    raised = np.exp(rng.normal(0, 1, (rows, task.n_classes)) + 1.5 * np.eye(task.n_classes)[y])
    return y, (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION], ids=lambda task: str(task.kind))
@pytest.mark.parametrize("weighted", [False, True])
def test_every_metric_of_the_task_is_there_with_an_interval_around_it(task: Task, weighted: bool) -> None:
    y, outputs = make_case(task, 300)
    weight = np.random.default_rng(1).uniform(0.5, 1.5, 300) if weighted else None
    found = score_all(task, y, outputs, weight, seed=2)
    assert set(found) == {name for name in registry.names() if task.kind in get_metric(name).kinds}
    for name, figure in found.items():
        value, low, high = figure["value"], figure["low"], figure["high"]
        assert value == get_metric(name).score(y, outputs, weight)
        assert low is not None and high is not None and value is not None
        assert low < value < high
    assert score_all(task, y, outputs, weight, seed=2) == found


def test_a_metric_that_is_not_defined_has_no_value() -> None:
    found = score_all(BINARY, np.zeros(20, dtype=np.int64), two_columns(*np.linspace(0, 1, 20)))
    assert found["roc_auc"] == {"value": None, "low": None, "high": None}
    assert found["accuracy"]["value"] == 0.5


def test_one_row_has_a_value_and_no_spread() -> None:
    found = score_all(REGRESSION, np.array([2.0]), np.array([[5.0]], dtype=np.float32))
    assert found["mae"] == {"value": 3.0, "low": 3.0, "high": 3.0}


def test_no_rows_have_no_values() -> None:
    found = score_all(REGRESSION, np.zeros(0), np.zeros((0, 1), dtype=np.float32))
    assert {figure["value"] for figure in found.values()} == {None}


def test_rows_of_one_group_are_drawn_together() -> None:
    """Each of 60 answers stands five times: the interval is that of the 60, 2.2 times as wide as of 300."""
    y, outputs = make_case(REGRESSION, 60)
    five = score_all(REGRESSION, np.repeat(y, 5), np.repeat(outputs, 5, axis=0), units=np.repeat(np.arange(60), 5))
    once, blind = (
        score_all(REGRESSION, y, outputs),
        score_all(REGRESSION, np.repeat(y, 5), np.repeat(outputs, 5, axis=0)),
    )
    widths = [each["mae"]["high"] - each["mae"]["low"] for each in (five, once, blind)]  # type: ignore[operator]
    assert widths[0] / widths[1] == pytest.approx(1, rel=0.3)
    assert widths[0] / widths[2] > 1.6


def test_a_model_unlike_its_target_is_not_better_because_its_rows_come_in_groups() -> None:
    rng = np.random.default_rng(2)
    metric, claims = get_metric("rmse"), 0
    for _ in range(100):
        units = np.repeat(np.arange(40), 50)
        y, answer = (rng.normal(size=40)[units] for _ in range(2))
        one, other = (0.3 * answer)[:, None], np.zeros((2000, 1))
        claims += compare_rows(metric, y, one, other, units=units) < BETTER_Z
    assert claims <= 3


def test_a_claim_counts_rows_by_their_weight() -> None:
    """Right in 90 rows that count for little, wrong in ten that count for much."""
    y = np.zeros(100)
    good = np.where(np.arange(100) < 90, 0.1, 9.0)[:, None] * np.linspace(0.9, 1.1, 100)[:, None]
    constant = np.full((100, 1), 4.0)
    weight = np.where(np.arange(100) < 90, 0.01, 9.91)
    metric = get_metric("mae")
    assert compare_rows(metric, y, good, constant) < BETTER_Z
    assert compare_rows(metric, y, good, constant, weight=weight) > 0


def test_a_model_that_ranks_every_row_right_is_better_than_a_constant() -> None:
    """All rows gain the same, so that what they vary by tells nothing of the error."""
    metric, y = get_metric("roc_auc"), np.arange(100) % 2
    right, constant = np.stack([1 - y, y], axis=1).astype(np.float64), np.full((100, 2), 0.5)
    assert compare_rows(metric, y, right, constant) == pytest.approx(-np.sqrt(99))
    assert compare_rows(metric, y, constant, right) == pytest.approx(np.sqrt(99))
    assert compare_rows(metric, y, right, right) == 0
    assert compare_rows(metric, y[:3], right[:3], constant[:3]) > BETTER_Z  # so few rows say nothing
    some = np.flatnonzero(np.arange(100) % 10 < 3)  # of classes that are not of one size, sums are rounded
    assert compare_rows(metric, y[some], right[some], constant[some]) == pytest.approx(-np.sqrt(29))
    units = np.arange(100) // 10
    assert compare_rows(metric, y, right, constant, units=units) == pytest.approx(-3)


def test_a_claim_is_taken_back_where_the_score_is_no_better() -> None:
    record = {
        "raw_score": 2.21, "optimism": 0.0, "maximize": False, "better_than_constant": True,
        "baselines": {"constant": {"score": 0.97, "z": -5.0}},
    }  # fmt: skip
    assert correct_claims(record)["better_than_constant"] is False


def test_metrics_are_shown_without_what_having_been_chosen_adds() -> None:
    record = {
        "metric": "roc_auc", "score": 0.84, "low": 0.82, "high": 0.86,
        "optimism_by_metric": {"roc_auc": 0.01, "accuracy": 0.02, "log_loss": 0.1},
        "metrics": {
            "roc_auc": {"value": 0.85, "low": 0.84, "high": 0.86},
            "accuracy": {"value": 1.0, "low": 0.96, "high": 1.0},
            "log_loss": {"value": 0.3, "low": 0.25, "high": 0.35},
            "mcc": {"value": None, "low": None, "high": None},
        },
    }  # fmt: skip
    found = correct_metrics(record)["metrics"]
    assert found["roc_auc"] == {"value": 0.84, "low": 0.82, "high": 0.86}  # the headline and nothing else
    assert (found["accuracy"]["value"], found["log_loss"]["value"]) == (0.98, 0.4)
    assert found["accuracy"]["low"] < 0.94 and found["accuracy"]["high"] == 1.0
    assert found["log_loss"]["low"] < 0.35 and found["log_loss"]["high"] > 0.45
    assert found["mcc"] == {"value": None, "low": None, "high": None}


def test_metrics_stay_as_they_were_measured_where_the_flattery_is_not_known() -> None:
    metrics = {"accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}
    record = {"metric": "accuracy", "score": 0.9, "low": None, "high": None, "metrics": metrics}
    assert correct_metrics({**record, "optimism_by_metric": {}})["metrics"] == metrics


def test_of_a_metric_whose_flattery_is_not_known_the_interval_alone_is_made_wider() -> None:
    record = {
        "metric": "accuracy", "score": 0.9, "low": 0.8, "high": 1.0,
        "optimism_by_metric": {"accuracy": None, "roc_auc": None},
        "metrics": {
            "accuracy": {"value": 0.9, "low": 0.82, "high": 0.98},
            "roc_auc": {"value": 0.8, "low": 0.7, "high": 0.9},
        },
    }  # fmt: skip
    found = correct_metrics(record)["metrics"]
    assert found["accuracy"] == {"value": 0.9, "low": 0.8, "high": 1.0}
    assert found["roc_auc"] == pytest.approx({"value": 0.8, "low": 0.69, "high": 0.91})


def test_intervals_are_as_wide_as_the_error_of_a_mean() -> None:
    """±1.96 s / √400 of the absolute errors, on average over 20 tables."""
    found = []
    for seed in range(20):
        y, outputs = make_case(REGRESSION, 400, seed)
        figure = score_all(REGRESSION, y, outputs, seed=seed)["mae"]
        assert figure["low"] is not None and figure["high"] is not None
        error = np.abs(y - outputs[:, 0]).std(ddof=1) / 20
        found.append((figure["high"] - figure["low"]) / (2 * 1.96 * error))
    assert np.mean(found) == pytest.approx(1.0, abs=0.06)


def test_intervals_of_very_many_rows_are_scaled_from_a_sample() -> None:
    """16 times the rows, a quarter of the width."""
    widths = []
    for rows in (1_000, 16_000):
        figure = score_all(REGRESSION, *make_case(REGRESSION, rows))["mae"]
        assert figure["low"] is not None and figure["high"] is not None
        widths.append(figure["high"] - figure["low"])
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.35)


def test_figures_of_two_classes_worked_by_hand() -> None:
    """Of 4 rows called yes 3 are; of 4 that are yes 3 were called so."""
    y = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])
    found = describe_classes(BINARY, y, two_columns(0.9, 0.8, 0.5, 0.6, 0.4, 0.1, 0.1, 0.2, 0.3, 0.0))
    assert found["confusion"] == [[5, 1], [1, 3]]
    no, yes = found["classes"]
    assert (yes["label"], yes["rows"]) == ("yes", 4)
    assert (yes["precision"], yes["recall"], yes["f1"]) == (0.75, 0.75, pytest.approx(0.75))
    assert (no["precision"], no["recall"], no["rows"]) == (5 / 6, 5 / 6, 6)


def test_a_class_that_is_never_right_has_zeros_and_one_that_is_never_there_has_no_recall() -> None:
    y = np.array([0, 0, 1, 1])
    found = describe_classes(MULTICLASS, y, np.eye(3, dtype=np.float32)[[0, 0, 0, 2]])
    assert found["confusion"] == [[2, 0, 0], [1, 0, 1], [0, 0, 0]]
    assert [figures["rows"] for figures in found["classes"]] == [2, 2, 0]
    assert found["classes"][1] == {"label": "b", "rows": 2, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert found["classes"][2] == {"label": "c", "rows": 0, "precision": 0.0, "recall": None, "f1": None}


def test_the_commonest_class_is_that_of_the_most_weight() -> None:
    """Nine rows of "no" that count once each, and one of "yes" that counts for 27."""
    y = np.array([0] * 9 + [1])
    assert find_majority(BINARY, y) == {"label": "no", "share": 0.9}
    assert find_majority(BINARY, y, np.where(y == 1, 27.0, 1.0)) == {"label": "yes", "share": 0.75}


def test_calibration_worked_by_hand() -> None:
    """20 rows in ten bins of two: 0.05 and 0.05, …; each bin off by what is told minus what happened."""
    probability = np.repeat(np.arange(10) / 10 + 0.05, 2)
    happened = np.array([0, 0] * 5 + [1, 1] * 5, dtype=bool)
    points, error = describe_calibration(probability, happened)
    assert [point["rows"] for point in points] == [2] * 10
    assert [point["predicted"] for point in points] == pytest.approx([0.05 + at / 10 for at in range(10)])
    assert [point["observed"] for point in points] == [0.0] * 5 + [1.0] * 5
    assert error == pytest.approx(0.25)  # (0.05 + 0.15 + 0.25 + 0.35 + 0.45) · 2 / 10


def test_calibration_does_not_depend_on_the_order_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    probability = rng.permutation(np.linspace(0, 1, 97))
    happened = rng.random(97) < probability
    order = rng.permutation(97)
    assert describe_calibration(probability, happened) == describe_calibration(probability[order], happened[order])


def test_probabilities_that_come_true_have_a_small_error_and_others_a_large_one() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(20_000)
    happened = rng.random(20_000) < probability
    assert describe_calibration(probability, happened)[1] < 0.02
    assert describe_calibration(1 - probability, happened)[1] > 0.4


def test_few_rows_have_fewer_bins_and_none_has_none() -> None:
    points, error = describe_calibration(np.array([0.2, 0.9]), np.array([False, True]))
    assert [point["rows"] for point in points] == [1, 1]
    assert error == pytest.approx(0.15)
    assert describe_calibration(np.zeros(0), np.zeros(0, dtype=bool)) == ([], 0.0)


def test_several_classes_are_calibrated_by_how_sure_the_decision_is() -> None:
    outputs = np.array([[0.6, 0.3, 0.1]] * 10, dtype=np.float32)
    found = describe_classes(MULTICLASS, np.array([0] * 6 + [1] * 4), outputs)
    assert found["calibration_error"] == pytest.approx(sum(abs(0.6 - right) for right in [1] * 6 + [0] * 4) / 10)


def test_residuals_are_true_minus_predicted() -> None:
    found = describe_residuals(np.arange(101.0), np.zeros((101, 1), dtype=np.float32))
    assert found["quantiles"] == {"5": 5.0, "25": 25.0, "50": 50.0, "75": 75.0, "95": 95.0}
    assert sum(found["histogram"]["counts"]) == 101
    assert len(found["histogram"]["edges"]) == len(found["histogram"]["counts"]) + 1


def test_constants_of_folds_are_one_constant_and_rank_nothing() -> None:
    folds = np.array([[0.4, 0.6], [0.4, 0.6], [0.6, 0.4], [0.6, 0.4]], dtype=np.float32)
    one = make_constant(folds)
    np.testing.assert_allclose(one, np.full((4, 2), 0.5))
    assert get_metric("roc_auc").score(np.array([0, 0, 1, 1]), folds) == 0.0  # backwards, as in every small table
    assert get_metric("roc_auc").score(np.array([0, 0, 1, 1]), one) == 0.5


@pytest.mark.parametrize(
    ("raw", "optimism", "z", "expected"),
    [
        (0.60, 0.00, -3.0, True),  # nothing to correct
        (0.60, 0.02, -4.0, True),  # z is -3.2 after a fifth of the gain is gone
        (0.60, 0.02, -3.0, False),  # z is -2.4: among pairs that count twice that is no rarity
        (0.60, 0.05, -4.0, False),  # z is -2 after half of it is gone
        (0.60, 0.20, -9.0, False),  # all of it was luck
        (0.60, None, -3.0, True),  # not known: the plain test stands
        (0.60, 0.05, -1.0, False),
    ],
)
def test_a_claim_is_corrected_for_having_been_chosen(
    raw: float, optimism: float | None, z: float, expected: bool
) -> None:
    record = {
        "maximize": True, "raw_score": raw, "optimism": optimism, "better_than_constant": z < -1.96,
        "baselines": {"constant": {"score": 0.5, "z": z}},
    }  # fmt: skip
    assert correct_claims(record)["better_than_constant"] is expected
