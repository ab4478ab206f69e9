"""What /metrics tells: requests, errors, latencies, rows, predicted classes, odd cells, drift, memory, version."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, Summary, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from automl.matrix import FloatArray
from automl.schema import Role
from automl.serve.model import ServedModel
from automl.serve.rows import Rows

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
MOST_COLUMNS = 200  # with series of their own: a page of 10,000 columns helps nobody
MOST_CLASSES = 100
MOST_VALUES = 100  # of one request, in histograms
OTHER = "(other)"
# Of a gauge that tells nothing: a series of several processes cannot be taken back, and the largest is told of it.
UNTOLD = -math.inf


class Metrics:
    """The series of one worker; those of all workers are summed when they are read.

    With PROMETHEUS_MULTIPROC_DIR in the environment, as the supervisor sets it, the values live in files of that
    folder, and those of a worker that died still count.

    Attributes:
        at_work: requests of this worker that have no answer yet.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("automl_requests", "Requests by path and status", ["path", "status"], registry=registry)
        self.errors = Counter("automl_errors", "Requests refused, by what was wrong", ["kind"], registry=registry)
        self.latency = Histogram(
            "automl_request_seconds",
            "From a request's head to the end of its answer",
            ["path"],
            buckets=SECONDS,
            registry=registry,
        )
        self.predict = Histogram(
            "automl_predict_seconds", "Seconds in the model, a batch", buckets=SECONDS, registry=registry
        )
        self.batch_rows = Histogram("automl_batch_rows", "Rows of a batch", buckets=SIZES, registry=registry)
        self.batch_requests = Histogram(
            "automl_batch_requests", "Requests answered in one batch", buckets=SIZES, registry=registry
        )
        self.rows = Counter("automl_rows", "Rows predicted", registry=registry)
        self.in_flight = Gauge(
            "automl_requests_in_flight", "Requests at work", registry=registry, multiprocess_mode="livesum"
        )
        self.predictions = Counter("automl_predictions", "Predictions by class", ["class"], registry=registry)
        self.values = Histogram(
            "automl_prediction_score",
            "Probability of the class that was predicted",
            buckets=tuple(np.round(np.arange(0.1, 1.0, 0.1), 1).tolist()),
            registry=registry,
        )
        self.value = Summary("automl_predicted_value", "Predicted values of a regression", registry=registry)
        self.missing = Counter("automl_missing_values", "Cells without a value", ["column"], registry=registry)
        self.unseen = Counter(
            "automl_unseen_values", "Cells with a category that training did not have", ["column"], registry=registry
        )
        self.unreadable = Counter(
            "automl_unreadable_values",
            "Cells that are no number or date, or a number too large",
            ["column"],
            registry=registry,
        )
        self.drift = Gauge(
            "automl_drift_psi",
            "Population stability index of the last rows against training",
            ["column"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.drift_rows = Gauge(
            "automl_drift_rows", "Rows that the drift gauges look at", registry=registry, multiprocess_mode="livesum"
        )
        self.info = Gauge(
            "automl_model_info",
            "1 for the model that answers",
            ["model", "version", "runtime"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.loaded = Gauge(
            "automl_model_loaded_timestamp_seconds",
            "When the model was loaded",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.reloads = Counter("automl_reloads", "Models swapped in or refused", ["outcome"], registry=registry)
        for outcome in ("done", "refused"):  # from 0 on: an increase to the first one is else none
            self.reloads.labels(outcome)
        self.memory = Gauge(
            "automl_resident_memory_bytes", "Memory of all workers", registry=registry, multiprocess_mode="livesum"
        )
        self.observers = Counter("automl_observer_drops", "Batches that a slow observer missed", registry=registry)
        self.at_work = 0
        self._series: dict[tuple[str, int], Any] = {}
        self._columns: frozenset[str] = frozenset()
        self._drifting: frozenset[str] = frozenset()  # columns whose drift is told
        self._model: tuple[str, str, str] | None = None

    def begin(self) -> None:
        """A request has come."""
        self.at_work += 1
        self.in_flight.inc()

    def leave(self) -> None:
        """A request is no longer at work."""
        self.at_work -= 1
        self.in_flight.dec()

    def end(self, path: str, status: int, seconds: float) -> None:
        """A request has its answer."""
        self.leave()
        found = self._series.get((path, status))
        if found is None:
            found = self._series[path, status] = (self.requests.labels(path, str(status)), self.latency.labels(path))
        found[0].inc()
        found[1].observe(seconds)

    def show_model(self, model: ServedModel) -> None:
        """Say which model answers from now on."""
        if self._model is not None:
            self.info.labels(*self._model).set(0)
        self._model = (model.name, model.version, model.runtime)
        self.info.labels(*self._model).set(1)
        self.loaded.set(time.time())
        self._columns = frozenset(column.name for column in model.schema.features[:MOST_COLUMNS])
        self._begin_series(model)

    def _begin_series(self, model: ServedModel) -> None:
        """Each series from 0 on: one that begins with its first count has no yesterday that today differs from."""
        for column in model.schema.features:
            label = column.name if column.name in self._columns else OTHER
            self.missing.labels(label)
            if column.role is Role.CATEGORY:
                self.unseen.labels(label)
            elif column.role in (Role.NUMBER, Role.DATE):
                self.unreadable.labels(label)
        for place, name in enumerate(model.task.classes[: MOST_CLASSES + 1]):
            self.predictions.labels(name if place < MOST_CLASSES else OTHER)
        if not model.task.is_classification:
            self.predictions.labels("")

    def count_batch(self, requests: int, rows: int, seconds: float) -> None:
        self.batch_requests.observe(requests)
        self.batch_rows.observe(rows)
        self.predict.observe(seconds)
        self.rows.inc(rows)

    def count_answer(self, model: ServedModel, rows: Rows, outputs: FloatArray) -> None:
        """Predicted classes, and cells without a use."""
        task = model.task
        if task.is_classification:
            places = model.decide_index(outputs)
            for place, count in enumerate(np.bincount(places, minlength=task.n_classes)):
                if count:
                    name = task.classes[place] if place < MOST_CLASSES else OTHER
                    self.predictions.labels(name).inc(int(count))
            for score in outputs[np.arange(len(places)), places][:MOST_VALUES]:
                self.values.observe(float(score))
        else:
            self.predictions.labels("").inc(len(outputs))
            for value in outputs[:MOST_VALUES, 0]:
                if np.isfinite(value):
                    self.value.observe(float(value))
        for name, tally in rows.tallies.items():
            label = name if name in self._columns else OTHER
            if tally.missing:
                self.missing.labels(label).inc(tally.missing)
            if tally.unseen:
                self.unseen.labels(label).inc(tally.unseen)
            if tally.unreadable + tally.out_of_range:
                self.unreadable.labels(label).inc(tally.unreadable + tally.out_of_range)

    def show_drift(self, values: Mapping[str, float], rows: int) -> None:
        """The drift by column; what was told of others before, by a model that is gone, holds no longer."""
        told = {name: value for name, value in values.items() if name in self._columns}
        for name in self._drifting - set(told):
            self.drift.labels(name).set(UNTOLD)
        for name, value in told.items():
            self.drift.labels(name).set(value)
        self._drifting = frozenset(told)
        self.drift_rows.set(rows)

    def measure_memory(self) -> None:
        """Resident memory of this process, from the kernel."""
        try:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            return
        self.memory.set(pages * os.sysconf("SC_PAGE_SIZE"))

    def render(self) -> bytes:
        """The text of all workers together."""
        joined = CollectorRegistry()
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            joined.register(_Told(MultiProcessCollector(None)))  # type: ignore[no-untyped-call]
        else:
            joined.register(_Told(self.registry))
        return generate_latest(joined)


class _Told(Collector):
    """What another collector has, without the gauges that tell nothing now."""

    def __init__(self, source: Collector) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        for metric in self._source.collect():
            metric.samples = [sample for sample in metric.samples if sample.value != UNTOLD]
            yield metric
