"""From a table to the arrays of a search."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl import prepare
from automl.data import Dataset
from automl.ensemble.golden import golden_frame
from automl.errors import DataError, UsageError
from automl.events import Decision, Event, WarningRaised
from automl.files import read_json
from automl.preprocess.table import MISSING, UNSEEN, TableEncoder
from automl.profile import Finding
from automl.recipe import Recipe
from automl.schema import Role, Schema
from automl.search.data import SearchData
from automl.task import TaskKind
from tests.unit.preprocess.test_text import make_table

RECIPE = Recipe().override({"budget": {"trials": 8, "seconds": None}})


def load(table: pd.DataFrame, target: str = "bought", **recipe: object) -> Dataset:
    return prepare.load(table, target=target, recipe=RECIPE.override(dict(recipe)))


def make_finding(**effects: object) -> Finding:
    return Finding(kind="test", severity="warning", text="because of the test", effects=dict(effects))


def store(folder: Path, dataset: Dataset, recipe: Recipe = RECIPE) -> SearchData:
    folder.mkdir(exist_ok=True)
    encoder = TableEncoder(dataset.schema)
    table = encoder.encode(dataset.frame)
    split = prepare.choose_split(dataset, [], recipe, table)
    prepare.store_dataset(folder, dataset, table, split, prepare.choose_groups(dataset, []), encoder, recipe.seed)
    return SearchData(folder)


def test_loading_settles_task_and_metric(small_table: pd.DataFrame) -> None:
    dataset = load(small_table)
    assert (dataset.task.kind, dataset.task.metric, dataset.task.maximize) == (TaskKind.BINARY, "roc_auc", True)
    assert dataset.task.classes == ("no", "yes")
    other = load(small_table, metric="log_loss")
    assert (other.task.metric, other.task.maximize) == ("log_loss", False)


def test_a_metric_of_another_task_is_refused(small_table: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="'rmse' is not defined for binary tasks"):
        load(small_table, metric="rmse")


def test_what_is_stored_is_what_a_search_reads(small_table: pd.DataFrame, tmp_path: Path) -> None:
    small_table["w"] = np.where(np.arange(120) % 2, 1.0, 3.0)
    small_table["who"] = np.arange(120) // 3
    small_table["day"] = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d")
    dataset = load(small_table, data={"weight": "w", "group": "who", "time": "day"})
    data = store(tmp_path / "data", dataset)
    np.testing.assert_array_equal(data.target, dataset.target)
    np.testing.assert_array_equal(data.weight, dataset.weight)
    np.testing.assert_array_equal(data.groups, dataset.groups)
    np.testing.assert_array_equal(data.times, dataset.times)
    assert data.task == dataset.task
    assert Schema.from_json(read_json(tmp_path / "data" / "schema.json")) == dataset.schema
    np.testing.assert_allclose(data.table.numbers[:, 0], small_table["age"], equal_nan=True)
    assert len(data.folds) == len(data.trains) >= 2
    for rows, train in zip(data.folds, data.trains, strict=True):
        assert dataset.times is not None
        assert dataset.times[train].max() < dataset.times[rows].min()


def test_what_a_table_lacks_is_not_stored(small_table: pd.DataFrame, tmp_path: Path) -> None:
    data = store(tmp_path / "data", load(small_table))
    assert (data.weight, data.groups, data.times) == (None, None, None)
    scored = np.sort(np.concatenate(data.folds))
    np.testing.assert_array_equal(scored, np.repeat(np.arange(120), data.repeats))


def test_golden_rows_have_holes_and_levels_never_seen(small_table: pd.DataFrame) -> None:
    small_table["shop"] = np.where(np.arange(120) % 3, "a", "b").astype(object)
    dataset = load(small_table)
    golden = prepare.make_golden(dataset, seed=1)
    assert len(golden) == prepare.GOLDEN_ROWS
    for column in dataset.schema.of(Role.NUMBER):
        assert golden[column.name].isna().any()
    codes = TableEncoder(dataset.schema).encode(golden).categories
    assert {MISSING, UNSEEN} <= set(codes.ravel())
    pd.testing.assert_frame_equal(golden, prepare.make_golden(dataset, seed=1))
    assert not golden.equals(prepare.make_golden(dataset, seed=2))


def test_the_golden_rows_on_disk_are_the_encoded_ones(small_table: pd.DataFrame, tmp_path: Path) -> None:
    dataset = load(small_table)
    data = store(tmp_path / "data", dataset)
    frame = golden_frame(dataset.schema, read_json(tmp_path / "data" / "golden.json"))
    again = TableEncoder(dataset.schema).encode(frame)
    np.testing.assert_array_equal(again.numbers, data.golden.numbers)
    np.testing.assert_array_equal(again.categories, data.golden.categories)


def test_a_table_with_fewer_rows_than_golden_ones_gives_all_it_has(small_table: pd.DataFrame) -> None:
    assert len(prepare.make_golden(load(small_table.head(12)), seed=0)) == 12


def test_columns_that_findings_drop_are_ignored_with_the_findings_reason(small_table: pd.DataFrame) -> None:
    dataset = prepare.apply_findings(load(small_table), [make_finding(drop=["income"]), make_finding()])
    assert list(dataset.frame.columns) == ["age", "city"] == [column.name for column in dataset.schema.features]
    dropped = dataset.schema["income"]
    assert (dropped.role, dropped.reason, dropped.required) == (Role.IGNORE, "because of the test", False)
    assert TableEncoder(dataset.schema).encode(dataset.frame).numbers.shape == (120, 1)


def test_without_findings_the_data_set_is_as_it_was(small_table: pd.DataFrame) -> None:
    dataset = load(small_table)
    assert prepare.apply_findings(dataset, [make_finding(group_rows=True)]) is dataset


def test_findings_that_drop_every_column_are_refused(small_table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="No feature column is left"):
        prepare.apply_findings(load(small_table), [make_finding(drop=["age", "income", "city"])])


def test_equal_rows_stay_together_where_a_finding_asks_for_it(small_table: pd.DataFrame) -> None:
    twice = pd.concat([small_table, small_table], ignore_index=True)
    dataset = load(twice)
    assert prepare.choose_groups(dataset, []) is None
    groups = prepare.choose_groups(dataset, [make_finding(group_rows=True)])
    np.testing.assert_array_equal(groups[:120], groups[120:])
    table = TableEncoder(dataset.schema).encode(dataset.frame)
    split = prepare.choose_split(dataset, [make_finding(group_rows=True)], RECIPE, table)
    for rows, train in zip(split.folds, split.trains, strict=True):
        assert not set(rows % 120) & set(train % 120)


def test_groups_of_the_user_remain_where_no_rows_repeat(small_table: pd.DataFrame) -> None:
    dataset = dataclasses.replace(load(small_table), groups=np.arange(120) // 10)
    for findings in ([], [make_finding(group_rows=True)]):
        np.testing.assert_array_equal(prepare.choose_groups(dataset, findings), np.arange(120) // 10)


def test_groups_of_the_user_are_joined_where_they_share_a_row(small_table: pd.DataFrame) -> None:
    """Rows 0 to 119 in twelve groups, and row 0 once more in a group of its own."""
    twice = pd.concat([small_table, small_table.head(1)], ignore_index=True)
    dataset = dataclasses.replace(load(twice), groups=np.append(np.arange(120) // 10, 99))
    groups = prepare.choose_groups(dataset, [make_finding(group_rows=True)])
    assert set(groups[:10]) == {groups[120]}
    assert len(set(groups)) == 12


def test_columns_alone_can_be_loaded_without_a_target(small_table: pd.DataFrame) -> None:
    dataset = prepare.load_columns(small_table, recipe=RECIPE)
    assert {column.name for column in dataset.schema.features} == {"age", "income", "city", "bought"}
    assert (dataset.target == 0).all()


def test_a_second_file_is_read_as_the_first_ones_columns(small_table: pd.DataFrame, tmp_path: Path) -> None:
    dataset = load(small_table)
    assert prepare.read_new(dataset, None, RECIPE) is None
    small_table.head(7).drop(columns="bought").assign(extra=1).to_csv(tmp_path / "new.csv", index=False)
    new = prepare.read_new(dataset, tmp_path / "new.csv", RECIPE)
    assert new is not None
    assert list(new.columns) == ["age", "income", "city"]
    np.testing.assert_allclose(new["income"], small_table["income"].head(7))


@pytest.fixture
def large_new(small_table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A second file of 2,400 rows that is read in pieces of a few hundred, of which 300 rows are kept."""
    monkeypatch.setattr("automl.data.sample.LEAST_BYTES", 1)
    monkeypatch.setattr("automl.data.sample.FEWEST_ROWS", 300)
    monkeypatch.setattr("automl.data.readers.csv.STREAM_BYTES", 8192)
    pd.concat([small_table] * 20).to_csv(tmp_path / "new.csv", index=False)
    return tmp_path / "new.csv"


