"""An evaluation of a small run, its jobs done in this process."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.engines import Job, Outcome, Status
from automl.engines.machine.worker import run_job
from automl.ensemble.build import EnsembleBuilder
from automl.errors import UsageError
from automl.evaluate import evaluation, honest, importance
from automl.evaluate.details import describe_details
from automl.evaluate.evaluation import METHOD, TOO_FEW_ROWS, Evaluator, measure_all_details
from automl.evaluate.evidence import read_evidence
from automl.evaluate.honest import score_honestly
from automl.evaluate.importance import measure_importance
from automl.events import WarningRaised
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.recipe import Recipe
from tests.unit.search.runs import StoredRun, make_regression_table, store_run


@dataclasses.dataclass
class HereEngine:
    """Runs each job where it is submitted; those whose id is in `broken` fail."""

    broken: frozenset[str] = frozenset()
    slots: int = 1
    jobs: list[Job] = dataclasses.field(default_factory=list)
    done: list[Outcome] = dataclasses.field(default_factory=list)

    def free_slots(self) -> int:
        return 1 - len(self.done)

    def submit(self, job: Job) -> int:
        self.jobs.append(job)
        status, value, reason, _ = (Status.FAILED, None, "it broke", "") if job.id in self.broken else run_job(job)
        self.done.append(Outcome(id=job.id, status=status, value=value, reason=reason))
        return 0

    def wait(self, seconds: float) -> list[Outcome]:
        done, self.done = self.done, []
        return done

    def warm(self, pool: str) -> None: ...
    def at_home(self) -> HereEngine:
        return self

    def attend(self, log: Path, tell: Callable[[str], None]) -> None: ...
    def cancel(self, ids: set[str] | None = None) -> None: ...
    def close(self) -> None: ...


def train(path: Path, table: pd.DataFrame, target: str, **recipe: Any) -> StoredRun:
    """A run with a deployed ensemble of a constant and a linear model."""
    stored = store_run(path, table, target, split={"folds": 3, "repeats": 1}, **recipe)
    oofs, records = stored.complete(
        stored.spec(0, "dummy"), stored.spec(1, "linear"), stored.spec(2, "linear", model__alpha=0.9)
    )
    builder = EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 0.0,
    )  # fmt: skip
    builder.update()
    return stored


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    return train(tmp_path_factory.mktemp("evaluation") / "run", make_regression_table(), "price")


def test_an_evaluation_has_all_its_parts_and_is_stored(stored: StoredRun) -> None:
    engine = HereEngine()
    evaluator = Evaluator(stored.run, stored.data, stored.recipe, engine, seconds=None)
    result = evaluator.evaluate()
    assert read_json(stored.run.evaluation_path) == result
    assert evaluator.warnings == []
    assert [job.id for job in engine.jobs] == [
        "honest score",
        "quality",
        "cost",
        "details",
        "importance 0",
        "importance 1",
    ]
    assert (result["metric"], result["maximize"], result["method"]) == ("rmse", False, METHOD)
    assert result["low"] < result["score"] < result["high"]
    assert result["score"] == pytest.approx(result["raw_score"] + result["optimism"])
    headline = {"value": result["score"], "low": result["low"], "high": result["high"]}
    assert result["metrics"]["rmse"] == headline
    assert result["raw_score"] == pytest.approx(read_json(stored.run.ensemble_path)["score"])
    assert (result["better_than_constant"], result["bootstraps"]) == (True, 30)
    assert set(result["baselines"]) == {"constant", "linear"}
    assert result["baselines"]["constant"]["score"] > 3 * result["baselines"]["linear"]["score"]
    importance = {row["column"]: row["importance"] for row in result["importance"]}
    assert list(importance)[:2] == ["size", "city"]
    assert importance["size"] > 10_000
    assert abs(importance["when"]) < 500


@pytest.mark.parametrize("broken", ["honest score", "quality", "importance 1"])
def test_a_part_that_fails_is_left_out_with_a_warning(stored: StoredRun, broken: str) -> None:
    evaluator = Evaluator(stored.run, stored.data, stored.recipe, HereEngine(frozenset({broken})), seconds=None)
    result = evaluator.evaluate()
    texts = [event.text for event in evaluator.warnings if isinstance(event, WarningRaised)]
    assert texts == [f"evaluation: {broken} is missing: it broke"]
    assert result["score"] > 0
    if broken == "honest score":
        assert (result["score"], result["low"], result["optimism"]) == (result["raw_score"], None, None)
        assert "not corrected" in result["method"]
    if broken == "quality":
        assert result["metrics"] == result["baselines"] == {}


def test_details_are_stored_beside_the_evaluation(stored: StoredRun) -> None:
    Evaluator(stored.run, stored.data, stored.recipe, HereEngine(), seconds=None).evaluate()
    details = read_json(stored.run.details_path)
    assert details["skipped"] == []
    assert sum(details["residuals"]["plane"]["rows"]) + details["residuals"]["plane"]["left_out"] == 120
    assert details["columns"]["columns"][0] == "size"
    assert details["slices"]["overall"] > 0
    assert len(details["members"]["members"]) >= 1
    assert details["parameters"] == {}  # two trials of a family say nothing of its parameters


def test_a_short_run_skips_the_details_and_says_so(stored: StoredRun) -> None:
    engine = HereEngine()
    Evaluator(stored.run, stored.data, stored.recipe, engine, seconds=3.0).evaluate()
    assert "details" not in [job.id for job in engine.jobs]
    assert read_json(stored.run.details_path)["skipped"] == ["details", "parameters"]
    record = measure_all_details(stored.run, 0)  # whenever there is time
    assert record == read_json(stored.run.details_path)
    assert record["skipped"] == []
    assert record["residuals"]["bands"]


def test_details_without_time_are_named_one_by_one(stored: StoredRun) -> None:
    found = describe_details({"run": str(stored.run.path), "seed": 0, "seconds": -1.0})
    assert found["skipped"] == ["residuals", "slices", "members", "columns"]


def test_jobs_are_given_the_time_that_is_left(stored: StoredRun) -> None:
    engine = HereEngine()
    Evaluator(stored.run, stored.data, stored.recipe, engine, seconds=3.0).evaluate()
    assert {job.limits.seconds for job in engine.jobs} == {4.5}
    assert engine.jobs[0].payload["seconds"] == 2.5
    assert engine.jobs[0].payload["bootstraps"] is None


def test_after_ctrl_c_what_is_not_there_soon_is_given_up(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "WRAP_UP_SECONDS", 0.0)
    engine = HereEngine()
    asked = iter([False])
    evaluator = Evaluator(
        stored.run, stored.data, stored.recipe, engine, seconds=None, should_stop=lambda: next(asked, True)
    )
    evaluator.evaluate()
    (told,) = evaluator.warnings
    assert isinstance(told, WarningRaised) and told.text.endswith("missing: the time was over before")


def test_evidence_is_what_the_search_left(stored: StoredRun) -> None:
    evidence = read_evidence(str(stored.run.path))
    assert set(evidence.outputs) == {0, 1, 2}
    assert 0 not in evidence.choices  # a constant is no choice
    assert sum(evidence.weights.values()) == pytest.approx(1.0)
    score = get_metric("rmse").score(evidence.y, evidence.blend)
    assert score == pytest.approx(read_json(stored.run.ensemble_path)["score"])
    constant = evidence.first_of("dummy")
    assert constant is not None and len(np.unique(constant)) == 3
    assert evidence.first_of("xgboost") is None


@pytest.mark.parametrize("lost", ["search", "search/models"])
def test_evidence_that_was_cleared_away_is_told_as_that(stored: StoredRun, tmp_path: Path, lost: str) -> None:
    run = stored.copy_to(tmp_path / "copy").run
    shutil.rmtree(run.path / lost)
    with pytest.raises(UsageError, match="no longer holds what the models of its folds said"):
        read_evidence(str(run.path))


def test_a_score_of_rows_too_few_to_be_left_out_is_not_said_to_be_corrected(
    stored: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(honest, "_repeat_choice", lambda *_: {})
    result = Evaluator(stored.run, stored.data, stored.recipe, HereEngine(), seconds=None).evaluate()
    assert (result["optimism"], result["bootstraps"], result["method"]) == (None, 0, TOO_FEW_ROWS)
    assert result["low"] < result["score"] == result["raw_score"] < result["high"]
    assert result["metrics"]["rmse"]["value"] == result["score"]


def test_an_interval_for_a_run_with_groups_draws_whole_groups(tmp_path: Path) -> None:
    table = make_regression_table()
    table["who"] = np.arange(len(table)) // 4
    stored = train(tmp_path / "run", table, "price", data={"group": "who"})
    units = read_evidence(str(stored.run.path)).units
    assert units is not None and np.unique(units, return_counts=True)[1].tolist() == [4] * 30
    recipe = Recipe().override({"ensemble": {"rounds": 5, "max_members": 3}}).model_dump(mode="json")
    payload = {"run": str(stored.run.path), "seed": 0, "seconds": None, "recipe": recipe, "bootstraps": 20}
    found = score_honestly(payload)
    assert found["low"] < found["score"] < found["high"]


def test_importance_stops_at_its_time_with_what_it_has(stored: StoredRun) -> None:
    payload = {"run": str(stored.run.path), "fold": 0, "seed": 0, "seconds": -1.0, "columns": ["size"]}
    assert measure_importance(payload) == {"drops": {}}
    first, second = (measure_importance({**payload, "seconds": 60.0})["drops"] for _ in range(2))
    assert first == second
    assert len(first["size"]) == 5


def test_what_is_not_there_at_the_deadline_is_given_up(stored: StoredRun) -> None:
    evaluator = Evaluator(stored.run, stored.data, stored.recipe, HereEngine(), seconds=3.0, deadline=0.0)
    result = evaluator.evaluate()
    (warning,) = evaluator.warnings
    assert isinstance(warning, WarningRaised) and warning.text.startswith("evaluation: honest score, quality, cost")
    assert (result["score"], result["low"]) == (result["raw_score"], None)
    assert "not corrected" in result["method"]


def test_importance_counts_rows_by_their_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_regression_table()
    table["times"] = np.arange(len(table)) % 5 + 1
    stored = train(tmp_path / "run", table, "price", data={"weight": "times"})
    assert stored.data.weight is not None
    metric, seen = get_metric("rmse"), []

    class Watched(type(metric)):  # type: ignore[misc]
        def score(self, y_true: Array, y_pred: FloatArray, weight: Array | None = None) -> float:
            seen.append(weight)
            return float(metric.score(y_true, y_pred, weight))

    monkeypatch.setattr(importance, "get_metric", lambda name: Watched())
    payload = {"run": str(stored.run.path), "fold": 0, "seed": 0, "seconds": 60.0, "columns": ["size"]}
    assert measure_importance(payload)["drops"]["size"]
    assert len(seen) == 6
    assert all(np.array_equal(weight, stored.data.weight[stored.data.folds[0]]) for weight in seen)
