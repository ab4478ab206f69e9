"""MLflow: the run as one run, each trial as a run below it; scores, parameters, report and model as artefacts."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any
from urllib.parse import urlsplit

from automl.events import BestImproved, Event, RunFinished, TrialFinished
from automl.run import Run
from automl.track import Recorder, Tracker, artifacts
from automl.track._facts import Trials, curves, describe_run, final_scores, is_finite

REQUIRES = ("mlflow",)
EXTRA = "mlflow"
LONGEST = 500  # characters of a parameter, which older servers refuse to exceed
LONGEST_NAME = 250  # characters of its name
MOST_PARAMS = 100  # in one call
STATUS = {"complete": "FINISHED", "stopped": "FINISHED", "interrupted": "KILLED"}


class Mlflow:
    """Tells to the server or file that MLFLOW_TRACKING_URI names, or to MLflow's own default."""

    title = "MLflow"

    def begin(self, run: Run) -> Recorder:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent to anybody who was not named
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # its remarks would run through the live panel
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # which is for results
        from mlflow.tracking import MlflowClient

        return _Recorder(run, MlflowClient())

    def where(self, run: Run) -> str:
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            return "mlflow ui"
        if urlsplit(uri).scheme in ("http", "https"):  # a server shows itself
            return _hide_credentials(uri)
        return f"mlflow ui --backend-store-uri {shlex.quote(uri)}"


class _Recorder:
    def __init__(self, run: Run, client: Any) -> None:
        self.run, self.client, self.trials = run, client, Trials(run)
        record = run.record
        data = str(record["data"]).rsplit("/", 1)[-1]
        self.experiment = _find_experiment(client, f"{data} → {record['target']}")
        self.parent = self._make_run(run.path.name, record["started"], {})
        self.has_ended = False
        self._tell_params(self.parent, describe_run(run))

    def record(self, event: Event) -> None:
        at = int(event.at * 1000)
        if isinstance(event, BestImproved):
            self.client.log_metric(self.parent, "best_score", event.score, timestamp=at, step=int(event.elapsed))
            self.client.log_metric(self.parent, "members", event.members, timestamp=at, step=int(event.elapsed))
        elif isinstance(event, TrialFinished):
            self._tell_trial(event, at)
        elif isinstance(event, RunFinished):
            self._tell_end(event, at)

    def finish(self) -> None:
        """End what no event has ended: the run was killed, unless it is still at work."""
        if not self.has_ended and not self.run.is_locked():
            self.client.set_terminated(self.parent, "KILLED")

    def _tell_trial(self, event: TrialFinished, at: int) -> None:
        record = self.trials.get(event.trial)
        name = str(record.get("label") or f"{event.candidate} #{event.trial}")
        tags = {"mlflow.parentRunId": self.parent, "status": event.status, "reason": event.reason[:LONGEST]}
        own = self._make_run(name, at - int(event.seconds * 1000), tags)
        self._tell_params(own, {"candidate": event.candidate, **record.get("params", {})})
        for step, score in enumerate(record.get("fold_scores") or ()):
            if is_finite(score):
                self.client.log_metric(own, "fold_score", float(score), timestamp=at, step=step)
        for key, value in (("score", event.score), ("seconds", event.seconds), ("peak_mb", event.peak_mb)):
            if is_finite(value):
                self.client.log_metric(own, key, float(value), timestamp=at)
        self.client.set_terminated(own, "FINISHED" if event.status in ("ok", "pruned") else "FAILED", end_time=at)

    def _tell_end(self, event: RunFinished, at: int) -> None:
        self.has_ended = True
        for name, value in {**final_scores(self.run), "run_seconds": event.seconds}.items():
            self.client.log_metric(self.parent, name, value, timestamp=at)
        for name, points in curves(self.run).items():
            for x, y in points:  # a step is a whole number: thousandths of x
                self.client.log_metric(self.parent, f"curve.{name}", y, timestamp=at, step=round(1000 * x))
        for path in artifacts(self.run):
            self.client.log_artifact(self.parent, str(path))
        if (self.run.model / "manifest.json").is_file():
            self.client.log_artifacts(self.parent, str(self.run.model), "model")
        self.client.set_terminated(self.parent, STATUS.get(event.status, "FAILED"), end_time=at)

    def _make_run(self, name: str, started: Any, tags: dict[str, str]) -> str:
        import datetime

        at = int(datetime.datetime.fromisoformat(started).timestamp() * 1000) if isinstance(started, str) else started
        made = self.client.create_run(self.experiment, start_time=at, tags={"tool": "automl", **tags}, run_name=name)
        return str(made.info.run_id)

    def _tell_params(self, run_id: str, params: dict[str, Any]) -> None:
        from mlflow.entities import Param

        told = [Param(_write_name(name), str(value)[:LONGEST]) for name, value in params.items()]
        for start in range(0, len(told), MOST_PARAMS):
            self.client.log_batch(run_id, params=told[start : start + MOST_PARAMS])


def _write_name(name: str) -> str:
    """The name of a parameter in the characters that MLflow takes."""
    return re.sub(r"[^\w\-. /]", "_", name)[:LONGEST_NAME]


def _hide_credentials(address: str) -> str:
    """The address without the name and the password that may stand before its host."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _find_experiment(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found is not None else client.create_experiment(name))


plugin: Tracker = Mlflow()
