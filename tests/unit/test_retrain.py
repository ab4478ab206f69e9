"""Which new rows judge champion and challenger, and what is refused before anything is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.load import read_row_groups
from automl.errors import DataError
from automl.predictor import Predictor
from automl.recipe import Recipe
from automl.retrain import _check_judging, _choose_held_out, _draw_units, _has_label, _keys
from automl.schema import CellFormat, Schema
from automl.task import Task, TaskKind


class NoModel:
    def predict(self, frame: pd.DataFrame) -> Any:
        raise AssertionError


def predictor_of(kind: TaskKind, **facts: Any) -> Predictor:
    task = Task(kind=kind, target="y", classes=() if kind is TaskKind.REGRESSION else ("no", "yes"), **facts)
    return Predictor(schema=Schema(()), task=task, model=NoModel())


def choose(fresh: pd.DataFrame, predictor: Predictor, **data: Any) -> np.ndarray:
    keys, groups = np.array(_keys(fresh), dtype=np.uint64), read_row_groups(fresh, data.get("group"))
    return _choose_held_out(fresh, keys, groups, predictor, Recipe().override({"data": data}))


@given(
    st.lists(st.integers(0, 8), min_size=2, max_size=60),
    st.integers(1, 30),
    st.integers(0, 1000),
)
def test_whole_units_are_drawn_no_more_than_wanted_unless_one_alone_is_more(
    units: list[int], count: int, seed: int
) -> None:
    numbers = np.array(units)
    count = min(count, len(units) - 1)
    held = _draw_units(numbers, np.zeros(len(units), dtype=np.int64), count, np.random.default_rng(seed))
    assert held.any()
    for unit in set(units):
        assert len(set(held[numbers == unit])) == 1
    assert held.sum() <= max(count, np.bincount(numbers)[np.unique(numbers)].min())


def test_a_rare_class_judges_in_proportion() -> None:
    fresh = pd.DataFrame({"x": np.arange(150), "y": ["yes"] * 4 + ["no"] * 146})
    for seed in range(20):
        held = _choose_held_out(
            fresh,
            np.array(_keys(fresh), dtype=np.uint64),
            None,
            predictor_of(TaskKind.BINARY),
            Recipe().override({"seed": seed}),
        )
        assert held.sum() == 45
        assert held[:4].sum() == 1


def test_rows_that_repeat_each_other_judge_or_teach_together() -> None:
    rng = np.random.default_rng(0)
    once = pd.DataFrame({"x": rng.normal(size=200), "y": rng.normal(size=200)})
    fresh = pd.concat([once, once], ignore_index=True)
    held = choose(fresh, predictor_of(TaskKind.REGRESSION))
    assert held.sum() == 120
    np.testing.assert_array_equal(held[:200], held[200:])


def test_a_group_of_nearly_all_rows_teaches_and_never_judges() -> None:
    fresh = pd.DataFrame({"x": np.arange(1000), "who": ["a"] * 980 + ["b"] * 20, "y": np.arange(1000.0)})
    held = choose(fresh, predictor_of(TaskKind.REGRESSION), group="who")
    np.testing.assert_array_equal(np.flatnonzero(held), np.arange(980, 1000))


def test_rows_that_are_all_alike_are_refused_before_training() -> None:
    fresh = pd.DataFrame({"x": [1] * 200, "y": [2.5] * 200})
    predictor = predictor_of(TaskKind.REGRESSION)
    held = choose(fresh, predictor)
    with pytest.raises(DataError, match="none is left to learn from"):
        _check_judging(fresh[held], fresh[~held], predictor)


def test_judges_of_one_class_are_refused_before_training() -> None:
    fresh = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=200), "y": ["yes"] * 100 + ["no"] * 100})
    predictor = predictor_of(TaskKind.BINARY)
    held = choose(fresh, predictor, time="day")
    with pytest.raises(DataError, match="all of one class of 'y'"):
        _check_judging(fresh[held], fresh[~held], predictor)


def test_what_meant_missing_in_training_is_no_label() -> None:
    predictor = predictor_of(TaskKind.BINARY, format=CellFormat(missing=("NA", "?")))
    labels = pd.Series(["yes", "NA", None, "maybe", "?"], dtype="str")
    assert _has_label(predictor, labels).tolist() == [True, False, False, True, False]
    prices = predictor_of(TaskKind.REGRESSION, format=CellFormat(prefix="$", thousands=","))
    assert _has_label(prices, pd.Series(["$1,200", "", "$3"], dtype="str")).tolist() == [True, False, True]
