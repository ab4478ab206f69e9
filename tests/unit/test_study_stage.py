"""The flow's stage of studies: all in a run by trials, what was asked for in a short one, nothing without a model."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest

from automl.clock import Clock
from automl.evaluate.studies import read_studies
from automl.flow import _Session
from automl.interrupts import Interrupts
from automl.recipe import Recipe
from tests.unit.evaluate.test_evaluation import HereEngine, train
from tests.unit.search.runs import StoredRun, make_regression_table


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    stored = train(tmp_path / "run", make_regression_table(), "price", data={"sensitive": ["city"]})
    stored.run.update(stages={})
    return stored


def study(stored: StoredRun, seconds: float | None, recipe: Recipe, weights: dict[int, float]) -> dict[str, Any]:
    """What studies.json holds after the stage of a run that has just been evaluated."""
    import time

    clock = Clock(started=time.monotonic(), seconds=seconds)
    session = _Session(stored.run, recipe, clock, HereEngine(), ())  # type: ignore[arg-type]
    session._study(types.SimpleNamespace(weights=weights), Interrupts())  # type: ignore[arg-type]
    session.log.close()
    return read_studies(stored.run)


def test_a_run_by_trials_has_every_study(stored: StoredRun) -> None:
    found = study(stored, None, Recipe(), {1: 1.0})
    assert found["skipped"] == {}
    assert found["shapley"]["columns"][0]["column"] == "size"
    assert stored.run.is_done("study")


def test_a_short_run_has_what_was_asked_for(stored: StoredRun) -> None:
    asked = Recipe().override({"data": {"sensitive": ["city"]}})
    found = study(stored, 30.0, asked, {1: 1.0})
    assert set(found) == {"fairness", "skipped"}
    labels = [group["group"] for group in found["fairness"]["columns"][0]["groups"]]
    assert set(labels) == {"Graz", "Linz", "Wien", "(missing)"}


def test_a_short_run_that_asked_for_nothing_and_one_without_a_model_have_none(stored: StoredRun) -> None:
    assert study(stored, 30.0, Recipe(), {1: 1.0}) == {}
    assert study(stored, None, Recipe(), {}) == {}
    assert not stored.run.is_done("study")
