"""The race: whether a first fold deserves the others, by a test worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.matrix import FloatArray
from automl.metrics import get_metric
from automl.search.racing import FEW_ROWS_Z, Race, Reference, judge_folds, paired_z, standard_score
from automl.search.trial import run_fold
from tests.unit.search.runs import store_run

MAE = get_metric("mae")
ACCURACY = get_metric("accuracy")
LOG_LOSS = get_metric("log_loss")
ROC_AUC = get_metric("roc_auc")


def values(*numbers: float) -> FloatArray:
    return np.array(numbers, dtype=np.float32)[:, None]


def chances(positive: np.ndarray) -> FloatArray:
    return np.column_stack([1 - positive, positive]).astype(np.float32)


def noisy(y: np.ndarray, noise: float, seed: int) -> FloatArray:
    """Predictions of y with an independent error."""
    return (y + np.random.default_rng(seed).normal(0, noise, len(y))).astype(np.float32)[:, None]


def test_the_standard_score_of_a_paired_difference_worked_by_hand() -> None:
    """Errors 2 1 2 3 against 1 1 1 1: differences 1 0 1 2, mean 1, deviation √(2/3), so z = 1 / (√(2/3) / 2) = √6."""
    y = np.zeros(4)
    one, other = values(2, 1, -2, 3), values(1, -1, 1, 1)
    assert paired_z(MAE, y, one, other) == pytest.approx(6**0.5)
    assert paired_z(MAE, y, other, one) == pytest.approx(-(6**0.5))


def test_a_metric_to_be_maximized_is_positive_for_the_worse_too() -> None:
    """The first is wrong in rows 0 and 1, the second in none: differences 1 1 0 0, z = ½ / (√⅓ / 2) = √3."""
    y = np.array([0, 0, 0, 0])
    wrong_twice, right = chances(np.array([0.9, 0.9, 0.1, 0.1])), chances(np.full(4, 0.1))
    assert paired_z(ACCURACY, y, wrong_twice, right) == pytest.approx(3**0.5)


def test_equal_predictions_do_not_differ() -> None:
    assert paired_z(MAE, np.arange(5.0), values(1, 2, 3, 4, 5), values(1, 2, 3, 4, 5)) == 0.0


def test_one_row_tells_nothing() -> None:
    assert paired_z(MAE, np.zeros(1), values(9), values(0)) == 0.0


def test_what_has_no_row_losses_has_no_standard_score() -> None:
    outputs = chances(np.array([0.1, 0.9, 0.3]))
    assert np.isnan(paired_z(ROC_AUC, np.zeros(3, dtype=np.int64), outputs, outputs))


def test_the_better_and_the_equal_go_on() -> None:
    y = np.linspace(-2, 2, 200)
    for noise in (0.5, 1.0):
        verdict = judge_folds(MAE, y, noisy(y, noise, 1), noisy(y, 1.0, 2), None, None)
        assert verdict.promote
        assert verdict.reason.startswith("not worse than the best so far (z ")


def test_what_is_a_little_worse_on_few_rows_goes_on() -> None:
    y = np.zeros(4)
    verdict = judge_folds(MAE, y, values(3, 0, 2, 1), values(1, 1, 1, 2), None, None)
    assert verdict.promote  # differences 2 -1 1 -1: z = 0.25 / (1.5 / 2) = 0.33
    assert verdict.reason == "not worse than the best so far (z +0.3)"


def test_what_is_clearly_worse_and_adds_nothing_is_given_up() -> None:
    y = np.linspace(-2, 2, 400)
    best = noisy(y, 0.1, 1)
    verdict = judge_folds(MAE, y, best + noisy(np.zeros(400), 2.0, 2), best, None, None)
    assert not verdict.promote
    assert verdict.reason.startswith("worse than the best on 400 rows (z +")
    assert verdict.reason.endswith(") and no gain to the blend")


def test_what_is_worse_alone_but_errs_elsewhere_goes_on() -> None:
    """Independent errors of 1 and 1.4: half of each errs by √(1 + 1.96) / 2 = 0.86."""
    y = np.linspace(-2, 2, 800)
    verdict = judge_folds(MAE, y, noisy(y, 1.4, 1), noisy(y, 1.0, 2), None, None)
    assert verdict.promote
    assert verdict.reason.endswith("but the blend gains from it")


def test_the_gain_is_asked_of_the_blend_where_there_is_one() -> None:
    """The same two models, but a blend that is already without error cannot gain."""
    y = np.linspace(-2, 2, 800)
    perfect = Reference.make(MAE, y, y.astype(np.float32)[:, None], None)
    assert not judge_folds(MAE, y, noisy(y, 1.4, 1), noisy(y, 1.0, 2), perfect, None).promote


def test_a_metric_to_be_maximized_is_raced_the_same_way() -> None:
    y = np.arange(400) % 2
    sure, unsure = chances(np.where(y, 0.9, 0.1)), chances(np.where(np.arange(400) % 3, 0.9, 0.1))
    assert judge_folds(ACCURACY, y, sure, unsure, None, None).promote
    assert not judge_folds(ACCURACY, y, unsure, sure, None, None).promote


def test_weights_decide_which_rows_a_configuration_has_to_be_right_in() -> None:
    """The new model is right where the best is wrong, in rows that count for nothing or for much."""
    y = np.array([1] * 100)
    best = chances(np.where(np.arange(100) < 15, 0.3, 0.9))
    new = chances(np.where(np.arange(100) < 15, 0.9, 0.3))
    much = np.where(np.arange(100) < 15, 6.0, 0.1)
    none = np.where(np.arange(100) < 15, 0.0, 1.0)
    assert paired_z(LOG_LOSS, y, new, best) > 1.5
    assert not judge_folds(LOG_LOSS, y, new, best, None, none).promote
    assert paired_z(LOG_LOSS, y, new, best, weight=much) < -1.5
    assert judge_folds(LOG_LOSS, y, new, best, None, much).promote


def test_rows_of_one_group_count_together() -> None:
    """Eight groups of 50 rows with one error each are eight draws, not four hundred."""
    rng = np.random.default_rng(5)
    units = np.repeat(np.arange(8), 50)
    difference = rng.normal(size=8)[units]
    alone = standard_score(difference[::50])
    assert standard_score(difference, units=units) == pytest.approx(alone)
    assert abs(standard_score(difference)) > 5 * abs(alone)
    assert standard_score(difference, units=3 * units + 7) == pytest.approx(alone)  # numbers may be left out
    each = np.arange(400)
    noise = rng.normal(size=400)
    assert standard_score(noise, units=each) == pytest.approx(standard_score(noise))


def test_a_standard_score_is_that_of_the_weighted_mean() -> None:
    """A weight of two counts like the row twice, of zero like none; the error of so many rows is a little smaller."""
    rng = np.random.default_rng(6)
    difference = rng.normal(0.1, 1.0, 500)
    weight = rng.integers(0, 3, 500).astype(np.float64)
    twice = np.repeat(difference, weight.astype(int))
    z = standard_score(difference, weight)
    assert 0.6 * standard_score(twice) < z < standard_score(twice)
    assert standard_score(difference, np.ones(500)) == pytest.approx(standard_score(difference))
    assert standard_score(difference, np.zeros(500)) == pytest.approx(standard_score(difference))


def test_a_first_fold_with_one_class_cannot_be_judged_and_goes_on() -> None:
    """Otherwise nothing after the first configuration would ever be completed."""
    y = np.zeros(50, dtype=np.int64)
    outputs = chances(np.linspace(0.1, 0.9, 50))
    verdict = judge_folds(ROC_AUC, y, outputs, outputs[::-1], None, None)
    assert verdict.promote
    assert verdict.reason == "its folds have no score yet"


def test_on_few_rows_folds_decide_together_and_the_more_strictly_the_fewer_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(250, 2)), columns=["a", "b"])
    frame["y"] = np.where(frame.a * frame.b > 0, "yes", "no")  # no line tells it, trees do
    stored = store_run(tmp_path / "run", frame, "y", split={"folds": 10})
    trees, line = stored.spec(1, "decision_tree"), stored.spec(2, "linear")
    oofs, _ = stored.complete(trees)
    race = Race(stored.run, stored.data, oofs, wanted=True)
    for fold in range(6):
        run_fold(stored.payload(line, fold))

    assert not race.is_worth(line)
    assert not race.is_told_by(line, [0])  # 25 rows
    assert race.is_told_by(line, [0, 1])
    assert not race.judge(line.number, None, range(6)).promote
    assert race.judge(trees.number, None, range(6)).promote
    assert race.score(line.number, range(6)) < race.score(trees.number, range(6)) - 0.2
    alone = Race(stored.run, stored.data, oofs, wanted=False)
    assert not alone.is_told_by(line, range(6))


@pytest.mark.parametrize(("rows", "is_given_up"), [(40, False), (150, True), (300, True)])
def test_what_is_enough_on_many_rows_is_not_on_few(rows: int, is_given_up: bool) -> None:
    """The same share of rows is wrong; z grows with the root of the rows, and what is asked falls."""
    y = np.zeros(rows, dtype=np.int64)
    wrong = np.where(np.arange(rows) % 20 < 1, 0.9, 0.1)
    verdict = judge_folds(ACCURACY, y, chances(wrong), chances(np.full(rows, 0.1)), None, None, worse_z=needed(rows))
    assert verdict.promote is not is_given_up


def needed(rows: int) -> float:
    return next(z for least, z in FEW_ROWS_Z if rows >= least)
