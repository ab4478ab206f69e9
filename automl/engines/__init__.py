"""Where jobs run: any picklable function under limits, on this machine or another. Knows nothing of trials.

A job's failure is an `Outcome`, never an exception.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol


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
class Job:
    """A call to be made elsewhere.

    Attributes:
        id: chosen by the caller; comes back with the outcome.
        function: importable by name; called as `function(payload)`.
        payload: a plain record; arrays go by the path of a file, never through the pipe.
        pool: which warm workers: "core" or "keras".
    """

    id: str
    function: Callable[[Any], Any]
    payload: Any
    pool: str = "core"
    limits: Limits = Limits()


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

    def close(self) -> None:
        """End all workers; nothing is left behind."""
        ...
