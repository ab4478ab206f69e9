"""Fairness figures against a table of eight rows a group worked by hand, and what holds of thresholds by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.sensitive import MISSING_NAME, OTHER_NAME, Groups, load_groups, read_groups, store_groups
from automl.evaluate.fairness import describe_fairness, group_thresholds, wilson
from automl.matrix import Array
from automl.task import Task, TaskKind

BINARY = Task(kind=TaskKind.BINARY, target="hired", classes=("no", "yes"), metric="roc_auc", maximize=True)
VALUE = Task(kind=TaskKind.REGRESSION, target="pay", metric="rmse")


def binary(probability: list[float]) -> Array:
    chance = np.array(probability, dtype=np.float32)
    return np.column_stack([1 - chance, chance])


def two_groups(times: int) -> tuple[Array, Array, Groups]:
    """Each of two groups has the four rows below `times` over.

    a: truth 1 1 0 0, probability 0.9 0.6 0.7 0.2: chosen 3 of 4, hits 2 of 2, alarms 1 of 2.
    b: truth 1 1 0 0, probability 0.8 0.4 0.3 0.1: chosen 1 of 4, hits 1 of 2, alarms 0 of 2.
    """
    y = np.array([1, 1, 0, 0, 1, 1, 0, 0] * times)
    outputs = binary([0.9, 0.6, 0.7, 0.2, 0.8, 0.4, 0.3, 0.1] * times)
    codes = np.array([0, 0, 0, 0, 1, 1, 1, 1] * times)
    return y, outputs, Groups(column="sex", labels=("a", "b"), codes=codes)


def test_rates_of_each_group_are_counted() -> None:
    record = describe_fairness(BINARY, *two_groups(10))
    a, b = record["groups"]
    assert (a["rows"], a["base_rate"], a["selection_rate"], a["tpr"], a["fpr"]) == (40, 0.5, 0.75, 1.0, 0.5)
    assert (b["rows"], b["base_rate"], b["selection_rate"], b["tpr"], b["fpr"]) == (40, 0.5, 0.25, 0.5, 0.0)
    assert a["calibration_gap"] == pytest.approx(0.1)  # (0.9 + 0.6 + 0.7 + 0.2) / 4 − 0.5
    assert b["calibration_gap"] == pytest.approx(-0.1)


def test_gaps_are_largest_minus_smallest_and_stand_beside_chance() -> None:
    gaps = {gap["name"]: gap for gap in describe_fairness(BINARY, *two_groups(10))["gaps"]}
    assert gaps["selection rate"]["gap"] == pytest.approx(0.5)
    assert gaps["selection rate"]["ratio"] == pytest.approx(1 / 3)
    assert gaps["true positive rate"]["gap"] == 0.0  # of 20 rows a rate is compared with none
    assert gaps["calibration"]["gap"] == pytest.approx(0.2)
    more = {gap["name"]: gap for gap in describe_fairness(BINARY, *two_groups(15))["gaps"]}
    assert more["true positive rate"]["gap"] == pytest.approx(0.5)
    assert more["false positive rate"]["gap"] == pytest.approx(0.5)
    # 40 rows each, half of all chosen: a gap by chance has a standard deviation of √(0.25 · 2/40) ≈ 0.11
    assert 0.15 < gaps["selection rate"]["chance"] < 0.3
    assert gaps["selection rate"]["low"] < 0.5 < gaps["selection rate"]["high"]


def test_groups_that_do_not_matter_stay_below_chance_most_of_the_time() -> None:
    beyond = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y, codes = rng.integers(0, 2, 400), rng.integers(0, 3, 400)
        outputs = binary(list(rng.random(400)))
        record = describe_fairness(BINARY, y, outputs, Groups(column="x", labels=("a", "b", "c"), codes=codes))
        beyond += record["gaps"][0]["gap"] > record["gaps"][0]["chance"]
    assert beyond <= 4  # 1 in 20 is expected


def test_equal_thresholds_close_the_gap_and_say_what_it_costs() -> None:
    """With one threshold 6 of 8 are right. Half of each group chosen: `a` loses its third row or its second, `b` gains
    a hit; the gap in selection closes."""
    plain, selection, _ = describe_fairness(BINARY, *two_groups(50))["mitigation"]
    assert plain["accuracy"] == 0.75
    assert plain["selection_gap"] == pytest.approx(0.5)
    assert selection["selection_gap"] < 0.12
    assert selection["thresholds"]["a"] > 0.5 > selection["thresholds"]["b"]
    assert selection["cost_low"] <= selection["cost"] <= selection["cost_high"]


def test_a_threshold_for_each_group_chooses_the_common_share() -> None:
    _, outputs, groups = two_groups(1)
    limits = group_thresholds(outputs[:, 1].astype(float), groups, np.ones(8, dtype=bool), 0.5)
    assert limits == pytest.approx([0.65, 0.35])  # half of each: 0.7 | 0.6 and 0.4 | 0.3
    chosen = outputs[:, 1] >= limits[groups.codes]
    assert chosen.tolist() == [True, False, True, False, True, True, False, False]


@given(st.integers(1, 4), st.integers(0, 1000))
def test_selection_rates_by_group_thresholds_differ_by_less_than_a_row(kinds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probability, codes = rng.random(200), rng.integers(0, kinds, 200)
    groups = Groups(column="x", labels=tuple("abcd"[:kinds]), codes=codes)
    limits = group_thresholds(probability, groups, np.ones(200, dtype=bool), 0.5)
    share = np.mean(probability >= 0.5)
    for code in range(kinds):
        own = codes == code
        if own.any():
            assert abs(np.mean(probability[own] >= limits[code]) - share) <= 0.5 / own.sum() + 1e-9


def test_values_have_errors_by_group() -> None:
    y = np.array([10.0, 20.0] * 40)
    outputs = np.array([[13.0], [19.0]] * 40, dtype=np.float32)
    groups = Groups(column="site", labels=("x", "y"), codes=np.array([0, 1] * 40))
    record = describe_fairness(VALUE, y, outputs, groups)
    assert [group["mean_error"] for group in record["groups"]] == [3.0, -1.0]
    assert {gap["name"]: gap["gap"] for gap in record["gaps"]} == {"mean error": 4.0, "mean absolute error": 2.0}
    assert record["mitigation"] == []


def test_small_groups_are_shown_but_not_compared() -> None:
    y, outputs, groups = two_groups(10)
    codes = groups.codes.copy()
    codes[:5] = 2
    record = describe_fairness(BINARY, y, outputs, Groups(column="sex", labels=("a", "b", "c"), codes=codes))
    assert [group["small"] for group in record["groups"]] == [False, False, True]
    alone = Groups(column="sex", labels=("a",), codes=np.zeros(80, dtype=np.int64))
    assert describe_fairness(BINARY, y, outputs, alone)["gaps"] == []


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert wilson(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)  # Newcombe 1998's method 3
    assert wilson(0, 0) == (None, None, None)


def test_groups_are_read_by_value_by_quartile_and_by_rank(tmp_path: object) -> None:
    sex = read_groups(pd.Series(["f", "m", None, "f"]), "sex")
    assert (sex.labels, sex.codes.tolist()) == (("f", "m", MISSING_NAME), [0, 1, 2, 0])
    age = read_groups(pd.Series([float(value) for value in range(1, 101)]), "age")
    assert age.labels == ("up to 25.75", "above 25.75 to 50.5", "above 50.5 to 75.25", "above 75.25")
    assert np.bincount(age.codes).tolist() == [25, 25, 25, 25]
    many = read_groups(pd.Series([f"v{value:02d}" for value in range(40)] + ["v00"]), "zip")
    assert many.labels[0] == "v00"
    assert many.labels[-1] == OTHER_NAME
    assert np.bincount(many.codes)[-1] == 21


def test_groups_come_back_from_disk(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    assert load_groups(folder) == ()
    groups = read_groups(pd.Series(["<script>", "m", "<script>"]), "=cmd()")
    store_groups(folder, (groups,))
    (found,) = load_groups(folder)
    assert (found.column, found.labels, found.codes.tolist()) == ("=cmd()", ("<script>", "m"), [0, 1, 0])


def test_a_rate_of_few_rows_is_compared_with_none() -> None:
    """Group b has 40 rows, and one positive among them."""
    y = np.concatenate([np.ones(100), np.zeros(400), np.ones(1), np.zeros(39)]).astype(np.int64)
    positive = np.where(y == 1, 0.9, 0.1)
    positive[500] = 0.1  # it is missed
    outputs = np.column_stack([1 - positive, positive]).astype(np.float32)
    groups = Groups(column="sex", labels=("a", "b"), codes=np.repeat([0, 1], [500, 40]))
    gaps = {gap["name"]: gap for gap in describe_fairness(BINARY, y, outputs, groups)["gaps"]}
    assert gaps["true positive rate"]["gap"] == 0.0
    assert gaps["selection rate"]["gap"] > 0.1


def test_rows_that_are_alike_are_counted_together() -> None:
    """Each row ten times over tells no more than once."""
    y, outputs, groups = two_groups(15)
    tenfold = np.repeat(np.arange(len(y)), 10)
    once = describe_fairness(BINARY, y, outputs, groups)
    rows = y[tenfold], outputs[tenfold], groups.take(tenfold)
    together, blind = describe_fairness(BINARY, *rows, units=tenfold), describe_fairness(BINARY, *rows)

    def widths(record: dict[str, Any]) -> list[float]:
        entries = [(group, name) for group in record["groups"] for name in ("selection_rate", "calibration_gap")]
        found = [group[f"{name}_high"] - group[f"{name}_low"] for group, name in entries]
        return found + [gap[end] for gap in record["gaps"][:1] for end in ("high", "chance")]

    def cost_width(record: dict[str, Any]) -> float:
        entry = record["mitigation"][1]
        return float(entry["cost_high"] - entry["cost_low"])

    assert widths(together) == pytest.approx(widths(once), rel=0.1)
    assert all(one > other for one, other in zip(widths(together), widths(blind), strict=True))
    assert cost_width(together) > 2 * cost_width(blind)


def test_values_that_are_alike_are_counted_together() -> None:
    y = np.random.default_rng(3).normal(size=80)
    outputs, codes = np.zeros((80, 1), dtype=np.float32), np.array([0, 1] * 40)
    tenfold = np.repeat(np.arange(80), 10)
    once = describe_fairness(VALUE, y, outputs, Groups(column="site", labels=("x", "y"), codes=codes))
    groups = Groups(column="site", labels=("x", "y"), codes=codes[tenfold])
    together = describe_fairness(VALUE, y[tenfold], outputs[tenfold], groups, units=tenfold)
    for name in ("mean_error", "mean_absolute_error"):
        ends = [[record["groups"][0][f"{name}_{end}"] for end in ("low", "high")] for record in (once, together)]
        assert ends[1] == pytest.approx(ends[0], rel=0.05)
