"""Warm worker processes on this machine, each under limits, each replaceable within milliseconds.

A pool is a template process that has imported what its jobs need and forks workers on demand; "keras" has one of its
own, started when its first job comes, so that nobody else pays for TensorFlow. A worker that exceeds a limit is sent
SIGTERM, then SIGKILL with its whole group.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import IO, Any

import psutil

from automl.engines import Engine, Job, Outcome, Settings, Status
from automl.engines.machine.memory import own_tree_mb, tree_mb
from automl.engines.machine.worker import describe_error
from automl.errors import EngineError, UsageError

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LOOK_SECONDS = 0.1
TREE_LOOK_SECONDS = 1.0
KILL_GRACE_SECONDS = 5.0
# A log beyond the first is begun anew by the next worker; beyond the second it is cut while a worker prints.
LOG_CAP_BYTES, MOST_LOG_BYTES = 1 << 20, 4 << 20
SCRATCH = "scratch"
# Of the memory that is free, what jobs may use together.
MEMORY_SHARE = 0.8


@dataclasses.dataclass
class _Template:
    process: subprocess.Popen[bytes]
    channel: socket.socket
    waiting: deque[_Worker] = dataclasses.field(default_factory=deque)
    buffer: bytes = b""


@dataclasses.dataclass(eq=False)
class _Worker:
    slot: int
    pool: str
    connection: Connection[Any, Any]
    pid: int | None = None
    exit_code: int | None = None
    job: Job | None = None
    ready_at: float | None = None
    peak_mb: float = 0.0
    looked_at: float = 0.0
    verdict: tuple[Status, str] | None = None
    kill_at: float = float("inf")


class LocalEngine:
    """See `automl.engines.Engine`.

    Args:
        slots: jobs at once.
        preload: pool → modules that its workers have imported before their first job.
        threads: threads a job may use.
        log: folder for what workers print, one capped file a worker; may be set until the first job. None drops it.
        accelerated: whether workers may see accelerators.
        total_mb: what this process and all that it starts may take together; beyond it idle workers are ended, then
            the largest job.
    """

    scheduler = ""

    def __init__(
        self,
        slots: int,
        *,
        preload: Mapping[str, Sequence[str]],
        threads: int = 1,
        log: Path | None = None,
        accelerated: bool = False,
        total_mb: float = float("inf"),
    ) -> None:
        self._slots = slots
        self._total_mb, self._counted_at = total_mb, 0.0
        self._accelerated = accelerated
        self.log = log
        self._preload = preload
        self._threads = threads
        self._templates: dict[str, _Template] = {}
        self._workers: dict[tuple[int, str], _Worker] = {}
        self._done: list[Outcome] = []

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def memory_mb(self) -> float:
        return MEMORY_SHARE * psutil.virtual_memory().available / 2**20

    def free_slots(self) -> int:
        return self._slots - len({worker.slot for worker in self._busy()})

    def warm(self, pool: str) -> None:
        if pool not in self._templates:
            self._templates[pool] = self._start_template(pool)

    def submit(self, job: Job) -> int:
        busy = {worker.slot for worker in self._busy()}
        free = [slot for slot in range(self._slots) if slot not in busy]
        if not free:
            raise EngineError(f"No worker is free for the job {job.id}", hint="This is a bug: wait before submitting")
        slot = next((slot for slot in free if (slot, job.pool) in self._workers), free[0])
        try:
            message = ForkingPickler.dumps(job)
        except Exception as error:  # the payload cannot be sent: that is the job's failure
            self._done.append(Outcome(id=job.id, status=Status.FAILED, reason=describe_error(error), worker=slot))
            return slot
        worker = self._workers.get((slot, job.pool)) or self._start_worker(slot, job.pool)
        if not _hand_over(worker, job, message):  # it died idle: a new one takes its place
            self._forget(worker)
            _hand_over(self._start_worker(slot, job.pool), job, message)  # if that is dead too, `wait` finds out how
        return slot

    def wait(self, seconds: float) -> list[Outcome]:
        deadline = time.monotonic() + seconds
        while not self._done:
            left = deadline - time.monotonic()
            self._look(min(max(left, 0.0), LOOK_SECONDS))
            if left <= 0 or not self._busy():
                break
        done, self._done = self._done, []
        return done

    def cancel(self, ids: set[str] | None = None) -> None:
        for worker in self._busy():
            if worker.job is not None and (ids is None or worker.job.id in ids):
                worker.verdict = worker.verdict or (Status.CANCELLED, "cancelled")
                status, reason = worker.verdict
                self._kill(worker)
                self._finish(worker, status, None, reason)

    def forget(self, root: Path, pattern: str) -> None:
        remove_matching(root, pattern)

    def attend(self, log: Path, tell: Callable[[str], None]) -> None:
        self.log = log

    def at_home(self) -> Engine:
        return self

    def close(self) -> None:
        for worker in list(self._workers.values()):
            self._kill(worker)
            self._forget(worker)
        for template in self._templates.values():
            with contextlib.suppress(OSError):
                template.channel.close()
            template.process.kill()
        for template in self._templates.values():
            template.process.wait()
        self._templates.clear()
        if self.log is not None:
            shutil.rmtree(self.log / SCRATCH, ignore_errors=True)

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.job is not None]

    def _start_template(self, pool: str) -> _Template:
        ours, theirs = socket.socketpair()
        environment = {
            **os.environ,
            **dict.fromkeys(THREAD_VARIABLES, str(self._threads)),
            "TF_NUM_INTRAOP_THREADS": str(self._threads),
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_ENABLE_ONEDNN_OPTS": "1",  # convolutions two to three times as fast, and as repeatable on one thread
            **({} if self._accelerated else {"CUDA_VISIBLE_DEVICES": "-1"}),
            "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "tensorflow"),
            "PYTHONWARNINGS": "ignore",
            "PYTHONHASHSEED": "0",
            "TMPDIR": self._make_scratch(),
        }
        with theirs, self._open_log(f"template-{pool}.log") as log:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", "automl.engines", str(theirs.fileno()), *self._preload.get(pool, ())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineError(f"Cannot start a worker process: {error}", hint="automl doctor") from error
        ours.setblocking(False)
        return _Template(process, ours)

    def _make_scratch(self) -> str:
        """Where workers have their temporary files: a killed one leaves what libraries remove at their end."""
        if self.log is None:
            return tempfile.gettempdir()
        path = self.log / SCRATCH
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return str(path)

    def _open_log(self, name: str) -> IO[bytes]:
        if self.log is None:
            return Path(os.devnull).open("ab")
        self.log.mkdir(parents=True, exist_ok=True)
        path = self.log / name
        if path.exists() and path.stat().st_size > LOG_CAP_BYTES:
            path.unlink()
        return path.open("ab")

    def _start_worker(self, slot: int, pool: str) -> _Worker:
        self.warm(pool)
        template = self._templates[pool]
        if template.process.poll() is not None:  # the template itself was killed
            template.channel.close()
            template = self._templates[pool] = self._start_template(pool)
        ours, theirs = socket.socketpair()
        name = f"worker-{slot}-{pool}.log"
        worker = _Worker(slot, pool, Connection(ours.detach()))
        folder = os.open(self._make_scratch(), os.O_RDONLY)
        with theirs, self._open_log(name) as log:
            template.channel.setblocking(True)
            with contextlib.suppress(OSError):  # the template is dead: so is the worker, as `wait` will see
                socket.send_fds(template.channel, [b"F"], [theirs.fileno(), log.fileno(), folder])
            template.channel.setblocking(False)
        os.close(folder)
        template.waiting.append(worker)
        self._workers[slot, pool] = worker
        return worker

    def _forget(self, worker: _Worker) -> None:
        worker.connection.close()
        if self._workers.get((worker.slot, worker.pool)) is worker:
            del self._workers[worker.slot, worker.pool]

    def _look(self, seconds: float) -> None:
        """One look at all workers: answers, ends, limits."""
        busy = self._busy()
        # the channel of a dead template is readable for ever
        channels = [template.channel for template in self._templates.values() if template.process.poll() is None]
        wait([*(worker.connection for worker in busy), *channels], timeout=seconds)
        for template in self._templates.values():
            self._read_template(template)
        for worker in busy:
            if worker.job is not None:
                self._read_worker(worker)
        now = time.monotonic()
        for worker in busy:
            if worker.job is not None:
                self._hold_to_limits(worker, now)
        if self._total_mb < float("inf") and now - self._counted_at > TREE_LOOK_SECONDS:
            self._counted_at = now
            self._hold_to_total()

    def _hold_to_total(self) -> None:
        """All processes together are above what the user allows: end what is idle, then the job that takes most."""
        used = own_tree_mb()
        if used <= self._total_mb:
            return
        idle = [worker for worker in self._workers.values() if worker.job is None]
        for worker in idle:
            self._kill(worker)
            self._forget(worker)
        sizes = {worker: tree_mb(worker.pid) for worker in self._busy() if worker.pid is not None}
        if idle or not sizes or used - sum(sizes.values()) > self._total_mb:  # without any job it would be too much
            return
        largest = max(sizes, key=lambda worker: sizes[worker])
        reason = f"all processes together used {used:,.0f} MB of {self._total_mb:,.0f} MB, and it the most of them"
        self._kill(largest)
        self._finish(largest, Status.OUT_OF_MEMORY, None, reason)

    def _read_template(self, template: _Template) -> None:
        try:
            while block := template.channel.recv(65536):
                template.buffer += block
        except (BlockingIOError, ConnectionError):
            pass
        *lines, template.buffer = template.buffer.split(b"\n")
        for line in lines:
            record = json.loads(line)
            if "code" not in record:
                template.waiting.popleft().pid = record["pid"]
                continue
            for worker in self._workers.values():
                if worker.pid == record["pid"]:
                    worker.exit_code = record["code"]
        if template.process.poll() is not None and template.waiting:
            for worker in template.waiting:
                worker.exit_code = template.process.returncode
            template.waiting.clear()

    def _read_worker(self, worker: _Worker) -> None:
        try:
            while worker.job is not None and worker.connection.poll():
                message = worker.connection.recv()
                if message == "ready":
                    worker.ready_at = time.monotonic()
                else:
                    self._finish(worker, *message)
                    return
        except (EOFError, OSError):
            self._read_end(worker)
            return
        except Exception as error:  # the value cannot be put together here: that is the job's failure
            self._finish(worker, Status.FAILED, None, describe_error(error))
            return
        if worker.exit_code is not None:
            self._read_end(worker)

    def _read_end(self, worker: _Worker) -> None:
        """The worker is gone: wait a moment for the template to say how, then report."""
        deadline = time.monotonic() + 1.0
        while worker.exit_code is None and time.monotonic() < deadline:
            for template in self._templates.values():
                self._read_template(template)
            time.sleep(0.005)
        status, reason = worker.verdict or (Status.CRASHED, describe_exit(worker.exit_code))
        self._kill(worker)
        self._finish(worker, status, None, reason)

    def _hold_to_limits(self, worker: _Worker, now: float) -> None:
        job = worker.job
        if job is None or worker.pid is None:
            return
        if now >= worker.kill_at:
            self._kill(worker)
            status, reason = worker.verdict or (Status.TIMED_OUT, "")
            self._finish(worker, status, None, reason)
            return
        if worker.verdict is not None:
            return
        self._measure(worker, now)
        if worker.peak_mb > job.limits.memory_mb:
            reason = f"used {worker.peak_mb:,.0f} MB of {job.limits.memory_mb:,.0f} MB"
            self._kill(worker)
            self._finish(worker, Status.OUT_OF_MEMORY, None, reason)
        elif worker.ready_at is not None and now - worker.ready_at > job.limits.seconds:
            worker.verdict = (Status.TIMED_OUT, f"not done after {job.limits.seconds:.1f} s")
            worker.kill_at = now + KILL_GRACE_SECONDS
            with contextlib.suppress(OSError):
                os.kill(worker.pid, signal.SIGTERM)

    def _measure(self, worker: _Worker, now: float) -> None:
        try:
            process = psutil.Process(worker.pid)
            used = process.memory_info().rss
            if now - worker.looked_at > TREE_LOOK_SECONDS:  # finding children reads all of /proc
                worker.looked_at = now
                self._cap_log(worker)
                used += sum(child.memory_info().rss for child in process.children(recursive=True))
        except psutil.Error:
            return
        worker.peak_mb = max(worker.peak_mb, used / 2**20)

    def _cap_log(self, worker: _Worker) -> None:
        """Cut what a worker has printed back to the cap; it goes on after that, as its file is open for appending."""
        if self.log is None:
            return
        with contextlib.suppress(OSError):
            path = self.log / f"worker-{worker.slot}-{worker.pool}.log"
            if path.stat().st_size > MOST_LOG_BYTES:
                os.truncate(path, MOST_LOG_BYTES)

    def _kill(self, worker: _Worker) -> None:
        if worker.pid is not None:
            for kill in (os.killpg, os.kill):  # the group is there only once the worker has made its session
                with contextlib.suppress(OSError):
                    kill(worker.pid, signal.SIGKILL)

    def _finish(
        self, worker: _Worker, status: Status, value: Any = None, reason: str = "", traceback: str = ""
    ) -> None:
        job, worker.job = worker.job, None
        if job is None:
            return
        if worker.verdict is not None and status is Status.FAILED:
            status, reason = worker.verdict
        self._cap_log(worker)
        seconds = time.monotonic() - worker.ready_at if worker.ready_at is not None else 0.0
        self._done.append(
            Outcome(
                id=job.id,
                status=Status(status),
                value=value,
                reason=reason,
                traceback=traceback,
                seconds=seconds,
                peak_mb=worker.peak_mb,
                worker=worker.slot,
            )
        )
        if status not in (Status.OK, Status.FAILED) or worker.verdict is not None:
            self._kill(worker)
            self._forget(worker)


def _hand_over(worker: _Worker, job: Job, message: memoryview) -> bool:
    """Give a worker its next job; False if it is not there to take it."""
    worker.job, worker.ready_at, worker.peak_mb, worker.verdict = job, None, 0.0, None
    worker.kill_at = float("inf")
    try:
        worker.connection.send_bytes(message)
    except (OSError, ValueError):
        return False
    return True


def describe_exit(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "the worker disappeared"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"the worker was ended by {signal.Signals(-code).name}"
        return f"the worker was ended by signal {-code}"
    return f"the worker exited with code {code} and no result"


def remove_matching(root: Path, pattern: str) -> None:
    """Remove files and folders below `root`; those that are gone already are no fault."""
    for path in root.glob(pattern):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def open_local(address: str, settings: Settings) -> Engine:
    """See `automl.engines.OpenEngine`."""
    if address:
        raise UsageError(f"The engine 'local' has no address, not even {address!r}", hint="--engine local")
    return LocalEngine(
        settings.jobs, preload=settings.preload, threads=settings.threads, accelerated=settings.accelerated,
        total_mb=settings.total_mb,
    )  # fmt: skip


plugin = open_local
