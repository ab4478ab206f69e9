"""What the parent need not do twice: matrices that nobody asks for again, verdicts that stand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from automl.search.families import Families
from automl.search.oof import Oofs
from automl.search.plans import Plans
from automl.search.racing import Race
from automl.search.trial import TrialSpec
from tests.unit.search.runs import StoredRun, make_multiclass_table, store_run


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    return store_run(tmp_path / "run", make_multiclass_table(), "kind")


def make_spec(number: int, scale: str, origin: str) -> TrialSpec:
    params = {"preprocess.scale": scale, "model.C": 1.0}
    return TrialSpec(number=number, candidate="linear", params=params, origin=origin, label="")


def test_only_matrices_of_tuned_configurations_that_nobody_else_uses_go(stored: StoredRun) -> None:
    plans = Plans(Families(stored.recipe, stored.data.task, stored.data.table))
    usual, own, again = (
        make_spec(0, "standard", "portfolio"), make_spec(1, "power", "tpe"), make_spec(2, "power", "tpe")
    )  # fmt: skip
    assert plans.name_unused(usual, []) == ""
    assert plans.name_unused(make_spec(3, "standard", "tpe"), []) == ""
    assert plans.name_unused(own, [again]) == ""
    assert plans.name_unused(again, []).startswith("search/cache/")


def test_matrices_of_the_configurations_before_a_kill_stay(stored: StoredRun) -> None:
    gone = dataclasses.replace(make_spec(3, "standard", "portfolio"), candidate="a plug-in of before")
    before = [make_spec(0, "standard", "portfolio"), make_spec(1, "power", "tpe"), gone]
    plans = Plans(Families(stored.recipe, stored.data.task, stored.data.table), before)
    assert plans.name_unused(make_spec(4, "standard", "tpe"), []) == ""
    assert plans.name_unused(make_spec(5, "power", "tpe"), []).startswith("search/cache/")


def test_a_verdict_stands_until_the_best_or_the_ensemble_is_another(stored: StoredRun) -> None:
    oofs = Oofs(stored.run, stored.data)
    race = Race(stored.run, stored.data, oofs, wanted=True)
    blend = np.zeros((3, 2), dtype=np.float32)
    assert race.has_moved(blend)
    assert not race.has_moved(blend)
    assert race.has_moved(blend.copy())
    oofs.scores[4] = 0.5
    oofs.scores[5] = 0.4
    assert race.has_moved(None)
    assert not race.has_moved(None)
