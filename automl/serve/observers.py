"""Who else hears of every answer: functions called beside the requests, in a thread of their own."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable

from automl.matrix import FloatArray
from automl.schema import Role
from automl.serve.model import ServedModel
from automl.serve.rows import Rows

# (model, rows of one request, its outputs (n, k), seconds in the model)
Observer = Callable[[ServedModel, Rows, FloatArray, float], None]
MOST_WAITING = 2_000_000  # cells
REQUEST_CELLS = 2_000  # that a request counts for besides its own: at most 1,000 wait
CELL_CHARACTERS = 64  # of a text or a picture, that count for a cell


class Observers:
    """Feeds observers from a queue of bounded memory; one that is slow or fails costs no request anything.

    Args:
        on_drop: called when an answer is not told because too many wait.
    """

    def __init__(self, observers: list[Observer], on_drop: Callable[[], None]) -> None:
        self.observers = observers
        self._on_drop = on_drop
        self._failed: set[int] = set()
        self._queue: queue.SimpleQueue[tuple[int, tuple[ServedModel, Rows, FloatArray, float]] | None]
        self._queue = queue.SimpleQueue()
        self._waiting = 0  # cells
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def tell(self, model: ServedModel, rows: Rows, outputs: FloatArray, seconds: float) -> None:
        """Pass an answer on; returns at once."""
        if not self.observers:
            return
        cells = _weigh(model, rows)
        if not self._reserve(cells):
            self._on_drop()
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="observers", daemon=True)
            self._thread.start()
        self._queue.put((cells, (model, rows, outputs, seconds)))

    def _reserve(self, cells: int) -> bool:
        """Whether so many more may wait; a request alone may, however large."""
        with self._lock:
            if self._waiting and self._waiting + cells > MOST_WAITING:
                return False
            self._waiting += cells
            return True

    def close(self, seconds: float = 5.0) -> None:
        """Let what waits be told, for at most so long."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(seconds)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            cells, answer = item
            for observer in self.observers:
                try:
                    observer(*answer)
                except Exception as error:
                    if id(observer) not in self._failed:  # once, not once a request
                        self._failed.add(id(observer))
                        sys.stderr.write(f"automl serve: an observer failed: {type(error).__name__}: {error}\n")
            with self._lock:
                self._waiting -= cells


def _weigh(model: ServedModel, rows: Rows) -> int:
    """How many cells a request counts for while it waits; long ones count by their length."""
    long = [rows.columns[column.name] for column in model.schema.features if column.role in (Role.TEXT, Role.IMAGE)]
    characters = sum(len(cell) for cells in long for cell in cells if isinstance(cell, str))
    return REQUEST_CELLS + rows.count * len(rows.columns) + characters // CELL_CHARACTERS
