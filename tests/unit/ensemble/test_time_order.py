"""Where later rows are scored by models of earlier ones, the model that knows the latest rows answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import automl
from automl.ensemble.bag import load_fold
from automl.events import JobStarted, read_events
from automl.export._bundle import export_model, open_source
from automl.files import read_json
from automl.run import Run
from automl.schema import Schema
from automl.search.data import SearchData
from automl.search.leaderboard import read_leaderboard
from automl.search.records import Records, read_results

ROWS = 1800


@pytest.fixture(scope="module")
def drifting() -> pd.DataFrame:
    """A straight line whose slope grows by the day."""
    rng = np.random.default_rng(2)
    day, x = np.arange(ROWS), rng.normal(size=ROWS)
    when = pd.Series(pd.date_range("2022-01-01", periods=ROWS)).dt.strftime("%Y-%m-%d")
    return pd.DataFrame({"when": when, "x": x, "y": (1 + 4 * day / ROWS) * x + rng.normal(0, 0.1, ROWS)})


@pytest.fixture(scope="module")
def run(drifting: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = automl.Recipe().override({"data": {"time": "when"}, "search": {"tune": False}})
    place = tmp_path_factory.mktemp("order") / "run"
    return automl.fit(drifting, target="y", recipe=recipe, out=place, trials=3, jobs=1)


def test_the_latest_model_answers_and_the_run_keeps_the_others_for_rows_they_have_not_seen(
    run: Run, drifting: pd.DataFrame
) -> None:
    model: Any = automl.load(run.path).model
    assert all(len(member.folds) == 1 for member in model.members)
    assert len(list((run.model / "members").iterdir())) == len(model.members)
    data = SearchData(run.data)
    record, schema = read_json(run.model / "ensemble.json"), Schema.from_json(read_json(run.model / "schema.json"))
    last = load_fold(run.path, record, schema, data.task, len(data.folds) - 1)
    first = load_fold(run.path, record, schema, data.task, 0)
    rows = data.table.take(np.arange(50))
    np.testing.assert_array_equal(model.predict_table(rows), last.predict_table(rows))
    assert np.abs(first.predict_table(rows) - last.predict_table(rows)).max() > 1.0


def test_it_follows_a_drift_that_the_mean_of_all_would_lag_behind(run: Run) -> None:
    x = np.linspace(-2, 2, 40)
    slope = np.polyfit(x, automl.load(run.path).predict(pd.DataFrame({"x": x, "when": "2024-07-01"})), 1)[0]
    assert slope > 2.4  # it has 2.7 in the rows of the last fold on average, 2.0 in those of the mean fold


def test_it_is_said_and_counted_as_what_it_is(run: Run) -> None:
    assert run.record["split"]["reason"].endswith("those of the last answer new rows")
    results = {result.trial: result for result in read_results(run.search)}
    models = [model for model in read_leaderboard(run)["models"] if model["trial"] is not None]
    for model in models:  # a row waits for one model a configuration
        assert model["predict_ms"] == pytest.approx(results[model["trial"]].predict_row_seconds * 1000, abs=1e-4)


def test_its_graph_answers_as_it_does(run: Run, tmp_path: Path) -> None:
    manifest = export_model(open_source(run.path), "onnx", tmp_path / "onnx")
    assert manifest["parity"]["largest_difference"] < 1e-4


def test_configurations_race_on_the_fold_that_has_learned_from_most(run: Run) -> None:
    assert SearchData(run.data).chief_fold == 4
    raced = [spec.number for spec in Records(run.search).specs.values() if spec.raced]
    begun = [
        event.fold for event in read_events(run.events_path) if isinstance(event, JobStarted) and event.trial in raced
    ]
    assert begun[0] == 4
