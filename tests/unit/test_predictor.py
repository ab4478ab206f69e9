"""The model as its user sees it: labels come back as they were in the data, rows in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.errors import DataError, SchemaMismatchError, UsageError
from automl.intervals import learn_intervals
from automl.matrix import FloatArray
from automl.predictor import Predictor, encode_target
from automl.schema import Column, Role, Schema
from automl.task import Task, TaskKind

SCHEMA = Schema((Column(name="p", role=Role.NUMBER), Column(name="q", role=Role.NUMBER)))
BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"))
MULTICLASS = Task(kind=TaskKind.MULTICLASS, target="y", classes=("1", "2", "10"), label_type="int")
REGRESSION = Task(kind=TaskKind.REGRESSION, target="y")


class Echo:
    """Answers with the columns it is given: p is the positive class's probability, or the value."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def predict(self, frame: pd.DataFrame) -> FloatArray:
        p, q = frame["p"].to_numpy(), frame["q"].to_numpy()
        columns = {TaskKind.BINARY: [1 - p, p], TaskKind.MULTICLASS: [p, q, 1 - p - q], TaskKind.REGRESSION: [p]}
        return np.column_stack(columns[self.task.kind]).astype(np.float32)


def make_predictor(task: Task, **options: Any) -> Predictor:
    return Predictor(SCHEMA, task, Echo(task), **options)


def make_frame(*p: float) -> pd.DataFrame:
    return pd.DataFrame({"q": 0.25, "p": p}, index=[f"row {at}" for at in range(len(p))])


def test_two_classes_are_decided_at_the_threshold() -> None:
    frame = make_frame(0.2, 0.5, 0.49, 0.9)
    assert make_predictor(BINARY).predict(frame).tolist() == ["no", "yes", "no", "yes"]
    assert make_predictor(BINARY, threshold=0.2).predict(frame).tolist() == ["yes"] * 4
    assert make_predictor(BINARY, threshold=0.95).predict(frame).tolist() == ["no"] * 4


def test_several_classes_are_decided_by_the_likeliest() -> None:
    assert make_predictor(MULTICLASS).predict(make_frame(0.7, 0.2, 0.0)).tolist() == [1, 10, 10]


@pytest.mark.parametrize(
    ("label_type", "classes", "labels", "dtype"),
    [
        ("str", ("no", "yes"), ["no", "yes"], "<U3"),
        ("int", ("0", "1"), [0, 1], "int64"),
        ("int", ("0", "1.0"), [0, 1], "int64"),
        ("float", ("0.5", "1.5"), [0.5, 1.5], "float64"),
        ("bool", ("False", "True"), [False, True], "bool"),
    ],
)
def test_labels_have_the_type_they_had_in_the_data(
    label_type: str, classes: tuple[str, ...], labels: list[Any], dtype: str
) -> None:
    task = Task(kind=TaskKind.BINARY, target="y", classes=classes, label_type=label_type)
    found = make_predictor(task).predict(make_frame(0.1, 0.9))
    assert (found.tolist(), str(found.dtype)) == (labels, dtype)


def test_the_target_in_a_table_is_no_column_unknown_to_the_model() -> None:
    frame = make_frame(0.5, 0.7).assign(y=["a", "b"], more=[1, 2])
    told = [notice.text for notice in make_predictor(REGRESSION).check(frame)]
    assert told == ["ignored 1 column(s) unknown to the model: 'more'"]


def test_values_are_float64() -> None:
    found = make_predictor(REGRESSION).predict(make_frame(0.5, -3.0))
    assert (found.tolist(), str(found.dtype)) == ([0.5, -3.0], "float64")


def test_probabilities_carry_the_labels_and_the_index_of_the_table() -> None:
    frame = make_frame(0.25, 0.75)
    found = make_predictor(MULTICLASS).predict_proba(frame)
    assert found.columns.tolist() == [1, 2, 10]
    assert found.index.tolist() == ["row 0", "row 1"]
    assert found.to_numpy().tolist() == [[0.25, 0.25, 0.5], [0.75, 0.25, 0.0]]


