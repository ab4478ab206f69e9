"""Who else hears of every answer: functions called beside the requests, in a thread of their own."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable

from automl.matrix import FloatArray
from automl.serve.model import ServedModel
from automl.serve.rows import Rows

# (model, rows of one request, its outputs (n, k), seconds in the model)
Observer = Callable[[ServedModel, Rows, FloatArray, float], None]
MOST_WAITING = 1_000


class Observers:
    """Feeds observers from a bounded queue; one that is slow or fails costs no request anything.

    Args:
        on_drop: called when an answer is not told because too many wait.
    """

    def __init__(self, observers: list[Observer], on_drop: Callable[[], None]) -> None:
        self.observers = observers
        self._on_drop = on_drop
        self._failed: set[int] = set()
        self._queue: queue.Queue[tuple[ServedModel, Rows, FloatArray, float] | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    def tell(self, model: ServedModel, rows: Rows, outputs: FloatArray, seconds: float) -> None:
        """Pass an answer on; returns at once."""
        if not self.observers:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="observers", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait((model, rows, outputs, seconds))
        except queue.Full:
            self._on_drop()

    def close(self, seconds: float = 5.0) -> None:
        """Let what waits be told, for at most so long."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(seconds)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            for observer in self.observers:
                try:
                    observer(*item)
                except Exception as error:
                    if id(observer) not in self._failed:  # once, not once a request
                        self._failed.add(id(observer))
                        sys.stderr.write(f"automl serve: an observer failed: {type(error).__name__}: {error}\n")
