"""Inside a Dask worker: a local engine in a thread of its own, to which the worker's tasks hand their jobs.

A Dask task cannot be ended, but a process can: the task waits while a child of the worker does the job under the same
limits and the same ladder of signals as on the user's machine. A task that the cluster no longer wants (cancelled, or
its client is gone) has its child ended within a moment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import queue
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from automl.engines import Job, Limits, Outcome, Status
from automl.engines.cluster.parcel import pack
from automl.engines.cluster.store import leave_unused, mark_used, session_folder
from automl.engines.local import MEMORY_SHARE, LocalEngine
from automl.engines.machine.worker import describe_error

WANTED_SECONDS = 0.1
# Other tasks of the worker are looked for so often while one is at work.
TURN_SECONDS = 0.02
# A worker that nobody asks anything of gives its memory back.
IDLE_SECONDS = 300.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a task must know beside its job.

    Attributes:
        session: of the parent's engine; names the folder of its files.
        directory: local directory of the worker that is meant; a restarted one has another.
    """

    session: str
    directory: str
    preload: Mapping[str, Sequence[str]]
    threads: int
    accelerated: bool


@dataclasses.dataclass(slots=True)
class Answer:
    """What a task gives back: an outcome whose value and files are still packed."""

    outcome: Outcome
    value: bytes = b""
    parcel: bytes | None = None


@dataclasses.dataclass(eq=False)
class _Ticket:
    job: Job
    is_wanted: Callable[[], bool]
    done: threading.Event = dataclasses.field(default_factory=threading.Event)
    outcome: Outcome | None = None


class Seats:
    """The engine of one Dask worker, for one session.

    Args:
        slots: jobs at once, as many as the worker has threads.
    """

    def __init__(self, slots: int, order: Order) -> None:
        self._slots, self._order = slots, order
        self._tickets: queue.SimpleQueue[_Ticket | str | None] = queue.SimpleQueue()
        # the children live as long as this thread: Linux ends them with the thread that started them
        self._thread = threading.Thread(target=self._drive, name="automl-seats", daemon=True)
        self._thread.start()

    def warm(self, pool: str) -> None:
        self._tickets.put(pool)

    def do(self, job: Job, is_wanted: Callable[[], bool]) -> Outcome:
        """Run a job to its end; called by the worker's threads."""
        ticket = _Ticket(job, is_wanted)
        self._tickets.put(ticket)
        while not ticket.done.wait(1.0):
            if not self._thread.is_alive():
                return Outcome(id=job.id, status=Status.CRASHED, reason="the worker is closing")
        assert ticket.outcome is not None
        return ticket.outcome

    def close(self) -> None:
        self._tickets.put(None)
        self._thread.join(2.0)

    def _drive(self) -> None:
        engine: LocalEngine | None = None
        held: dict[str, _Ticket] = {}
        try:
            while True:
                items = self._take(block=not held)
                if not items and not held:  # idle for long: the parent is gone, or has no use for this worker
                    if engine is not None:
                        engine.close()
                    engine = None
                    leave_unused(self._order.directory, self._order.session, IDLE_SECONDS / 2)
                    continue
                if None in items:
                    return
                engine = engine or self._open()
                for item in items:
                    self._begin(engine, held, item)
                if held:
                    self._turn(engine, held)
        finally:
            if engine is not None:
                engine.close()
            for name in list(held):
                _end(held, Outcome(id=name, status=Status.CRASHED, reason="the worker is closing"))

    def _take(self, *, block: bool) -> list[_Ticket | str | None]:
        """What has come in; waits for it, but not for ever, if there is nothing else to do."""
        items: list[_Ticket | str | None] = []
        with contextlib.suppress(queue.Empty):
            items.append(self._tickets.get(block, IDLE_SECONDS if block else None))
            while True:
                items.append(self._tickets.get_nowait())
        return items

    def _open(self) -> LocalEngine:
        order = self._order
        return LocalEngine(self._slots, preload=order.preload, threads=order.threads, accelerated=order.accelerated)

    def _begin(self, engine: LocalEngine, held: dict[str, _Ticket], item: _Ticket | str | None) -> None:
        if isinstance(item, str):
            engine.warm(item)
        elif item is not None:
            held[item.job.id] = item
            try:
                engine.submit(item.job)
            except Exception as error:  # no process can be started here: the task must not wait for ever
                _end(held, Outcome(id=item.job.id, status=Status.CRASHED, reason=describe_error(error)))

    def _turn(self, engine: LocalEngine, held: dict[str, _Ticket]) -> None:
        mark_used(self._order.directory, self._order.session)
        for outcome in engine.wait(WANTED_SECONDS if self._slots == 1 else TURN_SECONDS):
            _end(held, outcome)
        if unwanted := {name for name, ticket in held.items() if not ticket.is_wanted()}:
            engine.cancel(unwanted)


