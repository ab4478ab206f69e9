"""The corrected score, held against the truth that only a simulation knows."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.ensemble.selection import blend_outputs, select_ensemble
from automl.evaluate import honest
from automl.evaluate.evidence import Evidence, count_effective, resample
from automl.evaluate.honest import correct_score, interval_from, widen
from automl.matrix import Array, FloatArray
from automl.metrics import Metric, get_metric, metrics_of
from automl.search.data import SearchData
from automl.search.threshold import choose_threshold, move_threshold
from automl.task import Task, TaskKind

BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"), metric="accuracy", maximize=True)
REGRESSION = Task(kind=TaskKind.REGRESSION, target="y", metric="mae")


def make_evidence(
    task: Task, y: Array, outputs: dict[int, FloatArray], *, max_members: int = 1, units: Array | None = None
) -> Evidence:
    """What a search would leave that tried these models and deployed the best choice of them."""
    metric: Metric = get_metric(task.metric)
    weights = select_ensemble(outputs, y, metric, rounds=10, max_members=max_members).weights
    data = SearchData.__new__(SearchData)
    data.task = task
    return Evidence(
        data=data, metric=metric, results={}, outputs=outputs, choices=outputs, weights=weights,
        blend=blend_outputs(outputs, weights), y=y, weight=None, units=units, rows=np.arange(len(y)),
    )  # fmt: skip


def correct(evidence: Evidence, bootstraps: int | None = 40, max_members: int = 1, **options: Any) -> Any:
    asked = {"seed": 3, "seconds": None, "rounds": 10, "max_members": max_members, "bootstraps": bootstraps, **options}
    return correct_score(evidence, **asked)


def equal_classifiers(models: int, rows: int, right: float, seed: int) -> tuple[Array, dict[int, FloatArray]]:
    """Models that each decide a row rightly with the same chance, each on its own."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(rows) % 2)
    outputs = {}
    for trial in range(models):
        decided = np.where(rng.random(rows) < right, y, 1 - y)
        positive = np.where(decided, 0.9, 0.1)
        outputs[trial] = np.column_stack([1 - positive, positive]).astype(np.float32)
    return y, outputs


def test_the_best_of_many_equal_models_is_no_better_than_any_of_them() -> None:
    """30 models that are each right in 70% of the rows: the best of them seems to be right in about 78% of 150."""
    raw, corrected, covered = [], [], []
    for seed in range(24):
        found = correct(make_evidence(BINARY, *equal_classifiers(30, 150, 0.7, seed)))
        raw.append(found.raw_score - 0.7)
        corrected.append(found.score - 0.7)
        covered.append(found.low <= 0.7 <= found.high)
        assert found.optimism == pytest.approx(found.raw_score - found.score)
        assert found.bootstraps == 40
    assert np.mean(raw) > 0.06
    assert abs(np.mean(corrected)) < 0.25 * np.mean(raw)
    assert np.mean(np.abs(corrected)) < 0.5 * np.mean(np.abs(raw))
    assert np.mean(covered) >= 0.8


def test_an_error_to_be_minimized_is_corrected_upwards() -> None:
    """20 models with errors of ±1 or ±3 in equal shares, all of them worth a mean absolute error of 2."""
    raw, corrected = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=80)
        outputs = {trial: (y + rng.choice([-3, -1, 1, 3], 80)).astype(np.float32)[:, None] for trial in range(20)}
        found = correct(make_evidence(REGRESSION, y, outputs))
        assert found.optimism >= 0
        assert found.score >= found.raw_score
        raw.append(found.raw_score)
        corrected.append(found.score)
    assert np.mean(raw) < 1.85
    assert np.mean(corrected) == pytest.approx(2.0, abs=0.05)


def test_the_choice_of_an_ensemble_is_corrected_as_well() -> None:
    """Useless models of a balanced coin: whatever is put together of them is right in half of the rows."""
    raw, corrected = [], []
    for seed in range(12):
        evidence = make_evidence(BINARY, *equal_classifiers(12, 120, 0.5, seed), max_members=6)
        found = correct(evidence, max_members=6, bootstraps=30)
        raw.append(found.raw_score)
        corrected.append(found.score)
    assert np.mean(raw) > 0.56
    assert abs(np.mean(corrected) - 0.5) < 0.35 * abs(np.mean(raw) - 0.5)


def test_every_other_metric_is_corrected_as_the_chosen_one_is() -> None:
    """Of 30 models that are each right in 70% of the rows, chosen by accuracy, F1 is flattered as accuracy is."""
    raw, corrected = [], []
    for seed in range(12):
        evidence = make_evidence(BINARY, *equal_classifiers(30, 150, 0.7, seed))
        found = correct(evidence)
        assert found.optimism_by_metric["accuracy"] == found.optimism
        assert set(found.optimism_by_metric) == set(metrics_of(TaskKind.BINARY))
        assert all(optimism >= 0 for optimism in found.optimism_by_metric.values())
        raw.append(get_metric("f1").score(evidence.y, evidence.blend) - 0.7)
        corrected.append(raw[-1] - found.optimism_by_metric["f1"])
    assert np.mean(raw) > 0.06
    assert abs(np.mean(corrected)) < 0.25 * np.mean(raw)


