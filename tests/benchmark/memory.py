"""Wall time and peak memory of a command and all it starts.

`python -m tests.benchmark.memory COMMAND …` prints both as JSON to stderr when the command has ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

LOOK_SECONDS = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Usage:
    """What a command took.

    Attributes:
        peak_mb: highest sum over the process tree of resident memory, shared pages counted once (Linux: PSS).
        peak_rss_mb: the same with shared pages counted for each process.
        own_peak_mb: of the command's first process alone.
        parts_mb: of each process, when the sum was highest.
        moments: (seconds, MB of the tree) at each look.
    """

    code: int
    seconds: float
    peak_mb: float
    peak_rss_mb: float
    own_peak_mb: float
    parts_mb: tuple[int, ...]
    moments: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        record = dataclasses.asdict(self)
        del record["moments"]
        return {name: round(value, 2) if isinstance(value, float) else value for name, value in record.items()}


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path | None = None) -> Usage:
    """Run it to its end; its output goes to `log`, or where this process's goes."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else None
        process = subprocess.Popen(command, env=None if env is None else dict(env), stdout=output, stderr=output)
        moments: list[tuple[float, float]] = []
        parts: list[float] = [0.0]
        peak_rss = own = 0.0
        while process.poll() is None:
            found, rss = _look(process.pid)
            moments.append((round(time.monotonic() - began, 2), sum(found)))
            parts = max(parts, found, key=sum)
            peak_rss, own = max(peak_rss, rss), max(own, *found[:1])
            time.sleep(LOOK_SECONDS)
    peak = sum(parts)
    return Usage(
        code=process.returncode, seconds=time.monotonic() - began, peak_mb=peak, peak_rss_mb=peak_rss,
        own_peak_mb=own, parts_mb=tuple(map(round, parts)), moments=tuple(moments),
    )  # fmt: skip


def _look(pid: int) -> tuple[list[float], float]:
    """PSS of each process, the root first, and RSS of all, in MB."""
    found, rss = [0.0], 0.0
    with contextlib.suppress(psutil.Error):
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with contextlib.suppress(psutil.Error, OSError, ValueError, IndexError):
                own = _pss(process.pid)
                rss += process.memory_info().rss / 2**20
                if process.pid == pid:
                    found[0] = own
                else:
                    found.append(own)
    return found, rss


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return int(text.split("\nPss:", 1)[1].split()[0]) / 1024


if __name__ == "__main__":
    usage = run(sys.argv[1:])
    print(json.dumps(usage.moments), file=sys.stderr) if "MOMENTS" in os.environ else None
    print(json.dumps(usage.to_json()), file=sys.stderr)
    sys.exit(usage.code)
