"""New rows are predicted as training's reference was: each by one fold's models, or by one a repeat."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from automl.ensemble.bag import BagModel, FoldModel, Member
from automl.matrix import FloatArray
from automl.monitor.predictions import predict_by_folds

NOTHING: Any = None
ROWS = pd.DataFrame({"x": range(7)})


class Named(BagModel):
    """Answers with the mean of what its folds are called."""

    def predict(self, frame: pd.DataFrame) -> FloatArray:
        answers = [np.mean([float(model.key) for model in member.models]) for member in self.members]
        return np.full((len(frame), 1), np.mean(answers), dtype=np.float32)


def ask(*folds: tuple[int, ...], repeats: int = 1, whole: int | None = None) -> list[float]:
    """The answers for all rows by members with these folds."""

    def name(number: int) -> FoldModel:
        return FoldModel(str(number), NOTHING, NOTHING)

    members = tuple(
        Member("m", "linear", 1 / len(folds), tuple(map(name, own)), whole=None if whole is None else name(whole))
        for own in folds
    )
    model = Named(NOTHING, NOTHING, members)
    predictor = cast(Any, SimpleNamespace(model=model, task=SimpleNamespace(n_outputs=1)))
    return predict_by_folds(predictor, ROWS, {"repeats": repeats})[:, 0].tolist()


def test_each_row_is_answered_by_one_fold_in_turn() -> None:
    assert ask((0, 10, 20)) == [0, 10, 20, 0, 10, 20, 0]


def test_a_member_with_fewer_folds_has_its_turn_again_and_no_model_of_all_rows_is_asked() -> None:
    assert ask((0, 10, 20), (100, 200)) == [50, 105, 60, 50, 105, 60, 50]
    assert ask((0, 10), whole=1000) == [0, 10, 0, 10, 0, 10, 0]


@pytest.mark.parametrize(("folds", "answers"), [((0, 10, 2, 12), [1, 11] * 3 + [1]), ((4, 8, 100), [6] * 7)])
def test_of_several_repeats_one_fold_of_each_answers(folds: tuple[int, ...], answers: list[float]) -> None:
    assert ask(folds, repeats=2) == answers


def test_a_member_with_fewer_folds_than_repeats_answers_by_all_it_has() -> None:
    assert ask((0, 10, 2, 12, 4, 14), (100, 200), repeats=3) == [(2 + 150) / 2, (12 + 150) / 2] * 3 + [76]


def test_where_there_are_too_few_folds_the_model_answers_as_it_does() -> None:
    assert ask((3,), repeats=2) == [3] * 7