def test_of_many_rows_other_metrics_are_compared_on_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.evaluate.honest.BESIDE_ROWS", 50)
    whole = correct(make_evidence(BINARY, *equal_classifiers(30, 400, 0.7, 1)))
    monkeypatch.undo()
    assert whole.optimism == correct(make_evidence(BINARY, *equal_classifiers(30, 400, 0.7, 1))).optimism
    assert whole.optimism_by_metric["f1"] == pytest.approx(whole.optimism, abs=0.03)


def test_a_choice_that_is_clear_needs_no_correction() -> None:
    y, outputs = equal_classifiers(5, 400, 0.6, 1)
    _, better = equal_classifiers(1, 400, 0.9, 1)
    found = correct(make_evidence(BINARY, y, {**outputs, 9: better[0]}))
    assert found.optimism < 0.002
    assert found.low < 0.9 < found.high


def test_a_single_model_was_not_chosen_and_is_not_corrected() -> None:
    found = correct(make_evidence(BINARY, *equal_classifiers(1, 100, 0.7, 2)))
    assert found.optimism == 0
    assert found.score == found.raw_score
    assert found.low < found.score < found.high


def test_the_correction_never_makes_a_score_better() -> None:
    for seed in range(6):
        found = correct(make_evidence(BINARY, *equal_classifiers(3, 60, 0.7, seed)), bootstraps=5)
        assert found.score <= found.raw_score


def test_the_interval_is_as_wide_as_a_share_of_so_many_rows_makes_it() -> None:
    """One model, right in 70% of 400 rows: ±1.1 · 1.96 √(0.7 · 0.3 / 400) = ±0.049."""
    found = correct(make_evidence(BINARY, *equal_classifiers(1, 400, 0.7, 3)), bootstraps=400)
    assert (found.high - found.low) / 2 == pytest.approx(0.049, rel=0.12)


@pytest.mark.parametrize(
    ("interval", "center", "optimism", "maximize", "expected"),
    [
        ((0.7, 0.9), 0.8, 0.0, True, (0.69, 0.91)),
        ((0.98, 1.0), 0.99, 0.0, True, (0.979, 1.0)),  # nothing is better than perfect
        ((0.0, 0.2), 0.1, 0.0, False, (0.0, 0.21)),
        ((5.0, 5.0), 5.0, 0.0, False, (5.0, 5.0)),
        ((5.0, 5.0), 5.0, 2.0, False, (3.0, 7.0)),  # a correction by 2 is not known to a hair
        ((3.0, 7.0), 5.0, 1.65, False, (2.25, 7.75)),
    ],
)
def test_an_interval_is_wider_than_its_rows_say_by_a_tenth_and_by_what_the_choice_flatters(
    interval: tuple[float, float], center: float, optimism: float, maximize: bool, expected: tuple[float, float]
) -> None:
    assert widen(interval, center, optimism, maximize=maximize) == pytest.approx(expected)


def test_rows_that_belong_together_make_the_interval_wider() -> None:
    """Each row ten times over tells no more than once: the interval of 40 rows, not of 400."""
    y, outputs = equal_classifiers(1, 40, 0.7, 4)
    repeated = {trial: np.repeat(each, 10, axis=0) for trial, each in outputs.items()}
    apart = correct(make_evidence(BINARY, np.repeat(y, 10), repeated), bootstraps=300)
    together = correct(
        make_evidence(BINARY, np.repeat(y, 10), repeated, units=np.repeat(np.arange(40), 10)), bootstraps=300
    )
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_the_same_seed_gives_the_same_score() -> None:
    evidence = make_evidence(BINARY, *equal_classifiers(8, 100, 0.7, 5))
    assert correct(evidence, bootstraps=10) == correct(evidence, bootstraps=10)
    assert correct(evidence, bootstraps=10) != correct(evidence, bootstraps=10, seed=4)


def test_time_that_is_over_still_gives_a_score_and_an_interval() -> None:
    evidence = make_evidence(BINARY, *equal_classifiers(8, 100, 0.7, 6))
    found = correct(evidence, seconds=0.0, bootstraps=None)
    assert found.bootstraps == 1
    assert found.low < found.score < found.high


