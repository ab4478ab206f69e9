"""A run told to MLflow and TensorBoard, read back by their own libraries; and what a tracker that fails may cost."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.errors import MissingExtraError, UsageError
from automl.events import BestImproved, Event, TrialFinished, read_events
from automl.files import read_json
from automl.flow import fit
from automl.recipe import Recipe
from automl.run import Run
from automl.track import Tracking, replay, trackers
from automl.track.mlflow import _write_name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    frame["y"] = np.where(frame["a"] + rng.normal(size=300) > 0, "yes", "no")
    search = {"candidates": ("linear", "naive_bayes"), "tune": False}
    recipe = Recipe().override({"search": search, "split": {"folds": 3, "repeats": 1}})
    return fit(frame, target="y", out=tmp_path_factory.mktemp("track") / "run", recipe=recipe, trials=3, jobs=1)


def finished(run: Run) -> list[TrialFinished]:
    return [event for event in read_events(run.events_path) if isinstance(event, TrialFinished)]


# sqlalchemy says so of MLflow's own tables
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_mlflow_has_the_run_its_trials_and_its_files(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    replay(run, "mlflow")
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("a data frame → y")
    told = client.search_runs([experiment.experiment_id])
    parent = next(each for each in told if "mlflow.parentRunId" not in each.data.tags)
    children = [each for each in told if each is not parent]
    assert (parent.info.run_name, parent.info.status) == ("run", "FINISHED")
    assert parent.data.params["recipe.search.candidates"] == "linear, naive_bayes"
    assert parent.data.metrics["score"] == pytest.approx(read_json(run.evaluation_path)["score"])
    best = [event.score for event in read_events(run.events_path) if isinstance(event, BestImproved)]
    assert [each.value for each in client.get_metric_history(parent.info.run_id, "best_score")] == pytest.approx(best)
    events = finished(run)
    assert len(children) == len(events)
    linear = next(each for each in children if each.info.run_name == "linear")
    assert linear.data.metrics["score"] == pytest.approx(next(e.score for e in events if e.candidate == "linear"))
    assert len(client.get_metric_history(linear.info.run_id, "fold_score")) == 3
    names = {entry.path for entry in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "leaderboard.csv", "model_card.md", "recipe.yaml", "model"} <= names
    client._tracking_client.store.engine.dispose()


def test_mlflow_writes_no_addresses_among_the_results(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr("automl.track.mlflow._Recorder", lambda run, client: client)
    client: Any = trackers.get("mlflow").begin(run)
    client._tracking_client._log_url("a run")  # as MLflow does when a run ends; it would ask the server for its name
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", "mlflow ui"),
        ("sqlite:///ml flow.db", "mlflow ui --backend-store-uri 'sqlite:///ml flow.db'"),
        ("http://host:5000", "http://host:5000"),
        ("https://me:se@cret@host/mlflow", "https://host/mlflow"),
    ],
)
def test_where_mlflow_shows_a_run_can_be_typed_and_tells_no_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, address: str, shown: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert trackers.get("mlflow").where(run) == shown


def test_tensorboard_has_scalars_and_the_parameters_of_each_trial(run: Run) -> None:
    replay(run, "tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    folder = run.path / "tensorboard"
    whole = EventAccumulator(str(folder / "run")).Reload()
    tags = whole.Tags()["tensors"]
    assert {"best/score", "trials/score", "linear/score", "final/score", "run", "model card"} <= set(tags)
    scores = [float(event.tensor_proto.float_val[0]) for event in whole.Tensors("trials/score")]
    assert scores == pytest.approx([event.score for event in finished(run)], abs=1e-6)
    number = next(event.trial for event in finished(run) if event.candidate == "linear")
    own = EventAccumulator(str(folder / f"trial-{number:04d}")).Reload()
    content = own.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    start = metadata.parse_session_start_info_plugin_data(content)
    assert start.hparams["candidate"].string_value == "linear"
    assert start.hparams["model.C"].number_value > 0


class Broken:
    title = "Broken"

    def __init__(self, fault: Any) -> None:
        self.fault = fault

    def begin(self, run: Run) -> Any:
        return self

    def where(self, run: Run) -> str:
        return ""

    def record(self, event: Event) -> None:
        self.fault()

    def finish(self) -> None: ...


def refuse() -> None:
    raise ConnectionError("nobody\nanswers")


@pytest.mark.parametrize(
    ("fault", "said"),
    [(refuse, "ConnectionError: nobody answers"), (lambda: time.sleep(30), "was not ready")],
)
def test_a_tracker_that_fails_or_hangs_is_said_once_and_costs_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, fault: Any, said: str
) -> None:
    monkeypatch.setitem(trackers._loaded, "mlflow", Broken(fault))
    told: list[str] = []
    tracking = Tracking(["mlflow"], told.append)
    began = time.monotonic()
    for event in read_events(run.events_path):
        tracking(event)
    assert time.monotonic() - began < 1
    tracking.close(0.5)
    assert time.monotonic() - began < 2
    assert len(told) == 1
    assert said in told[0]
    assert f"automl track {run.path} --to mlflow" in told[0]


def test_a_tracker_that_is_unknown_or_not_installed_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="Unknown tracker 'mlflo'"):
        Tracking(["mlflo"], print)
    monkeypatch.setattr(trackers, "_loaded", {})
    monkeypatch.setattr("automl.registry._is_installed", lambda module: False)
    with pytest.raises(MissingExtraError, match="needs tensorboard, which is not installed") as caught:
        Tracking(["tensorboard"], print)
    assert caught.value.hint == "pip install 'automl[tensorboard]'"


def test_names_of_columns_are_written_as_mlflow_takes_them() -> None:
    assert _write_name("recipe.data.roles.Price (EUR) in %") == "recipe.data.roles.Price _EUR_ in _"


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_a_run_that_was_killed_does_not_stand_as_running(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    killed = Run(Path(shutil.copytree(run.path, tmp_path / "killed")))
    events = killed.events_path.read_text("utf-8").splitlines(keepends=True)
    killed.events_path.write_text("".join(line for line in events if "RunFinished" not in line), encoding="utf-8")
    replay(killed, "mlflow")
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    told = client.search_runs([client.get_experiment_by_name("a data frame → y").experiment_id])
    parent = next(each for each in told if "mlflow.parentRunId" not in each.data.tags)
    assert parent.info.status == "KILLED"
    client._tracking_client.store.engine.dispose()
