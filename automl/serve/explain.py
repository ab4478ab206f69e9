"""Why the model says what it says of one row: what each column adds, by sampled Shapley values over raw cells."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from automl.evaluate.shapley import Contributions, estimate_contributions
from automl.matrix import Array, FloatArray
from automl.serve.refusal import Refusal
from automl.serve.rows import Rows
from automl.serve.service import Current, Service
from automl.task import TaskKind

SECONDS = 2.0
WALKS = 64
CALL_ROWS = 1_024
MOST_COLUMNS = 300
MOST_WAITING = 8
SEED = 41


class Explainer:
    """Explains one row at a time, in a thread beside the server; its rows pass through the model like all others."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._waiting = 0

    async def explain(self, current: Current, rows: Rows, *, label: str | None) -> dict[str, Any]:
        """Contributions of all columns, the largest first; they sum to `output` minus `base`.

        Args:
            label: the class whose probability is explained; the predicted one (of two: the positive one) unless given.

        Raises:
            Refusal: if there is more than one row, no such class, or too much waits.
        """
        task = current.model.task
        if rows.count != 1:
            raise Refusal(422, "One row is explained at a time", hint="Send one row", kind="rows")
        if len(current.reader.features) > MOST_COLUMNS:
            text = f"Models of more than {MOST_COLUMNS} columns are not explained here"
            raise Refusal(422, text, hint="automl explain RUN --row N", kind="columns")
        if label is not None and label not in task.classes:
            raise Refusal(422, "The model has no such class", hint="GET /schema lists the classes", kind="class")
        if not current.model.golden:
            raise Refusal(422, "The model has no rows to compare with", hint="automl explain RUN", kind="columns")
        if self._waiting >= MOST_WAITING:
            raise Refusal(
                503, "Too many explanations wait already", hint="Try again later", kind="overload", retry_seconds=2
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._work, current, rows, label, loop)
        finally:
            self._waiting -= 1

    def _work(self, current: Current, rows: Rows, label: str | None, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
        model = current.model
        names = tuple(rows.columns)

        def ask(columns: dict[str, list[Any]], count: int) -> FloatArray:
            asked = self._service.predict(current, Rows(columns, count, counted=False))
            return asyncio.run_coroutine_threadsafe(asked, loop).result()

        outputs = ask(rows.columns, 1)
        place = _choose(current, outputs, label)
        background = {name: [row.get(name) for row in model.golden] for name in names}

        def play(front: Array, back: Array, taken: Array) -> Array:
            del front  # there is one row
            mixed = {}
            for at, name in enumerate(names):
                own, others = rows.columns[name][0], background[name]
                pairs = zip(taken[:, at].tolist(), back.tolist(), strict=True)
                mixed[name] = [own if mine else others[other] for mine, other in pairs]
            return ask(mixed, len(taken))[:, [place]]

        count = len(model.golden)
        found = estimate_contributions(
            play,
            rows=1,
            background=count,
            players=len(names),
            walks=-(-WALKS // count) * count,
            rng=np.random.default_rng(SEED),
            deadline=time.monotonic() + SECONDS,
            call_rows=CALL_ROWS,
        )
        return _describe(current, rows, outputs, place, found)


def _choose(current: Current, outputs: FloatArray, label: str | None) -> int:
    task = current.model.task
    if label is not None:
        return task.classes.index(label)
    if task.kind is TaskKind.BINARY:
        return 1
    return int(outputs[0].argmax()) if task.is_classification else 0


def _describe(current: Current, rows: Rows, outputs: FloatArray, place: int, found: Contributions) -> dict[str, Any]:
    model = current.model
    values, errors = found.values[0, :, 0], found.errors[0, :, 0]
    names = tuple(rows.columns)
    return {
        "prediction": model.decide(outputs)[0],
        "class": model.task.classes[place] if model.task.is_classification else None,
        "output": round(float(found.outputs[0, 0]), 6),
        "base": round(float(found.base[0]), 6),
        "contributions": [
            {
                "column": names[at],
                "contribution": round(float(values[at]), 6),
                "standard_error": round(float(errors[at]), 6),
            }
            for at in np.argsort(-np.abs(values), kind="stable").tolist()
        ],
        "walks": found.walks,
        "model": model.name,
        "version": model.version,
    }
