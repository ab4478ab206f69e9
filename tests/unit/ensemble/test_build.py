"""After each complete bag: the model, ensemble.json and the leaderboard are at the best so far."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from automl.ensemble.artifact import load_predictor
from automl.ensemble.bag import BagModel
from automl.ensemble.build import EnsembleBuilder, identify
from automl.events import BestImproved, Event
from automl.files import read_json, write_json
from automl.search.leaderboard import read_leaderboard
from tests.unit.search.runs import StoredRun, make_multiclass_table, store_run


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    return store_run(tmp_path / "run", make_multiclass_table(90), "kind", split={"folds": 2, "repeats": 1})


def test_the_model_follows_the_best_ensemble_and_never_falls_back(stored: StoredRun) -> None:
    events: list[Event] = []
    oofs, records = stored.complete(stored.spec(0, "dummy"))
    builder = EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=events.append, elapsed=lambda: 12.3456,
    )  # fmt: skip
    builder.update()
    assert builder.weights == {0: 1.0}  # nothing else is there yet
    constant = builder.score

    more, records_more = stored.complete(stored.spec(1, "linear"), stored.spec(2, "naive_bayes"))
    for trial in (1, 2):
        oofs.read(trial)
        records.results[trial] = records_more.results[trial]
    blend = builder.update()
    assert constant is not None and builder.score is not None and builder.score < constant
    assert 0 not in builder.weights
    assert blend is not None and oofs.score(blend) == pytest.approx(builder.score)
    assert more.scores == {trial: oofs.scores[trial] for trial in (1, 2)}

    record = read_json(stored.run.ensemble_path)
    assert {member["trial"]: member["weight"] for member in record["members"]} == builder.weights
    assert [entry["elapsed"] for entry in record["history"]] == [12.346, 12.346]
    scores = [event.score for event in events if isinstance(event, BestImproved)]
    assert scores == [constant, builder.score]
    manifest = load_predictor(stored.run.path).manifest
    assert manifest["out_of_fold_score"] == builder.score

    before = (stored.run.model / "manifest.json").read_bytes()
    builder.update()
    assert (stored.run.model / "manifest.json").read_bytes() == before
    assert len(events) == 2


def test_a_builder_that_begins_again_takes_up_what_is_deployed(stored: StoredRun) -> None:
    oofs, records = stored.complete(stored.spec(0, "dummy"), stored.spec(1, "linear"), stored.spec(2, "naive_bayes"))

    def begin(events: list[Event]) -> EnsembleBuilder:
        return EnsembleBuilder(
            stored.run, stored.data, stored.schema, stored.recipe,
            oofs=oofs, records=records, emit=events.append, elapsed=lambda: 1.0,
        )  # fmt: skip

    first = begin([])
    blend = first.update()
    before = (stored.run.model / "manifest.json").read_bytes()
    told: list[Event] = []
    again = begin(told)
    np.testing.assert_array_equal(again.update(), blend)
    assert (again.score, again.weights, again.history) == (first.score, first.weights, first.history)
    assert told == []  # nothing has improved
    assert (stored.run.model / "manifest.json").read_bytes() == before
    stored.run.ensemble_path.write_text('{"score": 0.3, "memb')  # a damaged disk
    begin(told).update()
    assert len(told) == 1
    shutil.rmtree(stored.run.model)  # a kill between the two renames
    begin(told).update()
    assert len(told) == 2
    assert load_predictor(stored.run.path).manifest["out_of_fold_score"] == first.score


def test_the_leaderboard_shows_the_deployed_ensemble(stored: StoredRun) -> None:
    oofs, records = stored.complete(
        *(stored.spec(at, name) for at, name in enumerate(("dummy", "linear", "naive_bayes")))
    )
    builder = EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 0.0,
    )  # fmt: skip
    builder.update()
    models = read_leaderboard(stored.run)["models"]
    ensembles = [model["score"] for model in models if model["kind"] == "ensemble"]
    assert ensembles == ([builder.score] if len(builder.weights) > 1 else [])
    weights = {model["trial"]: model["weight"] for model in models if model["weight"] and model["trial"] is not None}
    assert weights == {trial: round(share, 4) for trial, share in builder.weights.items()}


@pytest.mark.parametrize(("row_seconds", "answering"), [(0.0001, 5), (0.003, 3)])
def test_where_a_row_would_take_too_long_fewer_folds_answer(tmp_path: Path, row_seconds: float, answering: int) -> None:
    """A model of all rows may take the place of some; until it comes, and if it never does, a row keeps its time."""
    limits = {"split": {"folds": 5, "repeats": 1}, "constraints": {"latency_ms": 20}}
    stored = store_run(tmp_path / "run", make_multiclass_table(90), "kind", **limits)
    oofs, records = stored.complete(stored.spec(0, "xgboost"))
    records.results[0] = dataclasses.replace(records.results[0], row_seconds=row_seconds)
    builder = EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 1.0,
    )  # fmt: skip
    builder.update()
    model = load_predictor(stored.run.path).model
    assert isinstance(model, BagModel)
    assert [len(member.models) for member in model.members] == [answering]


def test_without_a_complete_configuration_there_is_no_model(stored: StoredRun) -> None:
    oofs, records = stored.complete()
    builder = EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 0.0,
    )  # fmt: skip
    assert builder.update() is None
    assert builder.weights == {}
    assert not stored.run.model.exists()


def test_at_most_the_members_that_the_recipe_allows_are_deployed(tmp_path: Path) -> None:
    table = make_multiclass_table(90)
    split = {"folds": 2, "repeats": 1}
    stored = store_run(tmp_path / "run", table, "kind", split=split, ensemble={"max_members": 1})
    oofs, records = stored.complete(stored.spec(0, "linear"), stored.spec(1, "naive_bayes"))
    builder = EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 0.0,
    )  # fmt: skip
    builder.update()
    assert builder.weights == {oofs.best: 1.0}
    assert np.isfinite(builder.score or np.nan)


def test_studies_go_with_the_model_that_they_are_of_and_stay_with_one_that_is_the_same(stored: StoredRun) -> None:
    oofs, records = stored.complete(stored.spec(0, "dummy"), stored.spec(1, "linear"))

    def begin() -> EnsembleBuilder:
        return EnsembleBuilder(
            stored.run, stored.data, stored.schema, stored.recipe,
            oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 1.0,
        )  # fmt: skip

    begin().update()
    write_json(stored.run.studies_path, {"stress": {}})
    begin().update()
    assert stored.run.studies_path.exists()

    more, records_more = stored.complete(stored.spec(2, "naive_bayes"), stored.spec(3, "extra_trees"))
    for trial in more.scores:
        oofs.read(trial)
        records.results[trial] = records_more.results[trial]
    before = identify(read_json(stored.run.ensemble_path))
    begin().update()
    assert identify(read_json(stored.run.ensemble_path)) != before
    assert not stored.run.studies_path.exists()
