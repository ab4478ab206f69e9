"""Task: its JSON, and labels in the type they had."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automl.task import Task, TaskKind

TASKS = [
    Task(
        kind=TaskKind.BINARY,
        target="churn",
        classes=("no", "yes"),
        metric="roc_auc",
        maximize=True,
        reason="two values",
    ),
    Task(kind=TaskKind.MULTICLASS, target="größe", classes=("1", "2", "10"), label_type="int"),
    Task(kind=TaskKind.REGRESSION, target="price", metric="rmse"),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: str(task.kind))
def test_a_task_reads_back_from_json_as_an_equal_object(task: Task) -> None:
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task


def test_outputs_are_one_a_class_or_one_for_a_value() -> None:
    assert [task.n_outputs for task in TASKS] == [2, 3, 1]
    assert [task.n_classes for task in TASKS] == [2, 3, 0]
    assert [task.is_classification for task in TASKS] == [True, True, False]


@pytest.mark.parametrize(
    ("label_type", "label", "value"),
    [("str", "01", "01"), ("int", "10", 10), ("int", "10.0", 10), ("float", "0.5", 0.5), ("bool", "False", False)],
)
def test_a_label_comes_back_in_the_type_it_had(label_type: str, label: str, value: Any) -> None:
    got = Task(kind=TaskKind.BINARY, target="y", classes=(label, "other"), label_type=label_type).convert_label(label)
    assert got == value
    assert type(got) is type(value)
