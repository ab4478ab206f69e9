"""A slice that was planted is found; where there is none, none is claimed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.evaluate.slices import find_slices, row_errors, wilson
from automl.preprocess.table import Table, TableEncoder
from automl.schema import Column, Role, Schema
from automl.task import Task, TaskKind

SCHEMA = Schema(
    columns=(
        Column(name="age", role=Role.NUMBER, reason="", offset=1000.0),
        Column(name="city", role=Role.CATEGORY, reason="", levels=("bern", "basel")),
    )
)


def make_table(n: int) -> tuple[Table, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    age, city = rng.uniform(1018, 1080, n), rng.choice(["bern", "basel"], n)
    return TableEncoder(SCHEMA).encode(pd.DataFrame({"age": age, "city": city})), age, city


def test_a_planted_slice_is_found_in_its_own_units() -> None:
    table, age, city = make_table(4_000)
    rng = np.random.default_rng(6)
    bad = (age > 1060) & (city == "basel")
    errors = (rng.random(4_000) < np.where(bad, 0.6, 0.05)).astype(np.float64)
    found = find_slices(table, SCHEMA, errors, rates=True, seed=0)
    worst = found["slices"][0]
    assert any(text.startswith("city is") for text in worst["conditions"])
    (bound,) = [text for text in worst["conditions"] if "age" in text]
    assert abs(float(bound.split("> ")[1].replace(",", "")) - 1060) < 3
    assert 0.5 < worst["low"] < 0.6 < worst["high"] < 0.7
    assert worst["rows"] == pytest.approx(bad.sum() / 2, rel=0.15)  # the half that did not grow the tree


@pytest.mark.parametrize(("role", "value"), [(Role.NUMBER, 7.0), (Role.DATE, pd.Timestamp("2020-05-01"))])
def test_a_slice_of_rows_without_a_value_says_so(role: Role, value: object) -> None:
    """A tree tells holes from values by a threshold of infinity."""
    hole = np.random.default_rng(6).random(4_000) < 0.3
    schema = Schema((Column(name="when", role=role, reason=""),))
    cells = pd.Series([value] * 4_000).mask(pd.Series(hole))
    table = TableEncoder(schema).encode(pd.DataFrame({"when": cells}))
    for bad, said in ((hole, "when is missing"), (~hole, "when is not missing")):
        errors = np.where(bad, 1.0, 0.0) * (np.arange(4_000) % 3 > 0)
        found = find_slices(table, schema, errors, rates=True, seed=0)
        assert found["slices"][0]["conditions"] == [said]


def test_errors_by_chance_make_no_slice() -> None:
    table, _, _ = make_table(4_000)
    for seed in range(5):
        errors = (np.random.default_rng(seed).random(4_000) < 0.2).astype(np.float64)
        found = find_slices(table, SCHEMA, errors, rates=True, seed=seed)
        assert all(item["low"] < 0.25 for item in found["slices"])
        assert len(found["slices"]) <= 1


def test_few_rows_or_no_errors_claim_nothing() -> None:
    table, _, _ = make_table(30)
    found = find_slices(table, SCHEMA, np.arange(30.0) % 2, rates=True, seed=0)
    assert found["slices"] == []
    assert found["skipped"] == "of 30 rows, halved, too few lie in one half (15 of 40)"
    table, _, _ = make_table(1_000)
    assert find_slices(table, SCHEMA, np.zeros(1_000), rates=True, seed=0) == {
        "overall": 0.0, "rates": True, "slices": [],
    }  # fmt: skip


def test_without_a_column_to_divide_by_nothing_was_looked_at() -> None:
    names = tuple(f"name {row}" for row in range(1_000))
    schema = Schema(columns=(Column(name="who", role=Role.CATEGORY, reason="", levels=names),))
    table = TableEncoder(schema).encode(pd.DataFrame({"who": names}))
    found = find_slices(table, schema, np.arange(1_000.0) % 2, rates=True, seed=0)
    assert "no number, date or frequent category" in found["skipped"]


def test_an_error_is_a_wrong_class_or_a_distance() -> None:
    binary = Task(
        kind=TaskKind.BINARY,
        target="y",
        classes=("a", "b"),
        metric="roc_auc",
        maximize=True,
        label_type="str",
        reason="",
    )
    outputs = np.array([[0.5, 0.5], [0.6, 0.4]], dtype=np.float32)
    assert row_errors(binary, np.array([1, 1]), outputs).tolist() == [0.0, 1.0]
    number = Task(
        kind=TaskKind.REGRESSION, target="y", classes=(), metric="rmse", maximize=False, label_type="float", reason=""
    )
    assert row_errors(number, np.array([3.0, 5.0]), np.array([[1.0], [6.0]])).tolist() == [2.0, 1.0]


def test_the_interval_of_a_share_is_wilsons() -> None:
    low, high = wilson(np.array([1.0] * 5 + [0.0] * 15), 20)
    assert (round(low, 4), round(high, 4)) == (0.1119, 0.4687)


@pytest.mark.parametrize(("base", "spread"), [(2000, 1), (40, 0.0001)])
def test_the_ends_of_a_slice_name_the_rows_that_are_in_it(base: float, spread: float) -> None:
    schema = Schema((Column(name="year", role=Role.NUMBER, reason=""),))
    year = base + spread * np.random.default_rng(6).integers(0, 24, 4_000)
    bad = np.isclose(year, base + 16 * spread)
    table = TableEncoder(schema).encode(pd.DataFrame({"year": year}))
    found = find_slices(table, schema, np.where(bad, 1.0, 0.0), rates=True, seed=0)
    (text,) = found["slices"][0]["conditions"]
    low, high = (float(end.replace(",", "")) for end in text.split(" < year ≤ "))
    assert low < base + 16 * spread <= high and high - low < 12 * spread


def test_a_slice_that_holds_missing_values_says_so() -> None:
    rng = np.random.default_rng(6)
    income = np.where(rng.random(4_000) < 0.2, np.nan, rng.uniform(0, 100, 4_000))
    bad = ~(income > 20)
    schema = Schema((Column(name="income", role=Role.NUMBER, reason=""),))
    table = TableEncoder(schema).encode(pd.DataFrame({"income": income}))
    found = find_slices(table, schema, np.where(bad, 1.0, 0.0), rates=True, seed=0)
    (text,) = found["slices"][0]["conditions"]
    assert text.startswith("income ≤ ") and text.endswith(" or missing")


@pytest.mark.parametrize("rates", [True, False])
def test_rows_that_are_alike_make_the_interval_of_a_slice_wider(rates: bool) -> None:
    """Each of 600 rows stands ten times over."""
    schema = Schema((SCHEMA["city"],))
    city = np.array(["bern", "basel"] * 300)
    wrong = np.random.default_rng(6).random(600) < np.where(city == "basel", 0.6, 0.05)
    tenfold = np.repeat(np.arange(600), 10)
    rows = TableEncoder(schema).encode(pd.DataFrame({"city": city[tenfold]}))
    errors = np.where(wrong, 1.0, 0.0)[tenfold]
    widths = []
    for units in (None, tenfold):
        worst = find_slices(rows, schema, errors, rates=rates, seed=0, units=units)["slices"][0]
        widths.append((worst["high"] - worst["low"]) * np.sqrt(worst["rows"]))
    assert 2 < widths[1] / widths[0] < 5  # √10
