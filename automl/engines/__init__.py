"""Where jobs run: any picklable function under limits, on this machine or another. Knows nothing of trials.

A job's failure is an `Outcome`, never an exception. An engine is one file of this folder, and its file's name is the
scheme by which a user asks for it: `local`, `dask`, `dask://host:8786`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from automl.registry import Registry


class Status(StrEnum):
    """How a job ended."""

    OK = "ok"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may use.

    Attributes:
        seconds: wall clock from the moment the worker takes it up; inf for none.
        memory_mb: resident memory of the worker and its children; inf for none.
    """

    seconds: float = float("inf")
    memory_mb: float = float("inf")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Which files a job reads and leaves, for engines whose workers do not see this machine's.

    Attributes:
        root: the folder that all of them lie in; `payload[key]` names it.
        reads: folders below it that no longer change, such as ("data",).
        leaves: the folder below it that the job makes, such as "search/models/0003-1".
        key: the payload's key whose value is `root`, or, elsewhere, the folder that stands for it.
    """

    root: Path
    reads: tuple[str, ...]
    leaves: str
    key: str = "run"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A call to be made elsewhere.

    Attributes:
        id: chosen by the caller; comes back with the outcome.
        function: importable by name; called as `function(payload)`.
        payload: a plain record; arrays go by the path of a file, never through the pipe.
        pool: which warm workers: "core" or "keras".
        files: what it reads and leaves, if it may run where this machine's files are not.
    """

    id: str
    function: Callable[[Any], Any]
    payload: Any
    pool: str = "core"
    limits: Limits = Limits()
    files: Files | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a job.

    Attributes:
        value: what the function returned, if `status` is ok.
        reason: one line; for a crash the signal, for a failure the exception's class and message (cut at 500).
        traceback: the last 4,000 characters of it, if there was one.
        seconds: wall clock from the moment the worker took it up.
        peak_mb: highest resident memory seen.
        worker: which slot did it.
    """

    id: str
    status: Status
    value: Any = None
    reason: str = ""
    traceback: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    worker: int = 0


class Engine(Protocol):
    """Workers. Only the process that made an engine may use it."""

    @property
    def slots(self) -> int:
        """How many jobs run at once."""
        ...

    @property
    def memory_mb(self) -> float:
        """Resident memory that all its jobs together may use, unless the user says how much."""
        ...

    @property
    def scheduler(self) -> str:
        """Address of the Dask cluster behind it, for libraries that train on one; empty if there is none."""
        ...

    def free_slots(self) -> int:
        """How many more jobs would start at once."""
        ...

    def warm(self, pool: str) -> None:
        """Begin loading what the workers of `pool` need, without waiting for it."""
        ...

    def submit(self, job: Job) -> int:
        """Start a job; returns the worker's slot. A free slot is the caller's duty."""
        ...

    def wait(self, seconds: float) -> list[Outcome]:
        """Outcomes since the last call; waits at most `seconds` for the first one."""
        ...

    def cancel(self, ids: set[str] | None = None) -> None:
        """End these jobs (None: all); their outcomes are `cancelled`."""
        ...

    def forget(self, root: Path, pattern: str) -> None:
        """Remove what jobs have kept for later ones: paths that match `pattern` below `root`, wherever jobs ran."""
        ...

    def attend(self, log: Path, tell: Callable[[str], None]) -> None:
        """Where workers' output goes (a folder), and who is told of workers that are lost."""
        ...

    def at_home(self) -> Engine:
        """The engine for jobs that read all of a run folder: itself, or one of this machine, closed with it."""
        ...

    def close(self) -> None:
        """End all workers; nothing is left behind."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an engine is opened with.

    Attributes:
        jobs: jobs at once on this machine; an engine of other machines has as many as they offer.
        preload: pool → modules that its workers have imported before their first job.
        threads: threads a job may use.
        accelerated: whether workers may see accelerators.
        total_mb: what all processes of this machine may take together, this one included; inf for no limit.
        patience_seconds: how long to wait for workers once all are lost, before an EngineError; inf where the time of
            the run ends the wait.
    """

    jobs: int
    preload: Mapping[str, Sequence[str]]
    threads: int = 1
    accelerated: bool = False
    total_mb: float = float("inf")
    patience_seconds: float = float("inf")


# What a plug-in file of this folder sets as `plugin`: a function of address ("" without one) and settings.
OpenEngine = Callable[[str, Settings], Engine]
engines: Registry[OpenEngine] = Registry("automl.engines", noun="engine")


def open_engine(asked: str, settings: Settings) -> Engine:
    """The engine that `NAME`, `NAME://ADDRESS` or `NAME+TRANSPORT://ADDRESS` asks for.

    Raises:
        UsageError: if there is none of that name, or its address is wrong.
        MissingExtraError: if its library is not installed.
        EngineError: if it cannot be started or reached.
    """
    scheme, _, address = asked.partition("://")
    name, _, transport = scheme.partition("+")
    return engines.get(name)(f"{transport}://{address}" if transport else address, settings)
