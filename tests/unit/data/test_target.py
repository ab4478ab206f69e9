"""When a target's logarithm is worth learning."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.load import load_dataset
from automl.data.target import infer_task, is_skewed
from automl.recipe import Recipe
from automl.task import Task

DRAWN = np.random.default_rng(0).normal(size=2000)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.exp(DRAWN), True),
        (1000 * np.exp(0.5 * DRAWN), True),
        (DRAWN + 100, False),
        (-np.exp(DRAWN), False),
        (np.exp(DRAWN) - 0.5, False),  # some lie below zero
        (np.append(np.exp(DRAWN), 0.0), True),
        (np.where(DRAWN > 0, np.exp(DRAWN), 0.0), False),  # nothing is a value of its own
        (1e6 + np.exp(DRAWN), False),  # its logarithm is as skewed
        (np.exp(DRAWN)[:20], False),  # too few to tell
        (np.full(100, 7.0), False),
    ],
)
def test_a_target_not_below_zero_that_leans_to_the_right_is_skewed(values: np.ndarray, expected: bool) -> None:
    assert is_skewed(values) is expected


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=0, max_size=80))
def test_any_numbers_have_an_answer(values: list[float]) -> None:
    assert is_skewed(np.array(values)) in (True, False)


def test_the_task_remembers_it() -> None:
    task, _, _ = infer_task(pd.Series(np.exp(DRAWN), name="price"), Recipe())
    assert task.skewed
    assert Task.from_json(task.to_json()) == task
    assert not infer_task(pd.Series(DRAWN, name="change"), Recipe())[0].skewed


def test_ids_beyond_what_a_float_holds_are_classes_as_they_are_written() -> None:
    ids = [1234567890123456789 + step for step in (0, 1, 2)]
    frame = pd.DataFrame({"x": DRAWN[:90], "author": ids * 30})
    for given_frame in (frame, frame.astype({"author": "str"})):
        task = load_dataset(given_frame, target="author", recipe=Recipe()).task
        assert (task.classes, task.label_type) == (tuple(map(str, ids)), "str")


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (1.7e9 + 1_000 * DRAWN, "128"),  # moments of an hour, in seconds since 1970
        (2_460_000 + 10 * DRAWN, "0.25"),  # Julian dates of a month
        (1e6 + 1e5 * DRAWN, ""),
        (np.exp(DRAWN), ""),
    ],
)
def test_it_is_said_that_a_target_far_from_0_has_coarse_answers(values: np.ndarray, step: str) -> None:
    notices = infer_task(pd.Series(values, name="y"), Recipe())[2]
    told = [notice.text for notice in notices if "far from 0" in notice.text]
    assert told == ([f"'y' is so far from 0 that answers come in steps of {step}"] if step else [])
