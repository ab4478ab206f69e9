"""Tests and sizes by hand, and by simulation where only the truth of a chance can tell."""

from __future__ import annotations

import numpy as np
import pytest

from automl.monitor.statistics import (
    bin_shares,
    compare_counts,
    compare_shares,
    compare_sketch,
    discoveries,
    excess_unseen,
    make_sketch,
    stability,
)


def test_a_sketch_keeps_counts_at_quantiles_that_hold_ten_rows_each() -> None:
    sketch = make_sketch(np.arange(50, dtype=np.float64))
    assert sketch == {
        "rows": 50,
        "edges": [9.0, 19.0, 29.0, 39.0],
        "below": [10, 20, 30, 40],
        "scale": pytest.approx(np.arange(50).std()),
    }


def test_a_sketch_of_few_values_counts_each_of_them() -> None:
    sketch = make_sketch(np.array([0.0] * 70 + [1.0] * 30))
    assert (sketch["edges"], sketch["below"]) == ([0.0, 1.0], [70, 100])


def test_nothing_at_all_makes_no_difference() -> None:
    assert compare_sketch(make_sketch(np.zeros(0)), np.arange(5.0)) == (1.0, 0.0, 0.0)
    assert compare_sketch(make_sketch(np.arange(99.0)), np.zeros(0)) == (1.0, 0.0, 0.0)


def test_the_same_values_are_at_distance_zero() -> None:
    values = np.random.default_rng(0).normal(size=1_000)
    p_value, index, distance = compare_sketch(make_sketch(values), values)
    assert (p_value, distance) == (1.0, 0.0)
    assert index == pytest.approx(0.0, abs=1e-12)


def test_a_shift_by_half_a_standard_deviation_has_that_distance() -> None:
    rng = np.random.default_rng(1)
    p_value, index, distance = compare_sketch(make_sketch(rng.normal(size=20_000)), rng.normal(0.5, 1, 20_000))
    assert p_value < 1e-100
    assert distance == pytest.approx(0.5, abs=0.04)
    assert 0.2 < index < 0.3


def test_shares_of_a_yes_and_a_no_are_those_of_the_rows() -> None:
    cuts, before, after = bin_shares(make_sketch(np.array([0.0] * 70 + [1.0] * 30)), np.array([0.0, 1.0, 1.0, 1.0]))
    assert cuts.tolist() == [0.0]
    assert before.tolist() == pytest.approx([0.7, 0.3])
    assert after.tolist() == [0.25, 0.75]


def test_the_stability_index_is_the_sum_of_difference_times_logarithm_of_ratio() -> None:
    expected = 0.1 * np.log(0.6 / 0.5) + (-0.1) * np.log(0.4 / 0.5)
    assert stability(np.array([0.5, 0.5]), np.array([0.6, 0.4])) == pytest.approx(expected)


def test_counts_are_compared_by_chi_square() -> None:
    # expected 55 and 45 in each row: (5²/55 + 5²/45) twice = 2.0202, chi-square with one degree: p = 0.1552
    p_value, _ = compare_counts(np.array([50, 50]), np.array([60, 40]))
    assert p_value == pytest.approx(0.1552, abs=1e-4)


def test_rare_levels_are_pooled_so_that_many_of_them_are_no_drift() -> None:
    rng = np.random.default_rng(2)
    shares = np.full(2_000, 1 / 2_000)
    alarms = 0
    for _ in range(200):
        before, after = rng.multinomial(3_000, shares), rng.multinomial(500, shares)
        alarms += compare_counts(before, after)[0] < 0.05
    assert alarms <= 16  # a chance of 5% gives 10, and 17 or more once in 40 times


def test_shares_are_compared_exactly_where_counts_are_small() -> None:
    # one of 10 against five of 10: Fisher's exact test, two-sided, is 0.1409
    assert compare_shares(1, 10, 5, 10) == pytest.approx(0.1409, abs=1e-4)
    assert compare_shares(0, 10, 0, 10) == 1.0
    assert compare_shares(500, 10_000, 150, 1_000) < 1e-20


def test_levels_that_were_to_be_expected_unseen_are_no_news() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(300):
        before, after = rng.zipf(1.5, 2_000), rng.zipf(1.5, 500)
        names, counts = np.unique(before, return_counts=True)
        unseen = int((~np.isin(after, names)).sum())
        assert unseen > 0
        alarms += excess_unseen(int((counts == 1).sum()), int((counts == 2).sum()), 2_000, unseen, 500) < 0.05
    assert alarms <= 24  # 15 are expected


def test_many_unseen_levels_where_none_were_expected_are_news() -> None:
    assert excess_unseen(0, 0, 2_000, 30, 500) < 1e-9
    assert excess_unseen(0, 0, 2_000, 0, 500) == 1.0


def test_adjusted_p_values_are_those_of_benjamini_and_hochberg() -> None:
    adjusted = discoveries([0.01, 0.04, 0.03, 0.5], [1, 1, 1, 1], 0.05)
    # 0.01·4/1 = 0.04; 0.03·4/2 = 0.06 and 0.04·4/3 = 0.0533: the step-up takes the lesser; 0.5·4/4
    assert adjusted.tolist() == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_a_weight_of_two_counts_like_half_the_p_value() -> None:
    adjusted = discoveries([0.04, 0.04], [3, 1], 0.05)  # weights of mean 1: 1.5 and 0.5
    assert adjusted.tolist() == pytest.approx([0.04 / 1.5 * 2, 0.08])


def test_no_test_has_no_discovery() -> None:
    assert discoveries([], [], 0.05).tolist() == []
