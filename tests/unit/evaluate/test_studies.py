"""The studies of a small run whose answers are known: what they find, what they leave out, and how they are stored."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.clock import Clock
from automl.engines import Job, Outcome
from automl.ensemble.bag import BagModel
from automl.evaluate.details import describe_details
from automl.evaluate.evidence import read_evidence
from automl.evaluate.jobs import Case, learning_curve, paired_interval, registry
from automl.evaluate.jobs.curve import find_turns
from automl.evaluate.jobs.stress import add_noise
from automl.evaluate.jobs.surrogate import ask_questions, decide_answers, merge_conditions
from automl.evaluate.quality import describe_quality
from automl.evaluate.studies import (
    GRACE_SECONDS,
    NO_TIME,
    is_late,
    missing_studies,
    read_studies,
    run_studies,
    seconds_for_studies,
    wanted_studies,
)
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.preprocess.table import Table
from automl.recipe import Recipe
from automl.schema import Schema
from automl.search.records import read_results
from automl.search.threshold import find_threshold, move_threshold
from tests.unit.evaluate.test_evaluation import HereEngine, train
from tests.unit.search.runs import StoredRun, make_multiclass_table, make_regression_table


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """price = 1,000·size + 20,000 in Wien + noise of 5,000; a linear model is deployed."""
    return train(tmp_path_factory.mktemp("studies") / "run", make_regression_table(240), "price")


@pytest.fixture(scope="module")
def studies(regression: StoredRun) -> dict[str, Any]:
    return run_studies(regression.run, seconds=None, seed=0)


@pytest.fixture
def copied(regression: StoredRun, tmp_path: Path) -> StoredRun:
    """The same run as it is before any study."""
    copy = regression.copy_to(tmp_path / "copy")
    copy.run.studies_path.unlink(missing_ok=True)
    return copy


def make_binary_table(rows: int = 300) -> pd.DataFrame:
    """`yes` from x = 5 on, with a blurred edge; one column."""
    rng = np.random.default_rng(8)
    x = rng.uniform(0, 10, rows).round(2)
    return pd.DataFrame({"x": x, "late": np.where(x + rng.normal(0, 0.6, rows) > 5, "yes", "no")})


class Silent(HereEngine):
    """Its workers are still starting when the time is over."""

    cancelled = 0

    def submit(self, job: Job) -> int:
        self.jobs.append(job)
        return 0

    def free_slots(self) -> int:
        return 1 - len(self.jobs)

    def wait(self, seconds: float) -> list[Outcome]:
        time.sleep(seconds)
        return []

    def cancel(self, ids: set[str] | None = None) -> None:
        self.cancelled += 1


def test_the_time_is_kept_though_no_worker_answers(tmp_path: Path) -> None:
    """As after a search on a cluster, whose last steps wait for this machine to load a net's library."""
    run, engine = train(tmp_path / "run", make_regression_table(), "price").run, Silent()
    began = time.monotonic()
    found = run_studies(run, seconds=1.0, seed=0, engine=engine)  # type: ignore[arg-type]
    assert time.monotonic() - began < 1.0 + GRACE_SECONDS + 3.0  # forever without it; a busy machine is slow
    assert engine.jobs and engine.cancelled == 1
    assert set(found["skipped"].values()) == {NO_TIME}
    assert set(found["skipped"]) == set(registry.names())


def test_after_ctrl_c_the_other_studies_are_skipped(copied: StoredRun) -> None:
    asked = iter([False])
    found = run_studies(
        copied.run, seconds=None, seed=0, engine=HereEngine(), names=["shapley", "stress"],
        should_stop=lambda: next(asked, True),
    )  # fmt: skip
    assert "shapley" in found and found["skipped"] == {"stress": NO_TIME}


def test_every_study_is_stored_and_is_plain_json(regression: StoredRun, studies: dict[str, Any]) -> None:
    assert set(studies) == {*registry.names(), "skipped"}
    assert studies["skipped"] == {}
    assert missing_studies(regression.run) == []
    assert json.loads(json.dumps(studies, allow_nan=False)) == read_studies(regression.run)


