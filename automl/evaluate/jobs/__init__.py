"""Studies of a finished model, one file each: what it goes by, how it holds up, whom it serves how well.

Each is a `plugin` that runs in a worker within the seconds it is given, on rows that the models it asks had not seen.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from automl.ensemble.bag import BagModel, load_fold
from automl.evaluate.columns import source_columns
from automl.evaluate.evidence import Bootstrap, Evidence, read_evidence
from automl.files import read_json
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import Metric, get_metric
from automl.preprocess.table import Table
from automl.registry import Registry
from automl.run import Run
from automl.schema import Schema
from automl.search.data import SearchData
from automl.search.threshold import USUAL, move_threshold
from automl.task import Task, TaskKind


class Study(Protocol):
    """One file of `automl.evaluate.jobs`, as its `plugin`.

    Attributes:
        title: what it is, for a list of what is missing.
        order: studies are done in rising order, as time may not allow all.
        seconds: what it may take where nothing else sets a limit.
        least_seconds: with less than this it is not begun.

    One that sets `is_plain = True` is done in a run of any length, if the user asked for what it says.
    """

    title: str
    order: int
    seconds: float
    least_seconds: float

    def measure(self, case: Case) -> dict[str, Any] | None:
        """A JSON record, or None if the run gives it nothing to say. Must end by `case.deadline`.

        Raises:
            TimeoutError: if that is too early to say anything; the study is then not done.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Case:
    """The run a study looks at; everything is read on first use.

    Attributes:
        deadline: `time.monotonic()` at which the study must have ended.
    """

    run: Run
    seed: int
    deadline: float = float("inf")

    @cached_property
    def data(self) -> SearchData:
        return SearchData(self.run.data)

    @cached_property
    def schema(self) -> Schema:
        return Schema.from_json(read_json(self.run.model / "schema.json"))

    @property
    def task(self) -> Task:
        return self.data.task

    @cached_property
    def metric(self) -> Metric:
        return get_metric(self.task.metric)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The user's columns, those that matter most first as far as is known."""
        names = source_columns(self.data.table.layout)
        known: dict[str, float] = {}
        if self.run.evaluation_path.exists():
            for entry in read_json(self.run.evaluation_path).get("importance") or []:
                known[str(entry["column"])] = float(entry["importance"])
        return tuple(sorted(names, key=lambda name: -known.get(name, -float("inf"))))

    @cached_property
    def model(self) -> BagModel:
        """The deployed ensemble as far as it was trained for fold `chief_fold`."""
        record = read_json(self.run.model / "ensemble.json")
        return load_fold(self.run.path, record, self.schema, self.task, self.data.chief_fold)

    @cached_property
    def threshold(self) -> float:
        """From which probability on the deployed ensemble names the second of two classes."""
        return float(read_json(self.run.ensemble_path).get("threshold", USUAL))

    @cached_property
    def evidence(self) -> Evidence:
        """Out-of-fold predictions of all rows."""
        return read_evidence(str(self.run.path))

    def as_judged(self, outputs: FloatArray) -> FloatArray:
        """Outputs (n, k) of the deployed ensemble as the metric is to see them."""
        return move_threshold(outputs, self.threshold) if self.metric.needs_labels else outputs

    def unseen_rows(self, most: int) -> Array:
        """At most so many rows, ascending, that `model` has not seen; a random sample of them."""
        rows = self.data.folds[self.data.chief_fold]
        if len(rows) <= most:
            return rows
        return np.sort(self.rng(1).choice(rows, most, replace=False))

    def seen_rows(self, most: int) -> Array:
        """At most so many rows that `model` was trained on, such as a background."""
        rows = self.data.trains[self.data.chief_fold]
        return np.sort(self.rng(2).choice(rows, min(most, len(rows)), replace=False))

    def units(self, rows: Array) -> IntArray | None:
        """Group number of each of these rows; None where rows have no groups, or where all are of one, which alone
        shows nothing of how groups differ."""
        groups = None if self.data.groups is None else self.data.groups[rows]
        return None if groups is None or np.ptp(groups) == 0 else groups

    def rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, 47, stream])

    def has_time(self, share: float = 0.0, since: float = 0.0) -> bool:
        """Whether the deadline is further than `share` of the time gone by `since`."""
        now = time.monotonic()
        return now + share * (now - since) < self.deadline

    @property
    def explained(self) -> str:
        """What an output stands for, in words."""
        if self.task.kind is TaskKind.BINARY:
            return f"probability of {self.task.classes[1]}"
        return "probability" if self.task.is_classification else self.task.target

    def predict(self, table: Table) -> FloatArray:
        """What is explained of each row (n, c): the positive class's probability, every class's, or the value."""
        outputs = self.model.predict_table(table)
        return outputs[:, 1:] if self.task.kind is TaskKind.BINARY else outputs

    def predict_one(self, table: Table, place: int) -> Array:
        """Column `place` of `predict` (n,) float64."""
        return self.predict(table)[:, place].astype(np.float64)

    @cached_property
    def places(self) -> tuple[tuple[int, str], ...]:
        """Which columns of `predict` are worth a chart each, with their names: at most three classes, by frequency."""
        if self.task.kind is not TaskKind.MULTICLASS:
            return ((0, self.explained),)
        counts = np.bincount(self.data.target.astype(np.int64), minlength=self.task.n_classes)
        order = np.argsort(-counts, kind="stable")[:3]
        return tuple((int(place), f"probability of {self.task.classes[place]}") for place in order)


registry: Registry[Study] = Registry("automl.evaluate.jobs", noun="study")


def measure_study(payload: dict[str, Any]) -> dict[str, Any] | None:
    """A worker's job: payload run (path), study (name), seed, seconds."""
    began = time.monotonic()
    case = Case(Run(Path(payload["run"])), int(payload["seed"]), began + float(payload["seconds"]))
    record = registry.get(payload["study"]).measure(case)
    return None if record is None else {**record, "seconds": round(time.monotonic() - began, 3)}


def paired_interval(
    score: Callable[[Array], float],
    rows: int,
    rng: np.random.Generator,
    repeats: int = 60,
    units: IntArray | None = None,
) -> float:
    """Standard error of a statistic of n rows by the bootstrap.

    Args:
        score: gets row numbers (n,).
        units: group number (n,) of rows that are drawn together.
    """
    samples = Bootstrap(rows, units)
    values = [score(samples.draw(rng)) for _ in range(repeats)]
    finite = [value for value in values if np.isfinite(value)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else 0.0
