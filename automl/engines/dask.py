"""Workers of a Dask cluster: `dask` starts one on this machine, `dask://host:8786` uses one that runs already.

The cluster is trusted as Dask itself demands: whoever reaches its scheduler can run code on every worker and on the
client. TLS, timeouts and the like are those of Dask's own configuration; `dask+tls://host:8786` asks for encryption.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

from automl.engines import Engine, Job, Outcome, Settings, Status
from automl.engines.cluster.connection import Scheduler
from automl.engines.cluster.link import Link
from automl.engines.cluster.roster import Errand
from automl.engines.cluster.store import forget
from automl.engines.local import MEMORY_SHARE, LocalEngine
from automl.engines.machine.worker import describe_error
from automl.errors import EngineError, UsageError

REQUIRES = ("distributed", "cryptography")
EXTRA = "dask"

TRANSPORTS = ("", "tcp", "tls", "ws", "wss")
OPEN_SECONDS = 20.0
LOOK_SECONDS = 0.5
END_SECONDS = 2.5
HOME_POOL = "core"


class DaskEngine:
    """See `automl.engines.Engine`.

    Args:
        address: of the scheduler, such as "tcp://host:8786"; empty starts a cluster on this machine.
        name: what the user calls it.
    """

    def __init__(self, address: str, name: str, settings: Settings) -> None:
        self._address, self._settings = address, settings
        self._link = Link(self._start, name, settings)
        self._done: list[Outcome] = []
        self._home: LocalEngine | None = None
        self._tell: Callable[[str], None] = lambda text: None
        self._log: Path | None = None
        try:
            if address:
                self._link.wait_open(OPEN_SECONDS)
        except EngineError:
            self.close()
            raise

    @property
    def slots(self) -> int:
        return len(self._link.roster.members) or (1 if self._address else self._settings.jobs)

    @property
    def memory_mb(self) -> float:
        members = self._link.roster.workers()
        if not members or any(not member.memory_mb for member in members):
            return LocalEngine(1, preload={}).memory_mb if not self._address else float("inf")
        return MEMORY_SHARE * min(member.memory_mb / member.nthreads for member in members) * self.slots

    @property
    def scheduler(self) -> str:
        return self._address

    def free_slots(self) -> int:
        if not self._link.roster.members:  # jobs may wait for the first worker
            return max(self.slots - len(self._link.roster.errands), 0)
        return max(len(self._link.roster.free()) - self._link.roster.count_waiting(), 0)

    def warm(self, pool: str) -> None:
        self._link.warm(pool)
        if self._address and pool == HOME_POOL:  # by the time the search ends, this machine is ready for what follows
            self.at_home().warm(pool)

    def submit(self, job: Job) -> int:
        if self.free_slots() <= 0:
            raise EngineError(f"No worker is free for the job {job.id}", hint="This is a bug: wait before submitting")
        slot = next(iter(self._link.roster.free()), None)
        try:
            content = bytes(ForkingPickler.dumps(job))
        except Exception as error:  # the payload cannot be sent: that is the job's failure
            self._done.append(Outcome(id=job.id, status=Status.FAILED, reason=describe_error(error), worker=slot or 0))
            return slot or 0
        self._link.carry(Errand(job.id, content, job.limits.seconds, job.files, slot))
        return slot or 0

    def wait(self, seconds: float) -> list[Outcome]:
        deadline = time.monotonic() + seconds
        while not self._done and self._link.roster.errands:
            left = deadline - time.monotonic()
            self._take(min(max(left, 0.0), LOOK_SECONDS))
            self._say()
            self._hold_patience()
            if left <= 0:
                break
        self._take(0.0)
        done, self._done = self._done, []
        return done

    def cancel(self, ids: set[str] | None = None) -> None:
        for name in list(self._link.roster.errands):
            if (ids is None or name in ids) and (errand := self._link.drop(name)):
                outcome = Outcome(id=name, status=Status.CANCELLED, reason="cancelled", worker=errand.slot or 0)
                self._done.append(outcome)

    def forget(self, root: Path, pattern: str) -> None:
        self._link.run_on_all(forget, self._link.session, pattern)

    def attend(self, log: Path, tell: Callable[[str], None]) -> None:
        self._log, self._tell = log, tell
        if self._home is not None:
            self._home.attend(log, tell)

    def at_home(self) -> Engine:
        if not self._address:  # its workers are processes of this machine
            return self
        if self._home is None:
            settings = self._settings
            self._home = LocalEngine(
                settings.jobs, preload=settings.preload, threads=settings.threads, log=self._log,
                accelerated=settings.accelerated, total_mb=settings.total_mb,
            )  # fmt: skip
        return self._home

    def close(self) -> None:
        self.cancel()
        self._link.close()
        if self._home is not None:
            self._home.close()

    def count_bytes(self) -> dict[str, int]:
        """What has crossed the network for jobs: data set sent, results received."""
        return {"sent": self._link.carrier.sent_bytes, "received": self._link.carrier.received_bytes}

    def _take(self, seconds: float) -> None:
        try:
            self._done.append(
                self._link.carrier.done.get(timeout=seconds) if seconds else self._link.carrier.done.get_nowait()
            )
            while True:
                self._done.append(self._link.carrier.done.get_nowait())
        except queue.Empty:
            return

    def _say(self) -> None:
        while not self._link.said.empty():
            self._tell(self._link.said.get())

    def _hold_patience(self) -> None:
        lost_at, patience = self._link.roster.lost_at, self._settings.patience_seconds
        if self._link.failure is not None:
            raise self._link.failure
        if lost_at is not None and time.monotonic() - lost_at > patience:
            raise EngineError(
                f"No worker of {self._link.name} has answered for {patience:,.0f} s",
                hint="What finished is kept. When there are workers again: automl resume RUN",
            )

    async def _start(self) -> Scheduler:
        """Where it is; a cluster of this machine is started first, for nobody but who has this process's keys."""

        async def nothing() -> None:
            return

        if self._address:
            return Scheduler(self._address, nothing)
        from distributed import Security

        words = [sys.executable, "-m", "automl.engines.cluster", str(self._settings.jobs)]
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            raise EngineError(f"Cannot start a cluster on this machine: {error}", hint="automl doctor") from error
        assert process.stdin and process.stdout
        line = await asyncio.to_thread(process.stdout.readline)
        if not line:
            raise EngineError(
                f"A cluster on this machine ended as it began (exit code {process.wait()})", hint="automl doctor"
            )
        said = json.loads(line)
        own = {"tls_client_cert": said["certificate"], "tls_client_key": said["key"]}
        security = Security(tls_ca_file=said["certificate"], require_encryption=True, **own)
        return Scheduler(said["address"], partial(end_cluster, process), security)