def test_shapley_values_of_a_linear_model_have_its_slopes(regression: StoredRun, studies: dict[str, Any]) -> None:
    """size is uniform over 20 to 200: the mean of |1000·(size − mean)| is 180,000/4 = 45,000."""
    record = studies["shapley"]
    assert [entry["column"] for entry in record["columns"]][:2] == ["size", "city"]
    assert record["columns"][0]["mean_abs"] == pytest.approx(45_000, rel=0.15)
    assert record["columns"][0]["low"] < record["columns"][0]["mean_abs"] < record["columns"][0]["high"]
    swarm = record["swarm"][0]
    by_shade = np.corrcoef(swarm["shades"], swarm["values"])[0, 1]
    assert by_shade > 0.95  # the larger, the dearer
    levels = {entry["value"]: entry["mean"] for entry in record["levels"][0]["values"]}
    assert levels["Wien"] - levels["Graz"] == pytest.approx(20_000, rel=0.2)


def test_partial_dependence_follows_the_slope(studies: dict[str, Any]) -> None:
    size = studies["dependence"]["columns"][0]
    assert size["column"] == "size"
    slope = np.polyfit(size["values"], size["mean"], 1)[0]
    assert slope == pytest.approx(1000, rel=0.05)
    assert all(low <= mean <= high for low, mean, high in zip(size["low"], size["mean"], size["high"], strict=True))
    assert len(size["lines"]) == 8


def test_coefficients_are_in_the_targets_unit_and_carry_the_names_of_values(studies: dict[str, Any]) -> None:
    """One standard deviation of size is 180/√12 = 52: 52,000 in price."""
    record = studies["coefficients"]
    assert (record["deployed"], record["unit"], record["folds"]) == (True, "price", 3)
    values = {entry["feature"]: entry["values"][0] for entry in record["entries"]}
    assert values["size"] == pytest.approx(52_000, rel=0.1)
    assert values["city is Wien"] - values["city is Graz"] == pytest.approx(20_000, rel=0.2)
    line = record["line"]
    assert line["column"] == "size"
    assert np.polyfit(line["x"], line["y"], 1)[0] == pytest.approx(1000, rel=0.05)
    assert np.polyfit(line["seen_x"], line["seen_y"], 1)[0] == pytest.approx(1000, rel=0.1)


def test_a_surrogate_tells_how_well_it_imitates(studies: dict[str, Any]) -> None:
    record = studies["surrogate"]
    assert 0.8 < record["r2"] < 1.0
    assert sum(rule["share"] for rule in record["rules"]) == pytest.approx(1.0)
    assert {condition["column"] for rule in record["rules"] for condition in rule["conditions"]} <= {"size", "city"}
    outputs = [rule["output"] for rule in record["rules"]]
    assert outputs == sorted(outputs, reverse=True)


def test_rules_say_each_column_once() -> None:
    conditions = [
        {"column": "age", "test": "at most", "value": 26.5, "or_missing": True},
        {"column": "age", "test": "at most", "value": 24.5},
        {"column": "age", "test": "above", "value": 18.0},
        {"column": "race", "test": "is not", "value": "Black"},
        {"column": "race", "test": "is", "value": "White"},
    ]
    assert merge_conditions(conditions) == [
        {"column": "age", "test": "at most", "value": 24.5},
        {"column": "age", "test": "above", "value": 18.0},
        {"column": "race", "test": "is", "value": "White"},
    ]


def test_a_missing_column_costs_what_it_is_worth_and_noise_costs_more_the_more_there_is(
    studies: dict[str, Any],
) -> None:
    record = studies["stress"]
    missing = {entry["column"]: entry for entry in record["missing"]}
    assert missing["size"]["loss"] > 30_000
    assert missing["size"]["low"] > missing["city"]["high"] > 0
    assert abs(missing["when"]["loss"]) < 1_000
    losses = [entry["loss"] for entry in record["noise"]]
    assert losses == sorted(losses)
    assert record["unseen_categories"]["loss"] > 0


def test_the_learning_curve_falls_with_rows_and_has_seeds(studies: dict[str, Any]) -> None:
    record = studies["learning_curve"]
    assert record["candidate"] == "linear"
    assert [point["rows"] for point in record["points"]] == [32, 64, 112, 160]
    assert record["points"][-1]["score"] < record["points"][0]["high"]
    last = record["last_gain"]
    assert (last["from_rows"], last["to_rows"]) == (112, 160)
    assert last["low"] < last["gain"] < last["high"]
    assert last["gain"] == pytest.approx(record["points"][-2]["score"] - record["points"][-1]["score"])
    assert len(record["seeds"]) == 3


