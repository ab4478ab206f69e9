"""Runs the evaluation's parts as jobs, side by side and inside the time left, and joins them to evaluation.json."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from automl.clock import WRAP_UP_SECONDS
from automl.engines import Engine, Job, Limits, Status
from automl.evaluate.cost import measure_cost
from automl.evaluate.details import describe_details
from automl.evaluate.examples import show_texts
from automl.evaluate.honest import score_honestly
from automl.evaluate.importance import measure_importance, summarize_importance
from automl.evaluate.pictures import show_examples
from automl.evaluate.quality import correct_claims, correct_metrics, describe_quality
from automl.events import Event, WarningRaised
from automl.files import read_json, write_json
from automl.recipe import Recipe
from automl.run import Run
from automl.search.data import SearchData
from automl.search.insight import describe_parameters
from automl.search.leaderboard import correct_leaderboard

METHOD = (
    "score: out-of-fold predictions of the folds of the deployed model, optimism of the choice removed by bootstrap "
    "bias corrected cross-validation, 95% interval by bootstrap over rows; metrics: corrected likewise"
)
TOO_LATE = "out-of-fold score, not corrected: the time was too short"
TOO_FEW_ROWS = (
    "out-of-fold score, not corrected: too few rows to repeat the choice on some and score it on the others; "
    "95% interval by bootstrap over rows"
)
MAX_CORRECTION_SECONDS = 60.0
IMPORTANCE_FOLDS = 2
# With less time than this for all parts the report is a plain one; `automl report RUN --full` measures the rest.
MIN_DETAIL_SECONDS = 4.0
DETAIL_SHARE = 0.15
PARAMETER_SECONDS = 1.0
# Beyond its time a part is given this much before it is ended; the promise to the user has room for it.
GRACE_SECONDS = 2.0
LOOK_SECONDS = 0.1


class Evaluator:
    """Evaluates a finished search.

    Args:
        seconds: time for all jobs together; None for a run by trials, where counts decide.
        deadline: `time.monotonic()` at which what is not there is given up, whatever hinders it: a machine so busy that
            workers do not come to their work must not make the command late.
        should_stop: asked often; what is not there soon after it says so is given up as well.
    """

    def __init__(
        self,
        run: Run,
        data: SearchData,
        recipe: Recipe,
        engine: Engine,
        *,
        seconds: float | None,
        deadline: float = float("inf"),
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.run, self.data, self.recipe, self.engine, self.seconds = run, data, recipe, engine, seconds
        self.deadline, self.should_stop = deadline, should_stop
        self.warnings: list[Event] = []

    def evaluate(self) -> dict[str, Any]:
        """Run the jobs, write evaluation.json and return it. A part that fails is left out, with a warning."""
        waiting = self._jobs()
        values: dict[str, Any] = {}
        running: set[str] = set()
        parameters: dict[str, Any] | None = None if self._is_detailed else {"skipped": ["parameters"]}
        stopping = False
        while waiting or running:
            if not stopping and self.should_stop():
                stopping, self.deadline = True, min(self.deadline, time.monotonic() + WRAP_UP_SECONDS)
            if time.monotonic() > self.deadline:
                self._give_up([*sorted(running), *(job.id for job in waiting)])
                break
            while waiting and self.engine.free_slots() > 0:
                job = waiting.pop(0)
                self.engine.submit(job)
                running.add(job.id)
            if parameters is None:  # the parent's own work, while the workers are busy
                parameters = describe_parameters(self.run, maximize=self.data.task.maximize, seconds=PARAMETER_SECONDS)
            for outcome in self.engine.wait(LOOK_SECONDS):
                if outcome.id not in running:
                    continue
                running.discard(outcome.id)
                if outcome.status is Status.OK:
                    values[outcome.id] = outcome.value
                else:
                    text = f"evaluation: {outcome.id} is missing: {outcome.reason or outcome.status}"
                    self.warnings.append(WarningRaised(text=text))
        result = self._join(values)
        write_json(self.run.evaluation_path, result)
        write_json(self.run.details_path, join_details(values.get("details"), parameters or {}))
        correct_leaderboard(self.run, score=result["score"], low=result["low"], high=result["high"])
        return result

    def _give_up(self, names: list[str]) -> None:
        self.engine.cancel()
        text = f"evaluation: {', '.join(names)} missing: the time was over before"
        self.warnings.append(WarningRaised(text=text))

    @property
    def _is_detailed(self) -> bool:
        return self.seconds is None or self.seconds >= MIN_DETAIL_SECONDS

    def _jobs(self) -> list[Job]:
        common = {"run": str(self.run.path), "seed": self.recipe.seed}
        seconds = None if self.seconds is None else max(0.5, self.seconds - 0.5)
        limit = float("inf") if seconds is None else seconds + GRACE_SECONDS
        honest_seconds = None if seconds is None else min(seconds, MAX_CORRECTION_SECONDS)
        honest = {
            **common,
            "seconds": honest_seconds,
            "recipe": self.recipe.model_dump(mode="json"),
            "bootstraps": 30 if seconds is None else None,
        }
        jobs = [
            Job(id="honest score", function=score_honestly, payload=honest, limits=Limits(seconds=limit)),
            Job(id="quality", function=describe_quality, payload=common, limits=Limits(seconds=limit)),
            Job(id="cost", function=measure_cost, payload=common, limits=Limits(seconds=limit)),
        ]
        if self._is_detailed:
            payload = {**common, "seconds": None if seconds is None else DETAIL_SHARE * seconds}
            jobs.append(Job(id="details", function=describe_details, payload=payload, limits=Limits(seconds=limit)))
        if self.recipe.report.include_samples and self.data.table.layout.pictures:
            payload = {**common, "seconds": 20.0 if seconds is None else seconds * 0.5}
            jobs.append(Job(id="pictures", function=show_examples, payload=payload, limits=Limits(seconds=limit)))
        if self.recipe.report.include_samples and self.data.table.layout.texts:
            jobs.append(Job(id="texts", function=show_texts, payload=common, limits=Limits(seconds=limit)))
        columns = self._columns()
        for fold in self._telling_folds() if columns else ():
            payload = {
                **common,
                "fold": fold,
                "columns": columns,
                "seconds": 10.0 if seconds is None else seconds * (0.375 if self._is_detailed else 0.45),
            }
            jobs.append(
                Job(
                    id=f"importance {fold}",
                    function=measure_importance,
                    payload=payload,
                    limits=Limits(seconds=limit),
                )
            )
        return jobs

    def _telling_folds(self) -> list[int]:
        """The folds whose models are asked what they go by: the first ones or, of later rows, the last."""
        folds = list(range(len(self.data.folds)))
        return folds[:IMPORTANCE_FOLDS] if self.data.times is None else folds[-IMPORTANCE_FOLDS:]

    def _columns(self) -> list[str]:
        """The user's columns, those most associated with the target first, as time may not allow all."""
        layout = self.data.table.layout
        names = dict.fromkeys(layout.source(name) for name in (*layout.numbers, *layout.categories, *layout.dates))
        names |= dict.fromkeys(layout.pictures if names else ())  # alone it is all there is: nothing to rank
        known: dict[str, float] = {}
        if self.run.profile_path.exists():
            for column in read_json(self.run.profile_path).get("profile", {}).get("columns", []):
                known[column["name"]] = column.get("association") or 0.0
        return sorted(names, key=lambda name: -known.get(name, 0.0))

    def _join(self, values: dict[str, Any]) -> dict[str, Any]:
        members = read_json(self.run.ensemble_path)
        raw = members["score"]
        honest = values.get("honest score") or {
            "score": raw, "low": None, "high": None, "raw_score": raw, "optimism": None, "bootstraps": 0,
            "optimism_by_metric": {},
        }  # fmt: skip
        quality = values.get("quality", {"metrics": {}, "baselines": {}})
        drops = [value["drops"] for name, value in values.items() if name.startswith("importance")]
        task = self.data.task
        result = {
            "metric": task.metric,
            "maximize": task.maximize,
            **honest,
            "method": _tell_method(values.get("honest score")),
            **quality,
            "cost": values.get("cost"),
            "importance": summarize_importance(drops),
            **{name: values[name] for name in ("pictures", "texts") if name in values},
        }
        return correct_metrics(correct_claims(result))


def _tell_method(honest: dict[str, Any] | None) -> str:
    if honest is None:
        return TOO_LATE
    return TOO_FEW_ROWS if honest["optimism"] is None else METHOD


def join_details(measured: dict[str, Any] | None, parameters: dict[str, Any]) -> dict[str, Any]:
    """details.json: what was measured, and under "skipped" what time did not allow."""
    record = dict(measured or {"schema_version": 1, "skipped": ["details"]})
    record["skipped"] = [*record.get("skipped", []), *parameters.get("skipped", [])]
    if "families" in parameters:
        record["parameters"] = parameters["families"]
    return record


def measure_all_details(run: Run, seed: int) -> dict[str, Any]:
    """Everything that `details.json` can hold, however long it takes, for a run that is finished."""
    measured = describe_details({"run": str(run.path), "seed": seed, "seconds": None})
    parameters = describe_parameters(run, maximize=SearchData(run.data).task.maximize, seconds=None)
    record = join_details(measured, parameters)
    write_json(run.details_path, record)
    return record
