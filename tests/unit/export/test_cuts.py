"""Which models are left of a member that is cut for the sake of size or time."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from automl.ensemble.bag import BagModel, FoldModel, Member
from automl.export._bundle import open_source
from automl.export._cuts import _cut, _cut_member, _score
from tests.unit.export.models import LAYER, store_model

NOTHING: Any = None
FIRST, SECOND, WHOLE = (FoldModel(name, NOTHING, NOTHING) for name in ("first", "second", "whole"))


def test_where_one_model_is_to_answer_it_is_the_one_that_has_learned_from_all_rows() -> None:
    member = Member("m", "xgboost", 1.0, (FIRST, SECOND), whole=WHOLE)
    assert _cut_member(member, 1).models == (WHOLE,)
    assert _cut_member(member, 2).models == (FIRST, SECOND, WHOLE)


def test_without_such_a_model_it_is_that_of_the_first_fold() -> None:
    member = Member("m", "linear", 1.0, (FIRST, SECOND))
    assert _cut_member(member, 1).models == (FIRST,)


def test_a_second_layer_joins_all_members_or_none(tmp_path: Path) -> None:
    source = open_source(store_model(tmp_path / "run", layer=LAYER).run.path)
    model = source.predictor.model
    assert isinstance(model, BagModel)
    whole, part = _cut(model, [2, 0, 1], 2), _cut(model, [0, 1], 2)
    assert (whole.layer, [member.name for member in whole.members]) == (LAYER, [m.name for m in model.members])
    assert (part.layer, sum(member.weight for member in part.members)) == (None, pytest.approx(1.0))
    assert _score(source, [2, 0, 1]) == _score(source, [0, 1, 2]) != _score(source, [0, 1])


def test_a_cut_of_what_is_left_is_scored_by_the_members_that_it_holds(tmp_path: Path) -> None:
    source = open_source(store_model(tmp_path / "run").run.path)
    model = source.predictor.model
    assert isinstance(model, BagModel)
    rest = dataclasses.replace(source, predictor=dataclasses.replace(source.predictor, model=_cut(model, [1, 2], 2)))
    assert _score(rest, [0]) == _score(source, [1]) != _score(source, [0])