def test_studies_repeat_for_a_seed(copied: StoredRun, studies: dict[str, Any]) -> None:
    again = run_studies(copied.run, seconds=None, seed=0, names=["shapley", "stress", "surrogate"])
    for name in ("shapley", "stress", "surrogate"):
        first, second = ({**record, "seconds": 0} for record in (studies[name], again[name]))
        assert first == second


def test_without_time_nothing_is_begun_and_the_reason_stands(copied: StoredRun) -> None:
    began = time.monotonic()
    found = run_studies(copied.run, seconds=0.1, seed=0)
    assert time.monotonic() - began < 1.0
    assert set(found) == {"skipped"}
    assert set(found["skipped"]) == set(registry.names())
    assert missing_studies(copied.run)  # a later call does them
    later = run_studies(copied.run, seconds=30, seed=0, names=["coefficients"])
    assert later["coefficients"]["folds"] == 3


def test_a_plain_report_answers_what_was_asked_for() -> None:
    plain, full, counted = (Clock(started=0.0, seconds=seconds) for seconds in (10.0, 60.0, None))
    asked = Recipe().override({"data": {"sensitive": ["sex"]}})
    assert wanted_studies(plain, Recipe()) == []
    assert wanted_studies(plain, asked) == ["fairness"]
    assert set(wanted_studies(full, Recipe())) == set(wanted_studies(counted, Recipe())) == set(registry.names())


def test_studies_end_before_the_report_must_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 52.0)
    assert seconds_for_studies(Clock(started=0.0, seconds=60.0), kept=1.2) == pytest.approx(3.0)
    assert seconds_for_studies(Clock(started=0.0, seconds=55.0), kept=1.2) == pytest.approx(1.3)
    assert seconds_for_studies(Clock(started=0.0, seconds=50.0), kept=1.2) == 0.0
    assert seconds_for_studies(Clock(started=0.0, seconds=None), kept=1.2) is None


