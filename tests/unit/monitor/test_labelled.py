"""Which new rows judge champion and challenger, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.load import read_row_groups, read_table
from automl.errors import DataError
from automl.monitor.labelled import (
    _check_groups,
    _check_judging,
    _choose_held_out,
    _draw_units,
    _has_label,
    write_rows,
)
from automl.monitor.learned import find_repeated, join_rows, key_rows
from automl.predictor import Predictor
from automl.recipe import Recipe
from automl.schema import CellFormat, Schema
from automl.task import Task, TaskKind


class NoModel:
    def predict(self, frame: pd.DataFrame) -> Any:
        raise AssertionError


def predictor_of(kind: TaskKind, **facts: Any) -> Predictor:
    task = Task(kind=kind, target="y", classes=() if kind is TaskKind.REGRESSION else ("no", "yes"), **facts)
    return Predictor(schema=Schema(()), task=task, model=NoModel())


def choose(fresh: pd.DataFrame, predictor: Predictor, **data: Any) -> np.ndarray:
    keys, groups = np.array(key_rows(fresh), dtype=np.uint64), read_row_groups(fresh, data.get("group"))
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
            np.array(key_rows(fresh), dtype=np.uint64),
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


def test_so_few_groups_that_no_interval_follows_are_refused_before_training() -> None:
    _check_groups(np.arange(10), "who")
    with pytest.raises(DataError, match=r"1 group\(s\) of 'who' would judge the models; 10 are needed"):
        _check_groups(np.zeros(60, dtype=np.int64), "who")


def test_stored_rows_are_read_again_as_the_text_they_were_with_its_separator(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("n;price\n1;12.500\n;9.250\n", encoding="utf-8")
    table = read_table(tmp_path / "old.csv")
    assert table.separator == ";"  # which says that 12.500 is more than twelve thousand
    whole = pd.DataFrame({"n": pd.array([3, None], dtype="Int64"), "price": ["1.000", None]})
    write_rows(tmp_path / "rows.parquet", join_rows([table.frame, whole]), separator=table.separator)
    again = read_table(tmp_path / "rows.parquet")
    assert again.separator == ";"
    assert again.frame["price"].tolist()[:3] == ["12.500", "9.250", "1.000"]
    assert again.frame["n"].isna().tolist() == [False, True, False, True]


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


def test_a_row_is_the_same_row_however_its_numbers_are_spelled() -> None:
    old = pd.DataFrame({"price": ["12.50", "7", "1e3", None], "id": ["9007199254740993", "b", "c", "d"]}, dtype=object)
    new = pd.DataFrame({"price": [12.5, 7.0, 1000.0, np.nan], "id": ["9007199254740992", "b", "c", "d"]})
    assert find_repeated(new, old).tolist() == [False, True, True, True]  # the ids differ, beyond what a float holds


def test_in_a_table_of_few_values_a_row_that_repeats_another_is_new_unless_the_file_has_grown() -> None:
    rng = np.random.default_rng(0)

    def draw(rows: int) -> pd.DataFrame:
        return pd.DataFrame({name: rng.choice(["no", "yes"], rows) for name in ("sex", "adult", "survived")})

    old, new = draw(500), draw(300)
    assert not find_repeated(new, old).any()
    grown = join_rows([old, new])
    assert find_repeated(grown, old).sum() == pytest.approx(500, abs=5)  # some of the next rows may go on alike
    assert find_repeated(old.head(100), old).all()