def test_a_regression_model_has_no_probabilities() -> None:
    with pytest.raises(DataError, match="no class probabilities"):
        make_predictor(REGRESSION).predict_proba(make_frame(0.5))


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_no_rows_give_no_predictions(task: Task) -> None:
    predictor = make_predictor(task)
    assert predictor.predict_outputs(make_frame()).shape == (0, task.n_outputs)
    assert predictor.predict(make_frame()).shape == (0,)
    if task.is_classification:
        assert predictor.predict_proba(make_frame()).shape == (0, task.n_outputs)


def test_columns_may_stand_in_any_order_among_others_as_text() -> None:
    frame = pd.DataFrame({"other": ["x", "y"], "q": ["0.25", "0.25"], "p": ["0.9", "0.1"]})
    predictor = make_predictor(BINARY)
    assert predictor.predict(frame).tolist() == ["yes", "no"]
    assert [notice.topic for notice in predictor.check(frame)] == ["columns"]


def test_a_missing_column_is_refused_by_name() -> None:
    with pytest.raises(SchemaMismatchError, match="lacks 1 of the model's columns: 'p'"):
        make_predictor(BINARY).predict(pd.DataFrame({"q": [1.0]}))


def test_the_target_of_a_labelled_table_is_read_as_in_training() -> None:
    labels = pd.Series(["yes", None, "no", "never seen", " yes "])
    assert make_predictor(BINARY).encode_target(labels)[:4].tolist() == [1, -1, 0, -1]
    numbers = make_predictor(MULTICLASS).encode_target(pd.Series([10, 1, 2, 7]))
    assert numbers.tolist() == [2, 0, 1, -1]
    assert numbers.dtype == np.int64
    values = make_predictor(REGRESSION).encode_target(pd.Series(["1.5", "", "x"]))
    np.testing.assert_array_equal(values, [1.5, np.nan, np.nan])


def test_the_target_is_found_or_the_nearest_name_is_suggested() -> None:
    task = Task(kind=TaskKind.REGRESSION, target="price")
    predictor = make_predictor(task)
    assert predictor.find_target(pd.DataFrame({"price": [1.0]})).tolist() == [1.0]
    with pytest.raises(DataError, match="no target column 'price'") as caught:
        predictor.find_target(pd.DataFrame({"Price": [1.0]}))
    assert caught.value.hint == "Did you mean 'Price'?"


@pytest.mark.parametrize("labels", [("false", "true"), ("FALSE", "TRUE")])
def test_truth_values_stand_for_classes_that_were_written_so(labels: tuple[str, str]) -> None:
    task = Task(kind=TaskKind.BINARY, target="y", classes=labels)
    for cells in ([True, False, None], [labels[1], labels[0], ""]):
        assert encode_target(pd.Series(cells, dtype=object), task).tolist() == [1, 0, -1]


def test_an_interval_of_values_is_a_frame_with_the_rows_of_the_table() -> None:
    intervals = learn_intervals(np.linspace(-1, 1, 2_001), np.zeros(2_001))
    predictor = make_predictor(REGRESSION, intervals=intervals)
    ends = predictor.predict_interval(make_frame(0.5, 7.0), 0.8)
    assert list(ends.index) == ["row 0", "row 1"] and list(ends.columns) == ["low", "high"]
    np.testing.assert_allclose(ends, [[-0.3, 1.3], [6.2, 7.8]], atol=0.01)


def test_classes_have_no_intervals_and_not_every_model_knows_its_own() -> None:
    with pytest.raises(UsageError, match="'y' has classes, and intervals are of numbers"):
        make_predictor(BINARY).predict_interval(make_frame(0.5))
    with pytest.raises(UsageError, match="knows no intervals"):
        make_predictor(REGRESSION).predict_interval(make_frame(0.5))
