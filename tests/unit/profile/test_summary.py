"""The figures of a profile, by hand, and what they cost."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from automl.profile.association import measure_columns
from automl.profile.summary import Profile, summarize
from automl.schema import Role
from tests.unit.profile.tables import clean_dataset, make_dataset


def test_the_figures_of_a_number_are_right() -> None:
    profile = summarize(make_dataset({"x": [4.0, 1.0, 2.0, np.nan, 3.0, 2.0]}, [0, 1, 0, 1, 0, 1]))
    (x,) = profile.columns
    assert (x.role, x.missing, x.distinct) == (Role.NUMBER, pytest.approx(1 / 6), 4)
    assert (x.minimum, x.q25, x.median, x.q75, x.maximum, x.mean) == (1, 2, 2, 3, 4, 2.4)
    assert x.std == pytest.approx(np.std([4, 1, 2, 3, 2])) and x.top == (("2", 2), ("1", 1), ("3", 1), ("4", 1))
    assert (
        len(x.edges) == 13
        and sum(x.counts) == 5
        and (x.counts[0], x.counts[4], x.counts[8], x.counts[11]) == (1, 2, 1, 1)
    )


def test_the_histogram_is_that_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=1_000)
    (x,) = summarize(make_dataset({"x": values}, values)).columns
    counts, edges = np.histogram(values, bins=12)
    assert x.counts == tuple(counts) and x.edges == pytest.approx(edges)


def test_the_levels_of_a_category_come_most_frequent_first_and_ties_by_name() -> None:
    values = np.array(["b", "a", None, "c", "b", "a", "b", None], dtype=object)
    (c,) = summarize(make_dataset({"c": values}, np.arange(8) % 2)).columns
    assert c.top == (("b", 3), ("a", 2), ("c", 1)) and c.distinct == 3 and c.missing == 0.25 and c.minimum is None


def test_texts_are_counted_but_never_shown() -> None:
    texts = np.array([f"dear diary {i}" for i in range(40)], dtype=object)
    (t,) = summarize(make_dataset({"t": texts}, np.arange(40) % 2, roles={"t": Role.TEXT})).columns
    assert t.distinct == 40 and t.top == ()


def test_dates_are_in_seconds() -> None:
    days = np.array(["1970-01-02", "1970-01-01", "NaT", "1970-01-03"], dtype="datetime64[D]")
    (d,) = summarize(make_dataset({"d": days}, [0, 1, 0, 1])).columns
    assert (d.minimum, d.median, d.maximum) == (0, 86_400, 172_800) and d.top == ()


def test_the_table_the_target_and_columns_left_out_are_described() -> None:
    dataset = make_dataset(
        {"x": [1.0, 1.0, np.nan, 3.0], "c": np.array(["p", "p", None, None], dtype=object)},
        [0, 1, 1, 1],
        ignored={"id": "an identifier"},
    )
    profile = summarize(dataset)
    assert profile.rows == 4 and profile.missing_share == pytest.approx(3 / 8) and profile.duplicate_rows == 1
    assert profile.target.classes == (("a", 1), ("b", 3)) and profile.target.values is None
    assert profile.columns[2].role is Role.IGNORE and profile.columns[2].reason == "an identifier"


def test_a_numeric_target_has_figures() -> None:
    target = summarize(make_dataset({"x": np.arange(5.0)}, np.array([5.0, 1, 2, 3, 4]))).target
    assert target.values is not None and (target.values.minimum, target.values.median) == (1, 3)
    assert target.classes == ()


def test_columns_without_a_value_or_with_huge_ones_have_what_figures_there_are() -> None:
    dataset = make_dataset({"none": np.full(20, np.nan), "huge": np.repeat([-1e308, 1e308], 10)}, np.arange(20) % 2)
    none, huge = summarize(dataset).columns
    assert none.missing == 1.0 and none.minimum is None and none.counts == ()
    assert huge.maximum == 1e308 and huge.std is None
    json.dumps(summarize(dataset).to_json(), allow_nan=False)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_a_profile_survives_json(kind: str) -> None:
    profile = summarize(clean_dataset(kind=kind))
    assert Profile.from_json(json.loads(json.dumps(profile.to_json(), allow_nan=False))) == profile


def test_associations_of_a_binary_target() -> None:
    target = np.tile([0, 1], 50)
    columns = {
        "same": target.astype(float),
        "none": np.repeat(np.arange(50.0), 2),
        "label": np.array(["n", "y"], dtype=object)[target],
        "flat": np.ones(100),
    }
    found = {a.column: a for a in measure_columns(make_dataset(columns, target))}
    assert found["same"].strength == 1 and found["same"].auc == 1 and found["same"].measure == "|2 AUC - 1|"
    assert found["none"].strength == 0 and found["none"].auc == 0.5
    assert found["label"].strength == pytest.approx(1, abs=0.02) and found["label"].measure == "Cramér's V"
    assert found["flat"].strength == 0 and found["flat"].skill < 0.2


def test_the_auc_of_a_column_is_that_of_the_metric_and_missing_cells_lie_in_the_middle() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    target, values = rng.integers(0, 2, 400), rng.normal(size=400).round(1)
    values += target
    (found,) = measure_columns(make_dataset({"x": values}, target))
    assert found.auc == pytest.approx(roc_auc_score(target, values))
    half = np.array([1.0, np.nan, np.nan, 3.0])
    (found,) = measure_columns(make_dataset({"x": half}, [0, 0, 1, 1]))
    assert found.auc == pytest.approx((1 + 1 + 1 + 0.5) / 4)


def test_a_column_that_the_class_tells_but_that_does_not_tell_the_class_is_weak() -> None:
    target = np.repeat(np.arange(10), 50)
    columns = {"number": (target == 3).astype(float), "level": np.where(target == 3, "in", "out").astype(object)}
    found = measure_columns(make_dataset(columns, target))
    assert all(0.05 < association.strength < 0.5 for association in found)


def test_associations_of_a_number() -> None:
    rng = np.random.default_rng(2)
    target = rng.normal(size=1_000)
    columns = {
        "rising": np.exp(target),
        "noise": rng.normal(size=1_000),
        "half": np.where(target > 0, "high", "low").astype(object),
        "random": rng.choice(["p", "q", "r"], 1_000).astype(object),
    }
    found = {a.column: a for a in measure_columns(make_dataset(columns, target))}
    assert found["rising"].strength == pytest.approx(1) and found["rising"].skill > 0.99
    assert found["noise"].strength < 0.1 and abs(found["noise"].skill) < 0.15
    # the halves of a normal variable lie at ±sqrt(2 / pi) of its standard deviation
    assert found["half"].strength == pytest.approx((2 / np.pi) ** 0.5, abs=0.03)
    assert found["random"].strength < 0.1


def test_forty_thousand_rows_are_described_quickly() -> None:
    dataset = clean_dataset(rows=40_000)
    summarize(clean_dataset(rows=50))  # imports
    started = time.perf_counter()
    summarize(dataset)
    assert time.perf_counter() - started < 3.0


def test_a_table_of_ten_thousand_columns_is_described_in_bounded_time() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(300, 10_000))
    dataset = make_dataset({f"x{i}": values[:, i] for i in range(10_000)}, rng.integers(0, 2, 300))
    started = time.perf_counter()
    profile = summarize(dataset)
    assert time.perf_counter() - started < 20 and len(profile.columns) == 10_000


def test_without_time_columns_are_only_mentioned() -> None:
    dataset = make_dataset({"x": np.arange(20.0), "c": np.array(["p", "q"] * 10, dtype=object)}, np.arange(20) % 2)
    profile = summarize(dataset, deadline=0.0)
    assert [column.name for column in profile.columns] == ["x", "c"]
    assert profile.undescribed == 2 and summarize(dataset).undescribed == 0
    assert profile.target.classes == (("a", 10), ("b", 10))
