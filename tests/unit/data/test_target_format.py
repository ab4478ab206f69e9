"""A target's cells are read in the same way when the model is made and ever after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.data.load import load_dataset
from automl.data.target import infer_task
from automl.errors import DataError
from automl.predictor import encode_target
from automl.recipe import Recipe
from automl.task import Task, TaskKind

VALUES = np.round(np.exp(np.random.default_rng(3).normal(8, 0.8, 200))).astype(np.int64)


def dotted(value: int) -> str:
    return f"{value:,}".replace(",", ".")


@pytest.mark.parametrize(
    "style",
    [
        lambda value: f"${value:,}",
        lambda value: f"{value:,}",
        lambda value: f"{value},50",
        lambda value: f"{value / 100:.2f}%",
        lambda value: f"{dotted(value)},75 €",
        lambda value: f"{value}.5",
    ],
    ids=["dollars", "thousands", "decimal comma", "per cent", "euro", "plain"],
)
def test_labels_that_come_later_are_read_as_those_of_training(style) -> None:  # type: ignore[no-untyped-def]
    cells = pd.Series([style(int(value)) for value in VALUES], name="price", dtype="str")
    task, target, notices = infer_task(cells, Recipe())
    assert task.kind is TaskKind.REGRESSION
    assert np.ptp(target) > 10
    np.testing.assert_array_equal(encode_target(cells, task), target)
    np.testing.assert_array_equal(encode_target(cells[:3], task), target[:3])  # few cells are read another way
    again = Task.from_json(task.to_json())
    assert again == task
    told = [notice.text for notice in notices if "is read as numbers with" in notice.text]
    assert bool(told) == (style(1234) not in ("1234.5",))


def test_a_task_of_an_earlier_version_has_a_plain_format() -> None:
    record = {**Task(kind=TaskKind.REGRESSION, target="y").to_json()}
    del record["format"]
    assert Task.from_json(record) == Task(kind=TaskKind.REGRESSION, target="y")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_dots_between_thousands_are_read_as_in_the_other_columns(tmp_path: Path, separator: str) -> None:
    rng = np.random.default_rng(4)
    lines = [
        separator.join((f"{rng.normal():.2f}".replace(".", ","), dotted(int(value)), dotted(int(value))))
        for value in VALUES
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join([separator.join(("area", "revenue", "price")), *lines]) + "\n", encoding="utf-8")
    data = load_dataset(path, target="price", recipe=Recipe())
    np.testing.assert_array_equal(data.target, VALUES)
    np.testing.assert_array_equal(data.frame["revenue"].to_numpy(), VALUES)
    (told,) = [notice for notice in data.notices if "'price' is read as numbers" in notice.text]
    assert "thousands" in told.text
    assert told.reason == "the dot could also be a decimal mark"


def test_three_digits_behind_a_nought_are_no_thousands(tmp_path: Path) -> None:
    """A file of semicolons with decimal points."""
    shares = np.round(np.random.default_rng(5).uniform(0, 3, 200), 3)
    lines = [f"{share:.3f};{share:.3f}" for share in shares]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a;share", *lines]) + "\n", encoding="utf-8")
    data = load_dataset(path, target="share", recipe=Recipe())
    np.testing.assert_allclose(data.target, shares)
    np.testing.assert_allclose(data.frame["a"].to_numpy(), shares)


def test_numbers_that_mean_nothing_in_a_target_are_told() -> None:
    cells = pd.Series([*np.linspace(-90.5, 90, 180), *[-999] * 20], name="change")
    notices = infer_task(cells, Recipe())[2]
    assert [notice.text for notice in notices if "-999" in notice.text] == [
        "20 cells of 'change' are -999, far from all others, and stay numbers"
    ]


def test_a_class_that_says_that_nothing_is_known_is_told() -> None:
    cells = pd.Series(["yes", "no"] * 90 + ["unknown"] * 20, name="bought", dtype="str")
    task, _, notices = infer_task(cells, Recipe())
    assert task.classes == ("no", "unknown", "yes")
    assert "'unknown' counts as a class, of 20 rows" in [notice.text for notice in notices]


def test_a_few_words_among_numbers_are_named_whatever_task_is_asked_for() -> None:
    numbers = [f"{value / 7:.2f}" for value in VALUES]
    cells = pd.Series([*numbers, *["see note"] * 8], name="price", dtype="str")
    for task in ("auto", "multiclass"):
        with pytest.raises(DataError) as refused:
            infer_task(cells, Recipe().override({"task": task}))
        assert refused.value.hint == "Most are numbers: mend or empty the 8 cells that are none, such as 'see note'"
    with pytest.raises(DataError) as refused:
        infer_task(cells, Recipe().override({"task": "regression"}))
    assert refused.value.hint == "Mend or empty the 8 of 208 cells that are no numbers"


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (pd.Series(["True", "False", "True"] * 10, dtype="str"), [1, 0, 1]),
        (pd.Series(["05", "12", None] * 10, dtype="str"), [5, 12, np.nan]),
        (pd.Series(pd.Categorical(["3", "1", "2"] * 10)), [3, 1, 2]),
    ],
    ids=["truth", "leading zeros", "categories"],
)
def test_what_can_be_read_as_numbers_is_learned_as_such_if_asked_for(cells: pd.Series, values: list[float]) -> None:
    cells = cells.rename("y")
    task, target, _ = infer_task(cells, Recipe().override({"task": "regression"}))
    assert task.kind is TaskKind.REGRESSION
    np.testing.assert_array_equal(target, values * 10)
    np.testing.assert_array_equal(encode_target(cells, task), target)


def test_a_rare_word_among_classes_that_are_numbers_is_a_class() -> None:
    cells = pd.Series([*["1", "2", "3"] * 100, *["K"] * 3, "-"], name="grade", dtype="str")
    task, target, notices = infer_task(cells, Recipe())
    assert task.classes == ("-", "1", "2", "3", "K")
    assert (target >= 0).all()
    np.testing.assert_array_equal(encode_target(cells, task), target)
    assert "'-' counts as a class, of 1 rows" in [notice.text for notice in notices]


@pytest.mark.parametrize("mark", ["unknown", "None", "-", "?"])
@pytest.mark.parametrize(
    "known", [["0", "1", "2"] * 60, [f"{value}.5" for value in range(180)]], ids=["classes", "numbers"]
)
def test_what_counts_as_missing_among_numbers_is_named(known: list[str], mark: str) -> None:
    task, target, notices = infer_task(pd.Series([*known, *[mark] * 20], name="severity", dtype="str"), Recipe())
    gone = target < 0 if task.is_classification else np.isnan(target)
    assert gone.sum() == 20
    assert f"20 cell(s) that hold {mark!r} count as missing" in [notice.text for notice in notices]