def test_of_a_large_second_file_some_rows_are_drawn(small_table: pd.DataFrame, large_new: Path) -> None:
    told: list[Event] = []
    new = prepare.read_new(load(small_table), large_new, RECIPE, labelled=True, tell=told.append)
    assert new is not None
    assert (len(new), list(new.columns)) == (300, ["age", "income", "city"])
    assert set(new["income"].dropna()) <= set(small_table["income"])
    assert told == []
    with pytest.raises(DataError, match="has no target column 'sold'"):
        prepare.read_new(load(small_table.rename(columns={"bought": "sold"}), "sold"), large_new, RECIPE, labelled=True)


def test_how_far_a_large_second_file_was_read_in_the_time_is_told(small_table: pd.DataFrame, large_new: Path) -> None:
    told: list[Event] = []
    prepare.read_new(load(small_table), large_new, RECIPE, deadline=time.monotonic(), tell=told.append)
    (decision,) = told
    assert isinstance(decision, Decision)
    assert re.fullmatch(rf"only the first \d+ rows of {large_new} are held against the data", decision.text)


def test_a_risk_of_hundreds_of_columns_is_told_eight_times() -> None:
    dataset = load(pd.DataFrame({"x": np.arange(30) % 7, "y": ["a", "b"] * 15}), "y")
    findings = [Finding(kind="time_order", severity="risk", text=f"column {i}") for i in range(300)]
    events = list(prepare.tell_of_data(dataset, [*findings, Finding(kind="constant", severity="note", text="flat")]))
    warnings = [event.text for event in events if isinstance(event, WarningRaised)]
    assert warnings[:8] == [f"column {i}" for i in range(8)]
    assert warnings[8:] == ["292 more findings of this risk (time_order) stand in the report"]
    assert sum(isinstance(event, Decision) and event.topic == "time_order" for event in events) == 292


def test_word_vectors_are_read_while_there_is_time_and_how_far_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.preprocess.word_vectors.LINES_AT_ONCE", 2)
    path = tmp_path / "glove.txt"
    path.write_text("the 0 0\ngood 7 8\na 1 1\nfood 5 6\n", encoding="utf-8")
    recipe = RECIPE.override({"data": {"embeddings": str(path)}})
    table = make_table(["good food"] * 5)
    told = [
        (event.text, event.reason)
        for deadline in (float("inf"), time.monotonic())
        for event in prepare.prepare_texts(tmp_path, table, recipe, deadline=deadline)
        if isinstance(event, Decision) and "vector" in event.text
    ]
    assert told == [
        ("2 of 2 words have a vector", f"from {path}"),
        ("1 of 2 words have a vector", f"from {path}, of which the time was enough for 2 lines"),
    ]