def _end(held: dict[str, _Ticket], outcome: Outcome) -> None:
    ticket = held.pop(outcome.id, None)
    if ticket is not None:
        ticket.outcome = outcome
        ticket.done.set()


_seats: dict[str, Seats] = {}
_lock = threading.Lock()


def get_seats(worker: Any, order: Order) -> Seats:
    """The seats of this worker process for a session; made when first asked for, those of other sessions stay."""
    with _lock:
        if order.session not in _seats:
            _seats[order.session] = Seats(worker.state.nthreads, order)
        return _seats[order.session]


def warm_seats(order: Order, pool: str, dask_worker: Any = None) -> None:
    """Have a worker load what the jobs of a pool need."""
    get_seats(dask_worker, order).warm(pool)


def leave_seats(session: str) -> None:
    """End a session's processes in this worker."""
    with _lock:
        seats = _seats.pop(session, None)
    if seats is not None:
        seats.close()


def do_job(content: bytes, order: Order) -> Answer | None:
    """The task: one job in a child of this worker.

    Args:
        content: the pickled `Job`; its payload's root is replaced by the session's folder on this host.

    Returns:
        None if this is not the worker that was meant: the cluster would have run the job again on its own account.
    """
    from distributed import get_worker

    worker = get_worker()
    if worker.local_directory != order.directory:
        return None
    key = worker.get_current_task()
    try:
        job: Job = pickle.loads(content)  # noqa: S301 - from a client that Dask itself lets run code here
    except Exception as error:  # its function or payload is not known here
        return Answer(Outcome(id="", status=Status.FAILED, reason=describe_error(error)))
    leaves = None
    payload = job.payload
    if job.files is not None:
        root = session_folder(order.directory, order.session)
        payload = {**payload, job.files.key: str(root)}
        leaves = root / job.files.leaves
    own = dataclasses.replace(job, id=key, payload=payload, limits=_hold_to_memory(job.limits, worker))

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing"

    outcome = get_seats(worker, order).do(own, is_wanted)
    answer = _pack(outcome)
    if leaves is not None:
        if answer.outcome.status is Status.OK:
            answer.parcel = pack(leaves)
        shutil.rmtree(leaves, ignore_errors=True)
    return answer


def _hold_to_memory(limits: Limits, worker: Any) -> Limits:
    """No job may use more than its share of what its worker has, whatever the others have."""
    total = worker.memory_manager.memory_limit
    if not total:
        return limits
    return dataclasses.replace(
        limits, memory_mb=min(limits.memory_mb, MEMORY_SHARE * total / 2**20 / worker.state.nthreads)
    )


def _pack(outcome: Outcome) -> Answer:
    try:
        return Answer(dataclasses.replace(outcome, value=None), pickle.dumps(outcome.value))
    except Exception as error:
        return Answer(dataclasses.replace(outcome, status=Status.FAILED, value=None, reason=describe_error(error)))
