"""What a worker serves at this moment: the model with its reader, swapped as one, and the way of rows through it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from automl.matrix import FloatArray
from automl.schema import Role
from automl.serve.batching import Batcher
from automl.serve.contract import Contract
from automl.serve.drift import DriftWindow, read_references
from automl.serve.examples import make_example
from automl.serve.metrics import Metrics
from automl.serve.model import ServedModel
from automl.serve.observers import Observer, Observers
from automl.serve.rows import RowReader, Rows
from automl.serve.settings import Settings

DRIFT_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Current:
    """A model with what was made for it; a request takes it once and keeps it to its end."""

    model: ServedModel
    reader: RowReader
    example: dict[str, object]
    drift: DriftWindow

    @property
    def has_pictures(self) -> bool:
        return any(column.role is Role.IMAGE for column in self.reader.features)


class Service:
    """The state behind all end points of a worker.

    Args:
        observers: called with (model, rows, outputs, seconds) after each answer, in a thread of their own.
        on_stuck: called when the model does not come back.
        on_hang: called, from another thread, when it does not and the loop hangs with it.
    """

    def __init__(
        self,
        model: ServedModel,
        settings: Settings,
        metrics: Metrics,
        *,
        observers: list[Observer] | None = None,
        on_stuck: Callable[[], None] = lambda: None,
        on_hang: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.draining = False
        self.observers = Observers(list(observers or ()), metrics.observers.inc)
        self.batcher = Batcher(
            most_rows=settings.batch_rows,
            most_waiting=settings.max_waiting_rows,
            seconds=settings.predict_seconds,
            on_answer=self._tell,
            on_batch=metrics.count_batch,
            on_stuck=on_stuck,
            is_alone=lambda: metrics.at_work <= 1,
            on_hang=on_hang,
        )
        self.current = self._prepare(model)
        metrics.show_model(model)

    @property
    def ready(self) -> bool:
        return not self.draining and not self.batcher.stuck

    async def predict(self, current: Current, rows: Rows) -> FloatArray:
        """Outputs (n, k) of the rows by the model that `current` holds."""
        return await self.batcher.predict(current.model, rows)

    def swap(self, model: ServedModel) -> None:
        """Answer all further requests by this model; those at work end with theirs.

        Raises:
            ArtifactError: if it answers another question than the one before, or needs other columns.
        """
        Contract.of(self.current.model).check(Contract.of(model))
        self.current = self._prepare(model)
        self.metrics.show_model(model)

    def _prepare(self, model: ServedModel) -> Current:
        settings = self.settings
        reader = RowReader(model.schema, target=model.task.target, max_rows=settings.max_rows, strict=settings.strict)
        return Current(model, reader, make_example(model), DriftWindow(read_references(model)))

    def _tell(self, model: ServedModel, rows: Rows, outputs: FloatArray, seconds: float) -> None:
        self.metrics.count_answer(model, rows, outputs)
        if self.current.model is model:
            self.current.drift.add(rows)
        self.observers.tell(model, rows, outputs, seconds)

    async def keep_gauges(self) -> None:
        """Bring the gauges that are costly to compute up to date, every few seconds, for ever."""
        while True:
            drift = self.current.drift
            self.metrics.show_drift(drift.measure(), drift.rows)
            self.metrics.measure_memory()
            await asyncio.sleep(DRIFT_SECONDS)
