"""Micro-batching: what waits while the model is at work is answered together; nobody waits for a batch to fill."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from automl.matrix import FloatArray
from automl.serve.model import ServedModel
from automl.serve.refusal import Refusal
from automl.serve.rows import Rows, join_rows

PREPARED_ROWS = 256  # up to which rows are prepared before the model's thread has them
# A request that is alone is answered where it was read, without a thread between, if it has at most so many rows and
# the model took no longer for the last few: the way to another thread and back costs as much as a quick model.
FEW_ROWS, QUICK_SECONDS = 8, 0.005
LOOK_SECONDS = 1.0  # how often it is looked whether an answer in the loop's own thread hangs
# called after the answers are out: (model, rows of one request, its outputs, seconds in the model)
OnAnswer = Callable[[ServedModel, Rows, FloatArray, float], None]


@dataclasses.dataclass(slots=True)
class _Waiting:
    model: ServedModel
    rows: Rows
    answer: asyncio.Future[FloatArray]


class Batcher:
    """Feeds one model thread from a queue.

    At rest a request is answered at once and alone, a small one by a quick model in the thread that read it; under
    load those that came meanwhile form the next batch, up to `most_rows`. A batch never mixes two models, so that a
    swap between two requests is a cut.

    Args:
        most_rows: of a batch of several requests; 1 answers each by itself.
        most_waiting: rows in the queue; beyond it a request is refused with 503.
        seconds: for a batch; then `on_stuck` is called and all who wait are refused.
        on_batch: called with (requests, rows, seconds) of each batch.
        is_alone: whether no other request is at work.
        on_hang: called, from a thread of its own, when an answer in the loop's thread takes longer than `seconds`: the
            loop itself hangs then, and nobody can be told.
    """

    def __init__(
        self,
        *,
        most_rows: int,
        most_waiting: int,
        seconds: float,
        on_answer: OnAnswer,
        on_batch: Callable[[int, int, float], None],
        on_stuck: Callable[[], None],
        is_alone: Callable[[], bool] = lambda: False,
        on_hang: Callable[[], None] = lambda: None,
    ) -> None:
        self.most_rows = most_rows
        self.most_waiting = most_waiting
        self.seconds = seconds
        self.stuck = False
        self._on_answer, self._on_batch, self._on_stuck = on_answer, on_batch, on_stuck
        self._is_alone, self._on_hang = is_alone, on_hang
        self._quick_model: ServedModel | None = None
        self._here_since: float | None = None
        self._watcher: threading.Thread | None = None
        self._queue: deque[_Waiting] = deque()
        self._waiting_rows = 0
        self._runner: asyncio.Task[None] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def predict(self, model: ServedModel, rows: Rows) -> FloatArray:
        """Outputs (n, k) of the rows.

        Raises:
            Refusal: 503 if too much waits already, 504 if the model does not come back.
        """
        self._refuse_if_stuck()
        if self._can_answer_here(model, rows):
            await asyncio.sleep(0)  # requests that came in the same moment are at work by now, and make a batch
            self._refuse_if_stuck()
        waiting = _Waiting(model, rows, asyncio.get_running_loop().create_future())
        if self._can_answer_here(model, rows):
            self._answer_here(waiting)
            return await waiting.answer
        if self._queue and self._waiting_rows + rows.count > self.most_waiting:
            raise Refusal(503, "Too many rows wait already", hint="Try again later", kind="overload", retry_seconds=1)
        self._queue.append(waiting)
        self._waiting_rows += rows.count
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await waiting.answer

    def _can_answer_here(self, model: ServedModel, rows: Rows) -> bool:
        is_idle = self._runner is None or self._runner.done()
        return self._quick_model is model and rows.count <= FEW_ROWS and is_idle and self._is_alone()

    def _answer_here(self, waiting: _Waiting) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
            self._watcher.start()
        self._here_since = time.monotonic()
        results, seconds = _compute([waiting], _prepare([waiting]))
        self._here_since = None
        self._hand_out([waiting], results, seconds)

    def _watch(self) -> None:
        while True:
            time.sleep(min(LOOK_SECONDS, self.seconds))
            since = self._here_since
            if since is not None and time.monotonic() - since > self.seconds:
                self._on_hang()
                return

    def _refuse_if_stuck(self) -> None:
        if self.stuck:
            raise Refusal(503, "The model hangs and is being replaced", hint="Try again", kind="stuck", retry_seconds=2)

    async def _run(self) -> None:
        while self._queue and not self.stuck:
            batch = self._take()
            if not batch:
                continue
            await self._answer(batch)

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        rows = 0
        while self._queue:
            first = self._queue[0]
            if batch and (first.model is not batch[0].model or rows + first.rows.count > self.most_rows):
                break
            self._queue.popleft()
            self._waiting_rows -= first.rows.count
            if not first.answer.done():  # a client that has gone is not computed for
                batch.append(first)
                rows += first.rows.count
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, _compute, batch, _prepare(batch))
        done, _ = await asyncio.wait({work}, timeout=self.seconds)
        if not done:
            self._give_up(batch)
            return
        self._hand_out(batch, *work.result())

    def _hand_out(self, batch: list[_Waiting], results: list[FloatArray | BaseException], seconds: float) -> None:
        model = batch[0].model
        failed = any(isinstance(result, BaseException) for result in results)
        if sum(waiting.rows.count for waiting in batch) <= FEW_ROWS and not failed:
            self._quick_model = model if model.is_even and seconds <= QUICK_SECONDS else None
        elif self._quick_model is not model:  # one that was swapped out is not held on to
            self._quick_model = None
        for waiting, result in zip(batch, results, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(result, BaseException):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)
        asyncio.get_running_loop().call_soon(self._tell, batch, results, seconds)  # the answers go out first

    def _tell(self, batch: list[_Waiting], results: list[FloatArray | BaseException], seconds: float) -> None:
        counted = [waiting for waiting in batch if waiting.rows.counted]
        if counted:
            self._on_batch(len(counted), sum(waiting.rows.count for waiting in counted), seconds)
        for waiting, result in zip(batch, results, strict=True):
            if waiting.rows.counted and not isinstance(result, BaseException):
                self._on_answer(waiting.model, waiting.rows, result, seconds)

    def _give_up(self, batch: list[_Waiting]) -> None:
        self.stuck = True
        for waiting in (*batch, *self._queue):
            if not waiting.answer.done():
                text = f"The model took longer than {self.seconds:g} s"
                waiting.answer.set_exception(Refusal(504, text, hint="Send fewer rows at a time", kind="timeout"))
        self._queue.clear()
        self._waiting_rows = 0
        self._on_stuck()


def _prepare(batch: list[_Waiting]) -> Any:
    """What the model takes, made here while it is little: two threads that both run Python only wait for each other."""
    total = sum(waiting.rows.count for waiting in batch)
    if total > PREPARED_ROWS:
        return None
    try:
        return batch[0].model.prepare(join_rows([waiting.rows for waiting in batch]), total)
    except Exception:  # found again, and told to whom it concerns, in the model's thread
        return None


def _compute(batch: list[_Waiting], prepared: Any = None) -> tuple[list[FloatArray | BaseException], float]:
    """The outputs of each request of a batch; where the batch fails, each is asked by itself."""
    began = time.perf_counter()
    model = batch[0].model
    results: list[FloatArray | BaseException] = []
    try:
        total = sum(waiting.rows.count for waiting in batch)
        if prepared is None:
            prepared = model.prepare(join_rows([waiting.rows for waiting in batch]), total)
        outputs = model.run(prepared)
        start = 0
        for waiting in batch:
            results.append(outputs[start : start + waiting.rows.count])
            start += waiting.rows.count
    except Exception as error:
        results = [error] if len(batch) == 1 else [_compute([waiting])[0][0] for waiting in batch]
    return results, time.perf_counter() - began