def test_a_model_that_is_too_slow_is_not_explained_by_chance(
    copied: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 20 ms a row a second allows 40 rows: not two pairs of walks, of 8 rows each, for ten rows."""

    def slowly(self: BagModel, table: Table) -> FloatArray:
        time.sleep(0.02 * len(table))
        return np.zeros((len(table), 1), dtype=np.float32)

    monkeypatch.setattr(BagModel, "predict_table", slowly)
    found = run_studies(copied.run, seconds=3.0, seed=0, names=["shapley"])
    assert "ms a row, too long for" in found["skipped"]["shapley"]


def test_a_study_that_fails_is_told_and_the_others_stand(copied: StoredRun) -> None:
    engine = HereEngine(frozenset({"stress"}))
    found = run_studies(copied.run, seconds=None, seed=0, engine=engine, names=["stress", "surrogate"])
    assert found["skipped"] == {"stress": "it broke"}
    assert found["surrogate"]["rules"]
    assert {job.limits.seconds for job in engine.jobs} == {
        registry.get("stress").seconds + 1,
        registry.get("surrogate").seconds + 1,
    }


def test_a_deadline_ends_each_study_with_what_it_has(copied: StoredRun) -> None:
    case = Case(copied.run, 0, deadline=time.monotonic() - 1)
    began = time.monotonic()
    for name in registry.names():
        record = None
        with contextlib.suppress(TimeoutError):
            record = registry.get(name).measure(case)
        assert record is None or json.dumps(record)
    assert time.monotonic() - began < 10


def test_three_classes_are_explained_by_the_most_frequent_one(tmp_path: Path) -> None:
    stored = train_classes(tmp_path / "run", make_multiclass_table(), "kind")
    found = run_studies(stored.run, seconds=None, seed=0)
    assert found["skipped"] == {}
    assert found["shapley"]["explained"].startswith("probability of ")
    assert {rule["class"] for rule in found["surrogate"]["rules"]} <= {"ash", "elm", "oak"}
    assert len(found["coefficients"]["entries"][0]["values"]) == 3
    assert found["curve"]["other"] in {"a", "b"}  # two columns: the whole model can be drawn
    assert len(found["curve"]["lines"]) == 5


def test_the_curve_of_one_column_turns_where_the_classes_part(tmp_path: Path) -> None:
    stored = train_classes(tmp_path / "run", make_binary_table(), "late")
    found = run_studies(stored.run, seconds=None, seed=0, names=["curve"])["curve"]
    (turn,) = found["turns"]
    assert turn["x"] == pytest.approx(5.0, abs=0.4)
    assert len(found["x"]) == len(found["lines"][0]["y"]) == 60
    assert found["seen"]["y"][0] < 0.1 < 0.9 < found["seen"]["y"][-1]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """A model of a rare class, judged by F1: its threshold lies far below 0.5."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=600).round(3)
    table = pd.DataFrame({"x": x, "fraud": np.where(x + rng.normal(0, 1.5, 600) > 3, "yes", "no")})
    table["side"] = np.where(rng.random(600) < 0.5, "left", "right")
    path = tmp_path_factory.mktemp("moved") / "run"
    return train_classes(path, table, "fraud", metric="f1", data={"sensitive": ["side"]})


def test_groups_and_turns_are_told_at_the_threshold_that_is_deployed(moved: StoredRun) -> None:
    threshold = read_json(moved.run.ensemble_path)["threshold"]
    assert threshold < 0.4
    evidence = read_evidence(str(moved.run.path))
    found = run_studies(moved.run, seconds=None, seed=0, names=["fairness", "curve"])
    (record,) = found["fairness"]["columns"]
    selected = sum(group["selection_rate"] * group["rows"] for group in record["groups"])
    assert record["threshold"] == threshold
    assert selected == pytest.approx(np.sum(evidence.blend[:, 1] >= threshold))
    curve = found["curve"]
    lines = {line["label"]: line["y"] for line in curve["lines"]}
    assert curve["turns"]
    for turn in curve["turns"]:
        assert np.interp(turn["x"], curve["x"], lines[turn["label"]]) == pytest.approx(threshold)


def test_where_it_errs_counts_errors_at_the_threshold_that_is_deployed(moved: StoredRun) -> None:
    accuracy = describe_quality({"run": str(moved.run.path), "seed": 0})["metrics"]["accuracy"]["value"]
    found = describe_details({"run": str(moved.run.path), "seed": 0, "seconds": None})
    assert accuracy is not None
    assert found["slices"]["overall"] == pytest.approx(1 - accuracy)


def test_what_columns_and_rows_are_worth_is_judged_at_a_threshold(moved: StoredRun) -> None:
    """At 0.5 hardly a row is named, with a column or without, from few rows or many."""
    case = Case(moved.run, 0)
    found = run_studies(moved.run, seconds=None, seed=0, names=["stress", "learning_curve"])
    rows = case.data.folds[case.data.chief_fold]
    y, outputs = case.data.target[rows], case.model.predict_table(case.data.table.take(rows))
    deployed = case.metric.score(y, move_threshold(outputs, case.threshold))
    assert found["stress"]["score"] == pytest.approx(deployed)
    assert deployed > case.metric.score(y, outputs) + 0.1
    lost = {entry["column"]: entry["loss"] for entry in found["stress"]["missing"]}
    assert lost["x"] > 0.05
    own = case.evidence.outputs[1][np.searchsorted(case.evidence.rows, rows)]
    best = case.metric.score(y, move_threshold(own, find_threshold(case.metric, y, own)))
    assert found["learning_curve"]["points"][-1]["score"] == pytest.approx(best, abs=0.02)


def test_folds_are_scored_at_the_threshold_of_each_member(moved: StoredRun) -> None:
    evidence = read_evidence(str(moved.run.path))
    (record,) = describe_details({"run": str(moved.run.path), "seed": 0, "seconds": None})["folds"]["members"]
    assert record["trial"] == 1
    judged = evidence.as_judged(1)
    assert record["scores"] == [evidence.metric.score(evidence.y[rows], judged[rows]) for rows in moved.data.folds]
    assert min(record["scores"]) > 0.2


def test_folds_are_scored_as_they_were_calibrated(tmp_path: Path) -> None:
    """Log loss is a mean over rows: that of the folds, by their rows, is that of the configuration."""
    stored = train_classes(tmp_path / "run", make_binary_table(330), "late", metric="log_loss")
    members = describe_details({"run": str(stored.run.path), "seed": 0, "seconds": None})["folds"]["members"]
    results = {result.trial: result.score for result in read_results(stored.run.search)}
    assert members
    for record in members:
        mean = np.average(record["scores"], weights=[len(rows) for rows in stored.data.folds])
        assert mean == pytest.approx(results[record["trial"]])


def test_other_metrics_need_no_folds_scored_anew(regression: StoredRun) -> None:
    assert "folds" not in describe_details({"run": str(regression.run.path), "seed": 0, "seconds": None})


def test_a_curve_that_ran_out_of_time_is_not_done(copied: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    train_part = learning_curve._train

    def slowly(*args: Any) -> FloatArray:
        time.sleep(1.2)
        return train_part(*args)

    monkeypatch.setattr(learning_curve, "_train", slowly)
    found = run_studies(copied.run, seconds=3.0, seed=0, names=["learning_curve"])
    assert "learning_curve" not in found
    assert is_late(found["skipped"]["learning_curve"])
    assert "learning_curve" in missing_studies(copied.run)


def test_too_few_rows_for_a_curve_are_no_matter_of_time(tmp_path: Path) -> None:
    run = train(tmp_path / "run", make_regression_table(120), "price").run  # 16 rows are a fifth of a fold's 80
    assert run_studies(run, seconds=None, seed=0, names=["learning_curve"])["learning_curve"] is None
    assert "learning_curve" not in missing_studies(run)


def test_columns_are_not_looked_up_one_by_one_in_the_schema(
    regression: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It walks through all of them for each: of ten thousand that takes a minute."""
    case = Case(regression.run, 0)
    rows = case.unseen_rows(20)
    monkeypatch.delattr(Schema, "__getitem__")
    assert registry.get("curve").measure(case) is None  # three columns are too many to draw
    assert [name for name, _, _ in ask_questions(case, rows)[1]].count("size") == 1


def test_a_line_turns_where_it_crosses() -> None:
    assert find_turns(np.array([0.0, 1.0, 2.0, 3.0]), [0.1, 0.4, 0.8, 0.3], 0.5) == pytest.approx([1.25, 2.6])


def test_noise_is_a_share_of_the_spread_and_keeps_the_holes(regression: StoredRun) -> None:
    table = regression.data.table
    noisy = add_noise(table, table, 0.1, np.random.default_rng(0))
    moved = noisy.numbers[:, 0] - table.numbers[:, 0]
    assert float(moved.std()) == pytest.approx(0.1 * float(table.numbers[:, 0].std()), rel=0.15)
    assert 0 < np.mean(noisy.categories != table.categories) < 0.1
    assert np.array_equal(np.isnan(noisy.dates), np.isnan(table.dates))


def train_classes(path: Path, table: pd.DataFrame, target: str, **recipe: Any) -> StoredRun:
    """As `train`, for classes: a constant and a linear model."""
    from automl.ensemble.build import EnsembleBuilder
    from tests.unit.search.runs import store_run

    stored = store_run(path, table, target, split={"folds": 3, "repeats": 1}, **recipe)
    oofs, records = stored.complete(stored.spec(0, "dummy"), stored.spec(1, "linear"))
    builder = EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 0.0,
    )  # fmt: skip
    builder.update()
    return stored


def test_a_surrogate_and_the_model_decide_at_the_deployed_threshold() -> None:
    assert decide_answers(np.array([[0.2], [0.4], [0.6]]), 0.3).tolist() == [0, 1, 1]
    assert decide_answers(np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]), 0.3).tolist() == [1, 0]


def test_an_interval_of_rows_that_are_alike_draws_them_together() -> None:
    """Each of 40 values stands ten times over: s / √40, not s / √400."""
    values = np.repeat(np.random.default_rng(3).normal(size=40), 10)

    def mean(rows: Array) -> float:
        return float(values[rows].mean())

    found = paired_interval(mean, 400, np.random.default_rng(1), 200, np.repeat(np.arange(40), 10))
    assert found == pytest.approx(values.std() / 40**0.5, rel=0.2)


def test_a_fold_of_one_group_has_intervals_over_its_rows_and_says_so(tmp_path: Path) -> None:
    """Nothing in it shows how groups differ."""
    table = make_regression_table(240)
    table["who"] = np.arange(240) // 80
    stored = train(tmp_path / "run", table, "price", data={"group": "who"})
    case = Case(stored.run, 0)
    assert case.units(case.data.folds[0]) is None
    assert np.array_equal(case.units(np.arange(240)), case.data.groups)  # type: ignore[arg-type]
    found = run_studies(stored.run, seconds=None, seed=0, names=["stress", "learning_curve"])
    assert found["stress"]["is_one_group"] and found["learning_curve"]["is_one_group"]
    worst = found["stress"]["missing"][0]
    assert worst["low"] < worst["loss"] < worst["high"]
