"""What a worker does with one configuration of the portfolio's learning."""

from __future__ import annotations

import resource
from typing import Any

from automl.search.trial import run_fold


def timed_fold(payload: dict[str, Any]) -> dict[str, Any]:
    """`run_fold` with the processor seconds it took, which other work on the machine does not lengthen."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    record = run_fold(payload)
    after = resource.getrusage(resource.RUSAGE_SELF)
    record["cpu_seconds"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return record