async def end_cluster(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and see that it does, with all that it started."""
    assert process.stdin and process.stdout
    process.stdin.close()
    try:
        await asyncio.to_thread(process.wait, END_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    finally:
        process.stdout.close()


def open_dask(address: str, settings: Settings) -> Engine:
    """See `automl.engines.OpenEngine`.

    Raises:
        UsageError: if the address is none.
        EngineError: if no scheduler or no worker answers there, or none has the versions of this machine.
    """
    if not address:
        return DaskEngine("", "dask", settings)
    where, name = parse_address(f"dask+{address}" if "://" in address else f"dask://{address}")
    return DaskEngine(where, name, settings)


def parse_address(asked: str) -> tuple[str, str]:
    """Dask's own address of a scheduler, and its full name, of "dask://host:8786" or "dask+tls://host:8786".

    Raises:
        UsageError: if it is none.
    """
    scheme, _, place = asked.partition("://")
    name, _, transport = scheme.partition("+")
    host, _, port = place.rpartition(":")
    if name != "dask" or not host or not port.isdigit() or "/" in place or transport not in TRANSPORTS:
        raise UsageError(f"{asked!r} is not a scheduler's address", hint="Write it as dask://host:8786")
    return f"{transport or 'tcp'}://{place}", asked


plugin = open_dask
