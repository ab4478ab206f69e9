"""From a frame to a data set: rows, weights, groups, times, and what a model must later accept."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.data.infer import TOO_SHORT
from automl.data.load import load_dataset
from automl.errors import DataError
from automl.recipe import Recipe, build_recipe
from automl.schema import Role
from automl.task import TaskKind

N = 60


def frame_of(**columns: object) -> pd.DataFrame:
    base = {"x": np.arange(N) ** 2 % 53, "c": ["a", "b", "c"] * (N // 3), "y": ["no", "yes"] * (N // 2)}
    return pd.DataFrame({**base, **columns})


def recipe_of(task: str = "auto", **data: object) -> Recipe:
    return build_recipe({"task": task, "data": data}, source="test")


def test_rows_keep_their_number_in_the_source_when_targets_are_missing() -> None:
    target = [None if i in (0, 7) else "ab"[i % 2] for i in range(N)]
    dataset = load_dataset(frame_of(y=target), target="y", recipe=Recipe())
    assert dataset.row_ids[:8].tolist() == [1, 2, 3, 4, 5, 6, 8, 9]
    assert dataset.n_rows == N - 2 == len(dataset.frame)
    assert dataset.target[:3].tolist() == [1, 0, 1]
    assert dataset.frame.index.tolist() == list(range(N - 2))


def test_weights_are_scaled_to_mean_one_and_leave_the_features() -> None:
    dataset = load_dataset(frame_of(w=[1, 3] * (N // 2)), target="y", recipe=recipe_of(weight="w"))
    assert dataset.weight is not None
    assert dataset.weight[:2].tolist() == [0.5, 1.5]
    assert list(dataset.frame.columns) == ["x", "c"]
    assert dataset.schema["w"].reason == "weighs the rows"
    assert not dataset.schema["w"].required


def test_groups_are_numbered_and_rows_without_one_stand_alone() -> None:
    groups = ["g1", None, "g2"] * (N // 3)
    dataset = load_dataset(frame_of(g=groups), target="y", recipe=recipe_of(group="g"))
    assert dataset.groups is not None
    assert dataset.groups[:6].tolist() == [0, 2, 1, 0, 3, 1]
    with pytest.raises(DataError, match="1 group"):
        load_dataset(frame_of(g="one"), target="y", recipe=recipe_of(group="g"))


@pytest.mark.parametrize(
    ("cells", "first", "second"),
    [
        (pd.date_range("1970-01-02", periods=N, freq="D"), 86400.0, 172800.0),
        ([f"{day % 28 + 1:02d}.01.1970" for day in range(N)], 0.0, 86400.0),
        (list(range(N)), 0.0, 1.0),
        ([1700000000 + 60 * i for i in range(N)], 1.7e9, 1.7e9 + 60),
    ],
)
def test_a_time_column_gives_seconds(cells: object, first: float, second: float) -> None:
    dataset = load_dataset(frame_of(when=cells), target="y", recipe=recipe_of(time="when"))
    assert dataset.times is not None
    assert dataset.times[:2].tolist() == [first, second]
    assert "when" not in dataset.frame


def test_a_time_column_without_dates_or_with_gaps_is_refused() -> None:
    with pytest.raises(DataError, match="holds no dates, but"):
        load_dataset(frame_of(), target="y", recipe=recipe_of(time="c"))
    with pytest.raises(DataError, match="missing in 1 row"):
        load_dataset(frame_of(when=[None, *range(1, N)]), target="y", recipe=recipe_of(time="when"))


def test_dropped_columns_stay_in_the_schema_with_their_reason() -> None:
    dataset = load_dataset(frame_of(), target="y", recipe=recipe_of(drop=["c"]))
    assert dataset.schema["c"].role is Role.IGNORE
    assert dataset.schema["c"].reason == "left out as asked"
    assert dataset.schema.names == ("x", "c")
    assert dataset.schema.check(pd.DataFrame({"x": [1], "c": ["a"]})) == []


def test_all_unknown_columns_are_told_together() -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(frame_of(), target="y", recipe=recipe_of(drop=["cc"], roles={"z": "date"}, group="g"))
    assert caught.value.message == "The table has no column 'cc' (--drop), 'z' (--role), 'g' (--group)"


def test_the_target_cannot_be_dropped_or_grouped_by() -> None:
    for options in ({"drop": ["y"]}, {"group": "y"}, {"roles": {"y": "number"}}):
        with pytest.raises(DataError, match="'y' is the target"):
            load_dataset(frame_of(), target="y", recipe=recipe_of(**options))


def test_the_fingerprint_follows_the_content() -> None:
    one = load_dataset(frame_of(), target="y", recipe=Recipe())
    same = load_dataset(frame_of(), target="y", recipe=Recipe())
    changed = frame_of()
    changed.loc[N - 1, "c"] = "b"
    other = load_dataset(changed, target="y", recipe=Recipe())
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert len(one.fingerprint) == 16


@pytest.mark.parametrize(
    ("target", "kind", "classes", "label_type"),
    [
        (["no", "yes"] * 30, TaskKind.BINARY, ("no", "yes"), "str"),
        ([10, 9, 2] * 20, TaskKind.MULTICLASS, ("2", "9", "10"), "int"),
        ([1.0, 2.0, 3.0] * 20, TaskKind.MULTICLASS, ("1", "2", "3"), "float"),
        ([True, False] * 30, TaskKind.BINARY, ("False", "True"), "bool"),
        ([True, None, False] * 20, TaskKind.BINARY, ("False", "True"), "bool"),
        (["0", "1"] * 30, TaskKind.BINARY, ("0", "1"), "int"),
        (["0.0", "1.0"] * 30, TaskKind.BINARY, ("0", "1"), "float"),
        (["true", "false"] * 30, TaskKind.BINARY, ("false", "true"), "str"),
        (["01", "02", "03"] * 20, TaskKind.MULTICLASS, ("01", "02", "03"), "str"),
        (["10", "9", "z", "a"] * 15, TaskKind.MULTICLASS, ("10", "9", "a", "z"), "str"),
        ([0.5, 1.25, 3.0] * 20, TaskKind.REGRESSION, (), "float"),
        (list(range(60)), TaskKind.REGRESSION, (), "float"),
        (["1,5", "2,5", "7"] * 20, TaskKind.REGRESSION, (), "float"),
        (pd.Categorical(["3", "1", "2"] * 20), TaskKind.MULTICLASS, ("1", "2", "3"), "str"),
        ([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110] * 5, TaskKind.REGRESSION, (), "float"),
    ],
)
def test_classes_and_numbers_are_told_apart(
    target: object, kind: TaskKind, classes: tuple[str, ...], label_type: str
) -> None:
    task = load_dataset(frame_of(y=target), target="y", recipe=Recipe()).task
    assert (task.kind, task.classes, task.label_type) == (kind, classes, label_type)
    assert task.reason


def test_the_task_can_be_named() -> None:
    numbers = frame_of(y=[1, 2, 3] * 20)
    assert load_dataset(numbers, target="y", recipe=recipe_of("regression")).task.kind is TaskKind.REGRESSION
    many = frame_of(y=list(range(30)) * 2)
    assert load_dataset(many, target="y", recipe=recipe_of("multiclass")).task.n_classes == 30
    truth = load_dataset(frame_of(y=[True, False] * 30), target="y", recipe=recipe_of("regression"))
    assert truth.target[:2].tolist() == [1.0, 0.0]


def test_a_model_reads_other_spellings_of_its_training_rows_alike() -> None:
    """Integers become floats where a cell is missing, truth values 0 and 1, dates another dialect."""
    training = frame_of(
        code=["00501", "10115", None] * (N // 3),
        grade=["1", "2", "x"] * (N // 3),
        member=[True, False] * (N // 2),
        when=[f"{day % 28 + 1:02d}/02/2024" for day in range(N)],
        price=[f"${i},{i:03d}.50" for i in range(N)],
    )
    schema = load_dataset(training, target="y", recipe=Recipe()).schema
    one = pd.DataFrame(
        {"x": [4], "c": ["a"], "code": ["00501"], "grade": [1.0], "member": [1], "when": ["2024-02-03"], "price": [7.5]}
    )
    other = pd.DataFrame(
        {
            "x": ["4.0"],
            "c": [" a "],
            "code": ["00501 "],
            "grade": ["1"],
            "member": ["true"],
            "when": ["03/02/2024"],
            "price": ["$7.50"],
        }
    )
    pd.testing.assert_frame_equal(schema.parse(one), schema.parse(other))
    assert schema.parse(one).iloc[0].tolist() == [4.0, "a", "00501", "1", "True", pd.Timestamp("2024-02-03"), 7.5]


def test_columns_named_by_numbers_are_text_from_then_on() -> None:
    frame = pd.DataFrame({0: np.arange(N) ** 2 % 53, 1: ["a", "b"] * (N // 2)})
    dataset = load_dataset(frame, target="1", recipe=Recipe())
    assert dataset.schema.names == ("0",)
    assert dataset.schema.parse(frame).columns.tolist() == ["0"]


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pd.DataFrame([[1, 2, "a"]] * N, columns=["x", "x", "y"])
    with pytest.raises(DataError, match="same name: 'x'"):
        load_dataset(frame, target="y", recipe=Recipe())


def test_levels_come_most_frequent_first_and_ties_by_name() -> None:
    words = ["b", "b", "a", "c"] * (N // 4)
    dataset = load_dataset(frame_of(c=words), target="y", recipe=Recipe())
    assert dataset.schema["c"].levels == ("b", "a", "c")


def test_the_callers_frame_is_left_as_it_was() -> None:
    frame = frame_of()
    before = frame.copy(deep=True)
    load_dataset(frame, target="y", recipe=Recipe())
    pd.testing.assert_frame_equal(frame, before)


def test_without_time_the_columns_of_a_wide_table_are_left_out_and_named() -> None:
    frame = pd.DataFrame({f"x{i}": np.arange(30) * 1.5 + i for i in range(140)} | {"y": ["a", "b"] * 15})
    recipe = recipe_of(roles={"x107": "category"}, keep=["x109"])
    dataset = load_dataset(frame, target="y", recipe=recipe, deadline=0.0)
    assert [column.name for column in dataset.schema.features] == [*(f"x{i}" for i in range(100)), "x107", "x109"]
    assert dataset.schema["x103"].reason == TOO_SHORT
    assert any("(38 columns)" in notice.text and notice.reason == TOO_SHORT for notice in dataset.notices)


def test_missing_cells_among_texts_cost_no_more_than_texts() -> None:
    """Each of them was once made a series of its own: 40 s for a table of 600,000."""
    texts = [f"word {i} of {i % 7}" for i in range(1_000)]
    frame = pd.DataFrame({f"t{i}": texts for i in range(30)} | {"y": ["a", "b"] * 500}, dtype=object)
    holes = frame.mask(np.random.default_rng(0).random(frame.shape) < 0.6, None).assign(y=frame["y"])
    spent = []
    for table in (frame, holes):
        began = time.process_time()
        load_dataset(table, target="y", recipe=Recipe())
        spent.append(time.process_time() - began)
    assert spent[1] < 2 * spent[0] + 0.2


def test_cells_that_a_number_asked_for_cannot_read_are_told(tmp_path: Path) -> None:
    cells = [f"{value / 7:.2f}" for value in range(300)]
    cells[::10] = ["keine Angabe"] * 30
    table = pd.DataFrame({"age": cells, "b": np.arange(300) % 7, "y": np.arange(300) / 3})
    table.to_csv(tmp_path / "t.csv", index=False)
    guessed = load_dataset(tmp_path / "t.csv", target="y", recipe=Recipe())
    (told,) = [notice for notice in guessed.notices if "are numbers" in notice.text]
    assert told.text == "age: 90% of the cells are numbers, others such as 'keine Angabe' are not: taken as categories"
    assert told.reason == "--role age=number takes the others as missing"
    recipe = Recipe().override({"data": {"roles": {"age": "number"}}})
    data = load_dataset(tmp_path / "t.csv", target="y", recipe=recipe)
    (told,) = [notice for notice in data.notices if "unreadable" in notice.text]
    assert told.text == "age: 30 unreadable cell(s) count as missing: 'keine Angabe'"


def test_numbers_and_a_truth_value_are_words_of_which_none_is_named(tmp_path: Path) -> None:
    rows = [f'{{"a": {value % 30}, "y": {value % 2}}}' for value in range(60)] + ['{"a": true, "y": 1}']
    (tmp_path / "t.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = load_dataset(tmp_path / "t.jsonl", target="y", recipe=Recipe())
    assert len(data.frame) == 61
    assert not [notice for notice in data.notices if "are numbers" in notice.text]
