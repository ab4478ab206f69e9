"""Models of all rows for the members of an ensemble: who gets one, when, and how it answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.engines import Job, Status
from automl.ensemble.artifact import load_predictor, save_model
from automl.ensemble.bag import BagModel, FoldModel, load_fold
from automl.events import ALL_ROWS, Event, JobFinished, JobStarted
from automl.files import read_json
from automl.search.answers import count_models, find_whole, has_whole
from automl.search.calibration import IDENTITY
from automl.search.data import fold_folder
from automl.search.families import Families
from automl.search.records import Records
from automl.search.refits import MOST_SHARE, Refits
from tests.unit.search.runs import StoredRun, store_run
from tests.unit.search.test_search import LateEngine


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """300 rows, five folds; trial 0 is a linear model, 1 and 2 are boosted trees, all complete."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    frame["y"] = 10 * frame.a * frame.b + frame.c + rng.normal(0, 0.1, 300)
    run = store_run(tmp_path_factory.mktemp("fitted") / "run", frame, "y", split={"folds": 5, "repeats": 1})
    run.complete(run.spec(0, "linear"), run.spec(1, "xgboost"), run.spec(2, "xgboost", model__max_depth=2))
    return run


@pytest.fixture
def stored(fitted: StoredRun, tmp_path: Path) -> StoredRun:
    return fitted.copy_to(tmp_path / "run")


def make_refits(
    stored: StoredRun, members: dict[int, float], events: list[Event] | None = None, seconds: float | None = None
) -> Refits:
    families = Families(stored.recipe, stored.data.task, stored.data.table)
    emit = (events if events is not None else list[Event]()).append
    refits = Refits(
        stored.run, stored.data, stored.recipe, families, Records(stored.run.search),
        emit=emit, memory_mb=2_000.0, seconds=seconds,
    )  # fmt: skip
    refits.members = lambda: members
    return refits


def finish(refits: Refits, engine: LateEngine) -> None:
    while engine.done:
        for outcome in engine.wait(0.0):
            assert refits.take(outcome)


def save(stored: StoredRun, weights: dict[int, float], *, few: bool = False) -> None:
    results = Records(stored.run.search).results
    facts: dict[str, Any] = {"run": "r", "metric": "rmse", "out_of_fold_score": 1.0, "threshold": 0.5}
    save_model(stored.run, stored.data, stored.schema, results, weights, IDENTITY, facts, few=few)


def test_members_that_gain_by_it_learn_from_all_rows_the_heaviest_first(stored: StoredRun) -> None:
    events: list[Event] = []
    refits, engine = make_refits(stored, {0: 0.5, 1: 0.2, 2: 0.3}, events), LateEngine(frozenset())
    assert refits.finish(engine, lambda: "") == ""
    begun = [event for event in events if isinstance(event, JobStarted)]
    assert [(event.trial, event.fold) for event in begun] == [(2, ALL_ROWS), (1, ALL_ROWS)]
    assert [event.status for event in events if isinstance(event, JobFinished)] == ["ok", "ok"]
    assert refits.made == [1, 2]
    assert not make_refits(stored, {1: 0.4, 2: 0.6}).begin(engine, left=float("inf"))  # not even by another process


def test_where_trials_and_a_time_are_given_none_is_begun_that_the_time_forbids(stored: StoredRun) -> None:
    refits = make_refits(stored, {1: 0.4, 2: 0.6})
    assert refits.finish(LateEngine(frozenset()), lambda: "", left=lambda: 0.0) == ""
    assert refits.made == []


def test_one_that_another_configuration_left_under_the_same_number_is_not_taken(stored: StoredRun) -> None:
    """A power cut may take the line that gave the number away."""
    refits, engine = make_refits(stored, {1: 1.0}), LateEngine(frozenset())
    assert refits.describe() is None
    refits.finish(engine, lambda: "")
    told = refits.describe()
    assert told is not None and told.text.startswith("1 of 1 members")
    results = Records(stored.run.search).results
    other = dataclasses.replace(results[1], params={**results[1].params, "model.max_depth": 3})
    assert find_whole(stored.run.path, stored.data, results[1]) is not None
    assert find_whole(stored.run.path, stored.data, other) is None


