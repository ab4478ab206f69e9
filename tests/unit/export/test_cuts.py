"""Which models are left of a member that is cut for the sake of size or time."""

from __future__ import annotations

from typing import Any

from automl.ensemble.bag import FoldModel, Member
from automl.export._cuts import _cut_member

NOTHING: Any = None
FIRST, SECOND, WHOLE = (FoldModel(name, NOTHING, NOTHING) for name in ("first", "second", "whole"))


def test_where_one_model_is_to_answer_it_is_the_one_that_has_learned_from_all_rows() -> None:
    member = Member("m", "xgboost", 1.0, (FIRST, SECOND), whole=WHOLE)
    assert _cut_member(member, 1).models == (WHOLE,)
    assert _cut_member(member, 2).models == (FIRST, SECOND, WHOLE)


def test_without_such_a_model_it_is_that_of_the_first_fold() -> None:
    member = Member("m", "linear", 1.0, (FIRST, SECOND))
    assert _cut_member(member, 1).models == (FIRST,)
