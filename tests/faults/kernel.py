"""Faults that the kernel hands out: a system call that fails, kills or takes long, and a memory group that is full.

The calls are those of the parent's main thread, which alone writes what has to last. strace (Debian: package strace)
changes their outcome; where it is missing or may not trace, a scenario says so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults import doubles
from tests.faults.scenarios import (
    NOTHING_LOST,
    CannotRunError,
    Facts,
    Scenario,
    fit_words,
    hold,
    hold_model,
    hold_records,
    limited,
    write_table,
)
from tests.flow.command import Tool, stray_files

# Of the 43 to 60 calls of a run of four trials.
PLACES = (1, 2, 3, 5, 8, 12, 17, 22, 27, 32, 36, 40)
SLOW_SECONDS = 0.2
GROUP_MB = 1200


def trace(injection: str) -> str:
    """The words before a command that make its calls go wrong, such as "fsync:error=EIO:when=3+"."""
    if shutil.which("strace") is None:
        raise CannotRunError("strace is not installed (Debian: package strace)")
    call = injection.partition(":")[0]
    words = f"strace -qq -o /dev/null -e trace={call} -e inject={injection} "
    tried = subprocess.run([*words.split(), "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise CannotRunError(f"strace may not trace here: {' '.join(tried.stderr.split())[:80]}")
    return words


def kill_at(call: str) -> Callable[[Tool], Facts]:
    """The parent is killed as it asks for its Nth call; what there is then goes on, and once more when it is whole."""

    def do(tool: Tool) -> Facts:
        write_table(tool)
        run, before_first = tool.work / "run", 0
        for place in PLACES:
            shutil.rmtree(run, ignore_errors=True)
            through = trace(f"{call}:signal=SIGKILL:when={place}")
            running, result = limited(tool, "true", *fit_words("--trials", "4", "--quiet"), through=through)
            assert result.code == -signal.SIGKILL, (place, result)
            assert running.leftovers(within=5) == [], place
            if not (run / "run.json").exists():
                before_first += 1  # nothing there yet that could be resumed
                continue
            trials = run / "search" / "trials.jsonl"
            hold_resumed(tool, trials.read_bytes() if trials.exists() else b"")
        return {"code": 0, "remark": f"{len(PLACES)} places, {before_first} of them before there was a run"}

    return do


def fail_at(call: str, error: str, *, lasting: bool) -> Callable[[Tool], Facts]:
    """The Nth call fails, or all from the Nth on."""

    def do(tool: Tool) -> Facts:
        write_table(tool)
        run, codes = tool.work / "run", []
        for place in PLACES[1::2]:
            shutil.rmtree(run, ignore_errors=True)
            through = trace(f"{call}:error={error}:when={place}{'+' if lasting else ''}")
            running, result = limited(tool, "true", *fit_words("--trials", "4", "--quiet"), through=through)
            codes.append(hold(tool, running, result, (0, 5))["code"])
            if (run / "run.json").exists():
                trials = run / "search" / "trials.jsonl"
                hold_resumed(tool, trials.read_bytes() if trials.exists() else b"")
        return {"code": 5, "remark": f"{len(codes)} places, exit codes {sorted(set(codes))}, each resumed well"}

    return do


def hold_resumed(tool: Tool, before: bytes) -> None:
    """The run goes on to its end, a second resume finds nothing to do, and the model answers."""
    for _ in range(2):
        again = tool.start("resume", "run", "--quiet")
        hold(tool, again, again.wait(), (0,))
    assert len(hold_records(tool.work / "run", before)) == 4
    assert stray_files(tool.work / "run") == []
    hold_model(tool)


def slow_disk(tool: Tool) -> Facts:
    write_table(tool)
    through = trace(f"fsync:delay_exit={int(1e6 * SLOW_SECONDS)}")
    words = [*fit_words("--time", "12s", "--quiet")]
    running, result = limited(tool, "true", *words, through=through)
    facts = hold(tool, running, result, (0,))
    assert result.seconds <= 17, result.seconds
    hold_model(tool)
    finished = len(hold_records(tool.work / "run"))
    return facts | {"remark": f"limit 12 s, {SLOW_SECONDS} s a call, {finished} trials finished"}


# ---- memory groups -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def memory_group(limit_mb: int) -> Iterator[Path]:
    """A control group whose members may take so much together, swap included.

    Raises:
        CannotRunError: if none can be made, or the kernel does not hold its members to it.
    """
    root = Path("/sys/fs/cgroup")
    old = root / "memory"
    place = (old if old.is_dir() else root) / f"automl-test-{os.getpid()}"
    file = place / ("memory.limit_in_bytes" if old.is_dir() else "memory.max")
    try:
        place.mkdir()
        file.write_text(str(limit_mb << 20))
    except OSError as error:
        with contextlib.suppress(OSError):
            place.rmdir()
        raise CannotRunError(f"no memory group can be made: {error.strerror}") from error
    try:
        greedy = f"exec {sys.executable} -c 'b = bytearray({2 * limit_mb} << 20); print(len(b))'"
        entered = f"echo $$ > {place}/cgroup.procs && {greedy}"
        if subprocess.run(["/bin/sh", "-c", entered], capture_output=True, check=False).returncode == 0:
            raise CannotRunError("the kernel does not hold a memory group to its limit")
        yield place
    finally:
        with contextlib.suppress(OSError):
            place.rmdir()


def full_group(tool: Tool) -> Facts:
    """The kernel, not the tool, ends a family that eats too much: it takes the worker, not the parent."""
    write_table(tool)
    doubles_env = doubles.offer(tool.folder / "plug-ins")
    (tool.work / "mine.yaml").write_text("search: {candidates: [linear, eating], tune: false, trial_seconds: 5}\n")
    with memory_group(GROUP_MB) as group:
        exports = "; ".join(f"export {name}='{value}'" for name, value in doubles_env.items())
        limits = f"{exports}; echo $$ > {group}/cgroup.procs"
        running, result = limited(tool, limits, *fit_words("--trials", "4", "--memory", "64G", "--quiet"))
        facts = hold(tool, running, result, (0,))
    hold_model(tool)
    found = {line["candidate"]: line for line in hold_records(tool.work / "run")}
    assert found["eating"]["status"] in ("crashed", "out_of_memory"), found["eating"]
    return facts | {"remark": f"of {GROUP_MB} MB; eating: {found['eating']['status']}, {found['eating']['reason']}"}


SCENARIOS = (
    Scenario("the parent is killed at its Nth fsync", NOTHING_LOST, kill_at("fsync")),
    Scenario("the parent is killed at its Nth rename", NOTHING_LOST, kill_at("rename")),
    Scenario("one fsync fails: input/output error", "5 or 0, then resume", fail_at("fsync", "EIO", lasting=False)),
    Scenario("every fsync from the Nth on fails", "5 or 0, then resume", fail_at("fsync", "EIO", lasting=True)),
    Scenario("no rename from the Nth on: no space", "5 or 0, then resume", fail_at("rename", "ENOSPC", lasting=True)),
    Scenario("a disk that takes 200 ms to keep a file", "the time is kept", slow_disk),
    Scenario("a memory group that is full", "the worker is ended, not the parent", full_group),
)
