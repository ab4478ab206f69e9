"""Champion and challenger on rows that neither has seen: who is asked what."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd

from automl.monitor.challenge import _labels
from automl.task import Task, TaskKind


def label(kind: TaskKind, known: tuple[str, ...], classes: list[str]) -> list[int]:
    """Places in `classes` of a, b, c and a missing label, by a challenger that knows some of them."""
    task = Task(kind=kind, target="y", classes=known)
    rows = pd.DataFrame({"y": ["a", "b", "c", None]})
    challenger = cast(Any, SimpleNamespace(task=task, find_target=lambda frame: frame["y"]))
    found: list[int] = _labels(challenger, rows, classes).tolist()
    return found


def test_rows_of_a_class_that_the_challenger_has_never_seen_judge_it_too() -> None:
    assert label(TaskKind.MULTICLASS, ("b", "a"), ["a", "b", "c"]) == [0, 1, 2, -1]


def test_of_two_classes_a_third_has_no_place() -> None:
    assert label(TaskKind.BINARY, ("a", "b"), ["a", "b"]) == [0, 1, -1, -1]