# ---- resampling ----


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(0, 1000))
def test_groups_are_resampled_whole(groups: list[int], seed: int) -> None:
    units = np.array(groups)
    drawn = resample(np.random.default_rng(seed), len(units), units)
    times = np.bincount(drawn, minlength=len(units))
    if len(set(groups)) < len(groups):
        for name in set(groups):
            assert len(set(times[units == name])) == 1
        drawn_groups = sum(times[units == name][0] for name in set(groups))
        assert drawn_groups == len(set(groups))
    else:
        assert len(drawn) == len(units)


def test_without_groups_as_many_rows_are_drawn_as_there_are() -> None:
    drawn = resample(np.random.default_rng(0), 1000, None)
    assert len(drawn) == 1000
    assert 600 < len(np.unique(drawn)) < 660  # 1 − 1/e of them


def test_an_interval_is_moved_onto_its_center_worked_by_hand() -> None:
    """Scores 0, 1, …, 400 have the quantiles 10 and 390 and the mean 200; 1, 2 and 3 deviate by 1."""
    assert interval_from([float(score) for score in range(401)], 1000.0) == pytest.approx((810.0, 1190.0))
    assert interval_from([1.0, 2.0, 3.0], 10.0) == pytest.approx((8.04, 11.96))
    assert interval_from([5.0], 3.0) == interval_from([], 3.0) == (3.0, 3.0)


def test_of_a_single_model_the_threshold_and_the_calibration_are_corrected_for() -> None:
    """With one model there is no choice among several, but what was fitted on the scored rows flatters all the same."""
    task = dataclasses.replace(BINARY, metric="f1")
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        y = (rng.random(200) < 0.1).astype(np.int64)
        positive = np.clip(0.1 + 0.05 * y + rng.normal(0, 0.08, 200), 0.01, 0.9)
        outputs = np.column_stack([1 - positive, positive]).astype(np.float32)
        threshold = choose_threshold(get_metric("f1"), y, outputs)
        evidence = make_evidence(task, y, {0: outputs})
        judged = dataclasses.replace(evidence, blend=move_threshold(outputs, threshold).astype(np.float32))
        found.append(correct(judged).optimism)
    assert np.mean(found) > 0.0


def test_repeats_that_take_long_leave_time_for_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    def repeat(*_: Any) -> dict[str, float]:
        time.sleep(0.4)
        return {"accuracy": 0.0}

    monkeypatch.setattr(honest, "_repeat_choice", repeat)
    began = time.monotonic()
    found = correct(make_evidence(BINARY, *equal_classifiers(3, 300, 0.7, 1)), bootstraps=None, seconds=1.0)
    assert found.bootstraps == 1  # a second would have ended after six tenths of the time
    assert time.monotonic() - began < 1.3


def test_repeats_that_could_not_be_scored_say_nothing_of_flattery(monkeypatch: pytest.MonkeyPatch) -> None:
    """One repeat in four left rows enough to be scored, and those of one class have no ROC AUC."""
    scored = {"accuracy": -0.1, "roc_auc": float("nan")}
    monkeypatch.setattr(honest, "_repeat_choice", lambda evidence, rng, number, *_: {} if number % 4 else scored)
    found = correct(make_evidence(BINARY, *equal_classifiers(3, 60, 0.7, 1)))
    assert (found.optimism, found.bootstraps) == (pytest.approx(0.1), 10)
    assert found.score == pytest.approx(found.raw_score - 0.1)
    assert found.optimism_by_metric["roc_auc"] is None


def test_of_rows_too_few_to_be_left_out_the_flattery_is_not_known() -> None:
    found = correct(make_evidence(BINARY, *equal_classifiers(3, 6, 0.7, 1)))
    assert (found.optimism, found.bootstraps) == (None, 0)
    assert set(found.optimism_by_metric.values()) == {None}
    assert found.low <= found.score == found.raw_score


@pytest.mark.parametrize("draws", [20, 40])
def test_intervals_of_few_draws_are_as_wide_as_those_of_many(draws: int) -> None:
    rng = np.random.default_rng(7)
    ends = [interval_from(list(rng.normal(size=draws)), 0.0) for _ in range(400)]
    assert np.mean(ends, axis=0) == pytest.approx([-1.96, 1.96], abs=0.07)


# ---- rows that are alike ----


def test_rows_that_stand_several_times_are_worth_one_each() -> None:
    values, units = np.random.default_rng(3).normal(size=40), np.arange(40)
    assert count_effective(values, None) == 40
    assert count_effective(values, units) == pytest.approx(40)
    assert count_effective(np.repeat(values, 10), np.repeat(units, 10)) == pytest.approx(40, rel=0.05)


def test_rows_of_which_nothing_tells_how_groups_differ_are_worth_one_a_group() -> None:
    units = np.array([0, 0, 0, 4, 4, 7])  # numbers that no row has are no groups
    assert count_effective(np.ones(6, dtype=bool), units) == 3
    assert count_effective(np.arange(6), np.zeros(6, dtype=np.int64)) == 1
    assert count_effective(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])) == 4  # groups alike: never more than rows
