"""A run folder as sections read it: every file on first use, and nothing where a file is not there."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from pathlib import Path
from typing import Any

from automl.errors import AutoMLError
from automl.events import Event, read_events, read_jsonl
from automl.files import read_json
from automl.report.text import is_figure
from automl.run import Run
from automl.task import Task
from automl.versions import Versions

COLLECTED = {"", ".zip", ".npz", ".gz"}  # what collections of files end in
_TITLES = {"roc_auc": "ROC AUC", "log_loss": "log loss", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetricFacts:
    """What a report needs to know of a metric: how it is called, which way is better, how many digits matter.

    Attributes:
        is_plain: it judges what a fold's model says as it is said: nothing is calibrated for it, no threshold moved.
    """

    name: str
    title: str
    maximize: bool
    decimals: int
    bounds: tuple[float, float] = (-math.inf, math.inf)
    is_plain: bool = False

    def clip(self, score: float) -> float:
        """A bound of an interval, moved to the nearest score that there can be: intervals are widened on both sides."""
        return min(max(score, self.bounds[0]), self.bounds[1])


class RunSource:
    """The files of one run, read lazily. A missing file is an empty record; a broken one is that and a problem.

    Args:
        run: the folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.problems: list[str] = []

    @cached_property
    def record(self) -> dict[str, Any]:
        """run.json."""
        return self._read(self.run.record_path)

    @cached_property
    def profile(self) -> dict[str, Any]:
        """The table's summary."""
        return _dict(self._read(self.run.profile_path).get("profile"))

    @cached_property
    def files_role(self) -> str:
        """ "image" or "text" of a model that learned from a folder or zip of such files, and "" of one of a table."""
        columns = [column for column in _records(self.profile.get("columns")) if column.get("role") != "ignore"]
        features = [(str(column.get("name")), str(column.get("role"))) for column in columns]
        data = Path(str(self.record.get("data") or ""))
        of_files = features in ([("path", "image")], [("text", "text")]) and self.record.get("target") == "label"
        return features[0][1] if of_files and data.suffix.lower() in COLLECTED else ""

    @property
    def new_data(self) -> str:
        """What new rows are called in a command to type: a table or, as the training rows were, a folder."""
        return "NEW/" if self.files_role else "NEW.csv"

    @cached_property
    def findings(self) -> list[dict[str, Any]]:
        """Findings, the gravest first."""
        found = _records(self._read(self.run.profile_path).get("findings"))
        order = {"risk": 0, "warning": 1, "note": 2}
        return sorted(found, key=lambda finding: order.get(str(finding.get("severity")), 3))

    @cached_property
    def notices(self) -> list[dict[str, Any]]:
        """What was guessed or changed: notices of the profile, then decisions of the events, each text once."""
        notices = _records(self._read(self.run.profile_path).get("notices"))
        seen = {str(notice.get("text")) for notice in notices}
        seen |= {str(finding.get("text")) for finding in self.findings}
        for event in self.of_kind("Decision"):
            if event["text"] not in seen:
                seen.add(event["text"])
                notices.append({key: event.get(key, "") for key in ("topic", "text", "reason")})
        return notices

    @cached_property
    def leaderboard(self) -> list[dict[str, Any]]:
        """Models, best first."""
        return _records(self._read(self.run.path / "leaderboard.json").get("models"))

    @property
    def deployed(self) -> dict[str, Any]:
        """The leaderboard's entry of the deployed model, which need not be the first: limits of size and time may leave
        the best out. The first, where none is marked; empty without a leaderboard."""
        whole = [model for model in self.leaderboard if model.get("weight") == 1.0]
        whole.sort(key=lambda model: model.get("kind") != "ensemble")  # a member's share may be rounded to 1
        return next(iter(whole or self.leaderboard), {})

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        return self._read(self.run.evaluation_path)

    @cached_property
    def details(self) -> dict[str, Any]:
        """Curves, slices, likeness and parameters, each a dict by its name; parts that were not measured are absent."""
        record = self._read(self.run.details_path)
        names = ("curves", "residuals", "slices", "folds", "members", "columns", "parameters")
        return {name: record[name] for name in names if isinstance(record.get(name), dict)}

    @cached_property
    def skipped(self) -> list[str]:
        """Parts of the report that time did not allow."""
        names = self._read(self.run.details_path).get("skipped")
        return [str(name) for name in names] if isinstance(names, list) else []

    @cached_property
    def studies(self) -> dict[str, Any]:
        """What the studies of `automl.evaluate.jobs` found: study → record; "skipped": study → reason."""
        return self._read(self.run.studies_path)

    @cached_property
    def ensemble(self) -> dict[str, Any]:
        return self._read(self.run.ensemble_path)

    @cached_property
    def members(self) -> list[dict[str, Any]]:
        """Models that the deployed one is made of; one, where it is no ensemble."""
        return _records(self.ensemble.get("members"))

    @property
    def slopes(self) -> list[float]:
        """Of the second layer, one a member; empty where there is none."""
        layer = self.ensemble.get("layer")
        slopes = layer.get("slopes") if isinstance(layer, dict) else None
        fits = isinstance(slopes, list) and len(slopes) == len(self.members) and all(map(is_figure, slopes))
        return [float(slope) for slope in slopes] if slopes and fits else []

    @property
    def is_linear(self) -> bool:
        """Whether the deployed model is one linear model: of the family that is the linear baseline."""
        baselines = {trial.get("candidate") for trial in self.trials if trial.get("origin") == "baseline"}
        linear = (baselines - {"dummy"}) | {"linear"}
        return len(self.members) == 1 and self.members[0].get("candidate") in linear

    @property
    def scored_rows(self) -> int | None:
        """Rows that the score is of, counted where the evaluation sorted them; None if it did not.

        They may be fewer than the table has: with a time column the first rows only train, and so do most of a holdout.
        """
        classes = [entry.get("rows") for entry in _records(self.evaluation.get("classes"))]
        counts = classes or _dict(_dict(self.evaluation.get("residuals")).get("histogram")).get("counts")
        if not isinstance(counts, list) or not counts or not all(is_figure(count) for count in counts):
            return None
        return int(sum(counts))

    @cached_property
    def trials(self) -> list[dict[str, Any]]:
        """Finished trials in the order they ended."""
        return self._read_lines(self.run.search / "trials.jsonl")

    def fold_scores(self, trial: Any) -> list[float]:
        """A configuration's score on each fold, judged as it is on all of them; empty where that was not measured.

        What the workers noted of a fold is neither calibrated nor at the configuration's own threshold.
        """
        told = _records(_dict(self.details.get("folds")).get("members"))
        if self.metric.is_plain:
            told = [{**record, "scores": record.get("fold_scores")} for record in self.trials]
        scores = next((record.get("scores") for record in told if record.get("trial") == trial), None)
        return [float(score) for score in scores if is_figure(score)] if isinstance(scores, list) else []

    @cached_property
    def events(self) -> list[Event]:
        try:
            return list(read_events(self.run.events_path))
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.problems.append(f"{self.run.events_path.name} cannot be read: {error}")
            return []

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Events of one kind as records."""
        return [event.to_json() for event in self.events if type(event).__name__ == kind]

    @cached_property
    def task(self) -> Task | None:
        """The task, or None if the run ended before it was known."""
        record = self.record.get("task")
        if not isinstance(record, dict):
            return None
        try:
            return Task.from_json(record)
        except (KeyError, TypeError, ValueError) as error:
            self.problems.append(f"the task in run.json cannot be read: {error}")
            return None

    @cached_property
    def metric(self) -> MetricFacts:
        """The metric that the search was judged by."""
        named = self.record.get("metric") or self.evaluation.get("metric") or (self.task.metric if self.task else "")
        facts = metric_facts(str(named or "score"))
        for record in (self.evaluation, self._read(self.run.path / "leaderboard.json")):
            if isinstance(record.get("maximize"), bool):
                return dataclasses.replace(facts, maximize=record["maximize"])
        return facts

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The complete recipe, as a nested dict."""
        import yaml

        try:
            return _dict(yaml.safe_load(self.run.recipe_path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            self.problems.append(f"{self.run.recipe_path.name} cannot be read: {error}")
            return {}

    @property
    def weight(self) -> str:
        """The column that weighs rows, by which metrics count them; empty without one."""
        return str(_dict(self.recipe.get("data")).get("weight") or "")

    @property
    def status(self) -> str:
        """As in run.json; a run whose score is already checked is complete, though its last stages still run."""
        status = str(self.record.get("status") or "unknown")
        return "complete" if status == "running" and self.evaluation.get("score") is not None else status

    @property
    def seconds_used(self) -> float | None:
        """Wall clock of the command; of its events so far, where it has not ended."""
        used = self.record.get("finished_seconds")
        if is_figure(used):
            return float(used)
        started = [event.at for event in self.events if type(event).__name__ == "RunStarted"]
        return max(0.0, self.events[-1].at - started[-1]) if started else None

    @property
    def version(self) -> int | None:
        """The number that `automl retrain` gave this run below another; None for a run of its own."""
        path = self.run.path
        is_version = path.parent.name == "versions" and path.name.isdigit()
        return int(path.name) if is_version and (path.parent.parent / "run.json").is_file() else None

    @property
    def version_in_use(self) -> int:
        """Which version of this run, or of the one that it is a version of, answers."""
        return Versions(self._root).current

    @property
    def shown_path(self) -> str:
        """The run folder as a user here would type it."""
        return _shorten(self.run.path)

    @property
    def shown_root(self) -> str:
        """The folder to ask for predictions: that of a version would stay behind when another is put in use."""
        return _shorten(self._root)

    @property
    def _root(self) -> Path:
        return self.run.path if self.version is None else self.run.path.parent.parent

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return _dict(read_json(path))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            problem = f"{path.name} cannot be read: {error}"
            if problem not in self.problems:
                self.problems.append(problem)
            return {}

    def _read_lines(self, path: Path) -> list[dict[str, Any]]:
        try:
            return [record for record in read_jsonl(path) if isinstance(record, dict)]
        except (OSError, ValueError) as error:
            self.problems.append(f"{path.name} cannot be read: {error}")
            return []


def _shorten(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def metric_facts(name: str) -> MetricFacts:
    """Facts of a metric by name. One that is not installed here is called by its name, and taken as an error if it
    sounds like one."""
    from automl.metrics import get_metric

    try:
        metric = get_metric(name)
    except AutoMLError:
        smaller = any(part in name for part in ("loss", "error", "rmse", "mae", "mse", "brier", "mape"))
        return MetricFacts(name=name, title=_TITLES.get(name, name.replace("_", " ")), maximize=not smaller, decimals=4)
    low, high = metric.bounds
    bounds = (low if metric.maximize else max(low, 0.0), high)
    return MetricFacts(
        name=name,
        title=metric.title,
        maximize=metric.maximize,
        decimals=metric.decimals,
        bounds=bounds,
        is_plain=not (metric.is_proper or metric.hangs_on_threshold),
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _records(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
