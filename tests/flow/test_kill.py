"""What finished is never lost: a run is killed with all its processes at any moment, and taken up again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.flow.command import (
    PENGUINS,
    SURVEY,
    Background,
    Tool,
    read_lines,
    read_record,
    stray_files,
    wait_for_trials,
    without_times,
)


def kill(running: Background) -> None:
    """What the kernel or an operator does: no warning, the whole group at once."""
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    assert running.leftovers(within=5) == []


def resume_whole(tool: Tool, run: Path, target_table: Path) -> None:
    """Resume, and hold the promise: what was there is there, byte by byte, nothing ran twice, the model serves."""
    trials = run / "search" / "trials.jsonl"
    before = trials.read_bytes() if trials.exists() else b""
    whole = before[: before.rfind(b"\n") + 1]
    again = tool.start("resume", run, "--json")
    result = again.wait()
    assert result.code == 0, result
    assert result.record["status"] == "complete"
    assert trials.read_bytes().startswith(whole)
    numbers = [line["trial"] for line in read_lines(trials)]
    assert len(numbers) == len(set(numbers))
    assert read_record(run / "run.json")["status"] == "complete"
    assert again.leftovers(within=5) == []
    assert stray_files(run) == []
    predicted = tool("predict", run, target_table, "--quiet")
    assert predicted.code == 0, predicted
    assert len(predicted.out.splitlines()) == len(target_table.read_bytes().splitlines())


@pytest.mark.parametrize("trials", [0, 1])
def test_a_run_by_time_that_is_killed_goes_on(tool: Tool, recipe: Callable[[str], Path], trials: int) -> None:
    """Killed while its first models are made, and when the first is there."""
    run = tool.work / "run"
    words = ("fit", SURVEY, "--target", "married", "--time", "9s", "--recipe", recipe("several"), "--out", run)
    running = tool.start(*words)
    while not (run / "search" / "specs.jsonl").exists() and not running.is_over():
        time.sleep(0.01)
    wait_for_trials(running, run, trials)
    time.sleep(float(np.random.default_rng().uniform(0, 0.5)))  # any moment will do
    kill(running)
    assert tool("status", run, "--json").record["status"] == "killed"
    resume_whole(tool, run, SURVEY)


def test_what_a_kill_left_half_done_or_damaged_is_mended(tool: Tool, seventh: Path, killed: Path) -> None:
    """Torn records, blocks that never reached the disk, a fold half written, and a kill between the two renames that
    put a better model in the old one's place. The recipe was that of another run: both come to the same end."""
    run = Path(shutil.copytree(killed, tool.work / "run"))
    search = run / "search"
    (run / "model").rename(run / ".model.old")
    (run / ".model.tmp-4711").mkdir()
    (run / ".run.json.tmp-4711").write_text("{")
    fold = search / "models" / ".0009-1.tmp-4711"
    fold.mkdir(exist_ok=True)
    (fold / "oof.npy").write_bytes(b"half")
    journal = search / "journal.log"
    journal.write_bytes(journal.read_bytes()[:-200])  # the sampler forgets a trial; the records do not
    for path in (run / "events.jsonl", search / "specs.jsonl", journal):
        with path.open("ab") as file:
            file.write(bytes(50) + b'\n{ not a record\n{"half a rec')
    trials = search / "trials.jsonl"
    trials.write_bytes(trials.read_bytes()[:-20])  # this trial's record is torn, so it is made again
    resume_whole(tool, run, PENGUINS)
    assert sorted(line["trial"] for line in read_lines(trials)) == list(range(12))
    boards = [without_times(read_record(each / "leaderboard.json")) for each in (run, seventh)]
    assert boards[0] == boards[1]


def test_resume_of_a_complete_run_changes_nothing(shared: Tool, penguins: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(penguins, run)

    def contents() -> dict[str, bytes]:
        return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}

    before = contents()
    result = shared("resume", run, "--json")
    assert result.code == 0, result
    assert result.record["status"] == "complete"
    after = contents()
    before.pop("run.lock", None), after.pop("run.lock", None)
    assert after == before


def test_a_run_that_was_killed_while_it_wrote_its_report_writes_it(
    shared: Tool, penguins: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(penguins, run)
    record = read_record(run / "run.json")
    assert record["status"] == "complete"
    del record["stages"]["finish"]
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    (run / "report.html").unlink()
    trials = (run / "search" / "trials.jsonl").read_bytes()
    result = shared("resume", run, "--json")
    assert (result.code, result.record["status"]) == (0, "complete"), result
    assert (run / "report.html").exists()
    assert (run / "search" / "trials.jsonl").read_bytes() == trials


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_twenty_random_moments_of_half_a_minute(tool: Tool, seed: int) -> None:
    moment = float(np.random.default_rng(seed).uniform(1.0, 29.5))
    run = tool.work / "run"
    running = tool.start("fit", SURVEY, "--target", "married", "--time", "30s", "--seed", str(seed), "--out", run)
    time.sleep(moment)
    if running.is_over():
        assert running.wait().code == 0
        return
    kill(running)
    if not (run / "run.json").exists():
        assert moment < 10, "no run folder yet"
        return
    resume_whole(tool, run, SURVEY)
