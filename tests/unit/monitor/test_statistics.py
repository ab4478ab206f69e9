"""Tests and sizes by hand, and by simulation where only the truth of a chance can tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from automl.matrix import Array
from automl.monitor.statistics import (
    STABILITY,
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
        "edges": [0.0, 9.0, 19.0, 29.0, 39.0, 49.0],
        "under": [0, 9, 19, 29, 39, 49],
        "below": [1, 10, 20, 30, 40, 50],
        "scale": pytest.approx(np.arange(50).std()),
    }


def test_a_sketch_of_few_values_counts_each_of_them() -> None:
    sketch = make_sketch(np.array([0.0] * 70 + [1.0] * 30))
    assert (sketch["edges"], sketch["under"], sketch["below"]) == ([0.0, 1.0], [0, 70], [70, 100])


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


def repeat(**shares: float) -> Array:
    """1,000 numbers, `_5=0.3` of them 5; `m1` is -1."""
    counts = {float(name.strip("_").replace("m", "-")): round(1_000 * share) for name, share in shares.items()}
    return np.repeat(list(counts), list(counts.values()))


RATINGS = repeat(_1=0.1, _2=0.2, _3=0.3, _4=0.2, _5=0.2)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RATINGS, RATINGS - 0.9),
        (RATINGS, RATINGS + 0.9),
        (repeat(_0=0.5, _1=0.5), repeat(m1=0.5, _1=0.5)),
        (repeat(_0=0.5, _1=0.5), repeat(_0=0.5, _5=0.5)),
        (np.append(np.zeros(700), np.linspace(1, 2, 300)), np.append(np.full(700, -1.0), np.linspace(1, 2, 300))),
        (np.full(1_000, 5.0), np.full(1_000, 1.0)),
        (np.full(1_000, 5.0), np.full(1_000, 9.0)),
    ],
)
def test_a_value_that_many_rows_have_is_seen_to_move_either_way(before: Array, after: Array) -> None:
    p_value, index, _ = compare_sketch(make_sketch(before), after)
    assert p_value < 1e-8
    assert index > STABILITY


def test_a_value_that_is_held_in_half_the_digits_has_not_moved() -> None:
    values = np.repeat([0.0, 0.1, 0.7, 1.3, 101.7], 200)
    assert compare_sketch(make_sketch(values), values.astype(np.float32).astype(np.float64)) == (1.0, 0.0, 0.0)
    assert compare_sketch(make_sketch(values * 0 + 0.1), np.float64(np.float32(0.1)) + values * 0) == (1.0, 0.0, 0.0)


def test_a_small_move_of_large_numbers_is_seen() -> None:
    moments = 1.7e9 + np.arange(1_000) / 100
    assert compare_sketch(make_sketch(moments), moments - 2)[0] < 1e-8


def test_a_sketch_of_an_earlier_version_is_compared_at_or_below_its_edges() -> None:
    from scipy.special import kolmogorov

    sketch = {"rows": 100, "edges": [0.0, 1.0, 3.0], "below": [40, 70, 100], "scale": 2.0}
    p_value, index, distance = compare_sketch(sketch, np.repeat([0.0, 1.0, 3.0], [60, 20, 20]))
    assert p_value == pytest.approx(kolmogorov(np.sqrt(50) * 0.2))
    assert distance == pytest.approx((0.2 * 1 + 0.1 * 2) / 2)
    assert index == pytest.approx(stability(np.array([0.4, 0.3, 0.3]), np.array([0.6, 0.2, 0.2])))
    assert compare_sketch(sketch, np.repeat([-1.0, 1.0, 3.0], [40, 30, 30])) == (1.0, 0.0, 0.0)


def test_one_value_far_outside_is_no_distance() -> None:
    values = np.append(np.linspace(0, 1, 999), 1e6)
    assert compare_sketch(make_sketch(values), np.linspace(0, 0.99, 999))[2] < 0.1


@pytest.mark.parametrize("kind", ["normal", "heavy", "whole", "half zero", "yes or no", "constant"])
def test_numbers_that_have_not_moved_raise_no_more_alarms_than_their_rate(kind: str) -> None:
    rng = np.random.default_rng(5)
    draws: dict[str, Callable[[int], Array]] = {
        "normal": rng.standard_normal,
        "heavy": lambda rows: np.exp(3 * rng.standard_normal(rows)),
        "whole": lambda rows: rng.poisson(2, rows).astype(np.float64),
        "half zero": lambda rows: rng.exponential(size=rows) * (rng.random(rows) < 0.5),
        "yes or no": lambda rows: (rng.random(rows) < 0.3).astype(np.float64),
        "constant": lambda rows: np.full(rows, 3.0),
    }
    draw = draws[kind]
    alarms = sum(compare_sketch(make_sketch(draw(2_000)), draw(200))[0] < 0.05 for _ in range(300))
    assert alarms <= 24  # 15 are expected at most; 25 or more come once in a hundred times


def test_shares_of_a_yes_and_a_no_are_those_of_the_rows() -> None:
    sketch = make_sketch(np.array([0.0] * 70 + [1.0] * 30))
    edges, before, after = bin_shares(sketch, np.array([0.0, 1.0, 1.0, 1.0]))
    assert edges.tolist() == [0.0, 1.0]
    assert before.tolist() == pytest.approx([0.7, 0.3, 0.0])
    assert after.tolist() == [0.25, 0.75, 0.0]
    edges, before, after = bin_shares(sketch, np.array([-1.0, 0.5, 1.0, 7.0]))
    assert edges.tolist() == [0.0, 0.0, 1.0, 1.0]  # below 0, 0 itself, between, 1 itself, above
    assert before.tolist() == pytest.approx([0.0, 0.7, 0.0, 0.3, 0.0])
    assert after.tolist() == [0.25, 0.0, 0.25, 0.25, 0.25]


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


def test_a_chance_row_of_a_rare_level_is_no_drift() -> None:
    p_value, index = compare_counts(np.array([5_000, 4_995, 5]), np.array([25, 24, 1]))
    assert p_value == pytest.approx(2 * compare_shares(5, 10_000, 1, 50))
    assert p_value > 0.05
    assert index < STABILITY


def test_a_rare_level_that_few_rows_are_full_of_is_a_drift() -> None:
    assert compare_counts(np.array([9_900, 100]), np.array([35, 15]))[0] < 1e-10
    assert compare_counts(np.array([9_900, 100]), np.array([0, 50]))[0] < 1e-50
    assert compare_counts(np.array([5_000, 4_900, 60, 40]), np.array([0, 0, 20, 30]))[0] < 1e-50


def test_one_rare_level_raises_no_more_alarms_than_the_rate() -> None:
    rng = np.random.default_rng(4)
    shares = [0.5, 0.4995, 0.0005]
    draws = [(rng.multinomial(10_000, shares), rng.multinomial(50, shares)) for _ in range(1_000)]
    assert sum(compare_counts(*draw)[0] < 0.05 for draw in draws) <= 68  # 50 are expected; 69 come once in 200 times


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


def test_one_unseen_level_where_next_to_none_is_expected_is_as_likely_as_it_is() -> None:
    # of 10,040 rows in any order the one that stands alone is among the last 40 with that chance
    assert excess_unseen(0, 0, 10_000, 1, 40) == pytest.approx(40 / 10_040, rel=0.05)
    assert excess_unseen(0, 0, 10_000, 2, 40) == pytest.approx((40 / 10_040) ** 2, rel=0.05)


def test_training_of_nothing_but_single_or_paired_levels_has_a_p_value() -> None:
    assert excess_unseen(500, 0, 500, 60, 60) > 0.05
    assert 0 <= excess_unseen(0, 500, 1_000, 3, 60) <= 1


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


def test_bars_of_a_value_with_a_bin_of_its_own_have_names_of_their_own() -> None:
    from automl.monitor.values import _bars

    ratings = np.random.default_rng(3).integers(1, 6, 2_000).astype(np.float64)
    bars = _bars(make_sketch(ratings), ratings - 0.9)
    names = [name for name, _, _ in bars]
    assert len(set(names)) == len(names)
    assert sum(before for _, before, _ in bars) == pytest.approx(1)
    assert sum(after for _, _, after in bars) == pytest.approx(1)