def test_such_a_model_counts_twice_as_much_as_the_two_folds_that_answer_beside_it(stored: StoredRun) -> None:
    refits, engine = make_refits(stored, {1: 1.0}), LateEngine(frozenset())
    refits.begin(engine, left=float("inf"))
    finish(refits, engine)
    save(stored, {1: 1.0})

    model = load_predictor(stored.run.path).model  # which holds it to what its workers noted for the golden rows
    assert isinstance(model, BagModel)
    member, table = model.members[0], stored.data.table
    assert member.whole is not None and len(member.folds) == 2
    assert len(list((stored.run.model / "members").iterdir())) == 3  # what does not answer is not deployed

    def ask(one: FoldModel) -> Any:
        return one.estimator.predict(one.transformer.transform(table))

    mean = (ask(member.folds[0]) + ask(member.folds[1])) / 6 + 2 * ask(member.whole) / 3
    np.testing.assert_allclose(model.predict_table(table), mean, rtol=1e-5)

    record = read_json(stored.run.model / "ensemble.json")
    one = load_fold(stored.run.path, record, stored.schema, stored.data.task, 3).members[0]
    assert one.whole is None and len(one.folds) == 1  # what is asked of rows that were not seen is asked of a fold
    rows = stored.data.folds[3]
    noted = np.load(fold_folder(stored.run.path, 1, 3) / "oof.npy")
    found = one.folds[0].estimator.predict(one.folds[0].transformer.transform(table.take(rows)))
    np.testing.assert_allclose(found, noted, rtol=1e-5)


@pytest.mark.parametrize("few", [False, True])
def test_without_it_all_folds_answer_unless_a_row_shall_take_little_time(stored: StoredRun, few: bool) -> None:
    save(stored, {0: 0.5, 1: 0.5}, few=few)
    model = load_predictor(stored.run.path).model
    assert isinstance(model, BagModel)
    assert [len(member.models) for member in model.members] == [5, 3 if few else 5]


def test_a_model_of_all_rows_has_seen_what_each_fold_has_not(stored: StoredRun) -> None:
    refits, engine = make_refits(stored, {1: 1.0}), LateEngine(frozenset())
    refits.begin(engine, left=float("inf"))
    finish(refits, engine)
    save(stored, {1: 1.0})
    member = load_predictor(stored.run.path).model.members[0]  # type: ignore[attr-defined]
    record = read_json(stored.run.model / "ensemble.json")
    assert member.whole is not None
    for fold, rows in enumerate(stored.data.folds):
        table, y = stored.data.table.take(rows), stored.data.target[rows]
        own = load_fold(stored.run.path, record, stored.schema, stored.data.task, fold).members[0].folds[0]
        seen, unseen = (
            np.abs(model.estimator.predict(model.transformer.transform(table))[:, 0] - y).mean()
            for model in (member.whole, own)
        )
        assert seen < 0.5 * unseen


def test_none_is_begun_that_cannot_be_finished(stored: StoredRun) -> None:
    refits, engine = make_refits(stored, {1: 0.5, 2: 0.5}, seconds=60.0), LateEngine(frozenset())
    expected = refits.expected_seconds(slots=1)
    assert 0 < expected <= 60.0 * MOST_SHARE
    assert make_refits(stored, {1: 0.5, 2: 0.5}, seconds=0.001).expected_seconds(slots=1) == 0.001 * MOST_SHARE
    assert not refits.begin(engine, left=expected / 1000)
    assert refits.begin(engine, left=expected)


def test_one_that_fails_leaves_its_member_as_it_is(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(engine: LateEngine, job: Job) -> int:
        LateEngine.submit_really(engine, dataclasses.replace(job, payload={**job.payload, "candidate": "nobody"}))  # type: ignore[attr-defined]
        return 0

    monkeypatch.setattr(LateEngine, "submit_really", LateEngine.submit, raising=False)
    monkeypatch.setattr(LateEngine, "submit", submit)
    events: list[Event] = []
    refits, engine = make_refits(stored, {1: 1.0}, events), LateEngine(frozenset())
    assert refits.begin(engine, left=float("inf"))
    finish(refits, engine)
    assert not refits.made and not refits.begin(engine, left=float("inf"))
    assert [event.status for event in events if isinstance(event, JobFinished)] == [str(Status.FAILED)]
    save(stored, {1: 1.0})
    model = load_predictor(stored.run.path).model
    assert isinstance(model, BagModel) and model.members[0].whole is None


def test_where_later_rows_are_scored_by_models_of_earlier_ones_there_is_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"a": rng.normal(size=200), "when": pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d")}
    )
    frame["y"] = frame.a + rng.normal(size=200)
    in_order = store_run(tmp_path / "run", frame, "y", data={"time": "when"})
    assert in_order.data.times is not None
    assert not has_whole(in_order.data, "xgboost")
    assert count_models(in_order.data, "xgboost") == 1


def test_a_model_of_all_rows_counts_in_what_a_row_may_take(stored: StoredRun) -> None:
    assert count_models(stored.data, "xgboost") == 3  # itself and two folds
    assert count_models(stored.data, "linear") == 5
