"""The clock of a run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl.clock import (
    MIN_EVALUATE_SECONDS,
    REPORT_SECONDS,
    SILENT_SECONDS,
    WRAP_UP_SECONDS,
    Clock,
    process_age_seconds,
    spent_seconds,
)
from automl.events import JobFinished, JsonlSink, RunStarted, StageStarted


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1030.0)


def test_time_is_counted_from_the_commands_start(now: None) -> None:
    clock = Clock(started=1000.0, seconds=100.0)
    assert (clock.elapsed(), clock.left()) == (30.0, 70.0)
    assert clock.search_left() == 70.0 - clock.reserve()


def test_a_run_by_trials_has_all_the_time(now: None) -> None:
    clock = Clock(started=1000.0, seconds=None)
    assert (clock.elapsed(), clock.left(), clock.reserve(), clock.search_left()) == (
        30.0,
        float("inf"),
        0.0,
        float("inf"),
    )


def test_time_that_is_over_is_negative(now: None) -> None:
    assert Clock(started=1000.0, seconds=20.0).left() == -10.0


def test_the_reserve_grows_with_the_time_but_never_beyond_a_minute() -> None:
    reserves = [Clock(started=0.0, seconds=seconds).reserve() for seconds in (3.0, 10.0, 60.0, 600.0, 1e5)]
    assert reserves == sorted(reserves)
    assert 2.0 < reserves[0] < 3.0  # of the shortest time there is, something is left to search in
    assert reserves[2] < 0.2 * 60
    assert reserves[-1] == 60.0


def test_an_evaluation_has_what_is_kept_for_it_and_little_where_the_search_ended_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def evaluate(seconds: float, at: float) -> float:
        monkeypatch.setattr(time, "monotonic", lambda: at)
        found = Clock(started=0.0, seconds=seconds).evaluate_seconds()
        assert found is not None
        return found

    assert evaluate(300.0, at=50.0) == WRAP_UP_SECONDS
    assert evaluate(300.0, at=300.0 - 23.5) == pytest.approx(23.5 - REPORT_SECONDS - 6.0)
    assert evaluate(3600.0, at=3540.0) == pytest.approx(60.0 - REPORT_SECONDS - 6.0)
    assert evaluate(60.0, at=51.5) == pytest.approx(8.5 - REPORT_SECONDS - 1.8)
    assert evaluate(60.0, at=62.0) == MIN_EVALUATE_SECONDS


def test_earlier_sessions_count_by_what_happened_whatever_the_clock_on_the_wall_did(tmp_path: Path) -> None:
    def spend(*times: float, begun_again: float | None = None) -> float:
        path = tmp_path / "events.jsonl"
        path.unlink(missing_ok=True)
        log = JsonlSink(path)
        for at in times:
            start = at in (times[0], begun_again)
            log(RunStarted(run="r", data="d", target="y", at=at) if start else StageStarted(stage="search", at=at))
        log.close()
        return spent_seconds(path)

    assert spend(1000.0, 1010.0, 1030.0) == 30.0
    assert spend(1000.0, 1010.0, 9000.0, 9005.0, begun_again=9000.0) == 15.0  # it lay a while between two sessions
    assert spend(5000.0, 5010.0, 1410.0, 1420.0) == 20.0  # set back by an hour
    assert spend(1000.0, 1010.0, 40_000.0, 40_001.0) == 11.0 + SILENT_SECONDS  # asleep overnight


def test_a_fit_that_took_long_counts_whole(tmp_path: Path) -> None:
    log = JsonlSink(tmp_path / "events.jsonl")
    log(RunStarted(run="r", data="d", target="y", at=1000.0))
    log(JobFinished(trial=0, fold=0, candidate="c", worker=0, status="ok", seconds=1200.0, at=2201.0))
    log.close()
    assert spent_seconds(tmp_path / "events.jsonl") == 1200.0


def test_explanations_have_a_share_from_a_minute_on() -> None:
    clocks = {seconds: Clock(started=0.0, seconds=seconds) for seconds in (10.0, 59.0, 60.0, 300.0)}
    assert {seconds: clock.study_seconds() for seconds, clock in clocks.items()} == {
        10.0: 0.0, 59.0: 0.0, 60.0: pytest.approx(1.8), 300.0: 6.0,
    }  # fmt: skip
    assert clocks[60.0].reserve() == pytest.approx(6.7 + 1.8)
    assert clocks[300.0].reserve() == pytest.approx(2.5 + 0.07 * 300)  # there is room in it already
    assert Clock(started=0.0, seconds=None).study_seconds() == 0.0


def test_a_process_knows_how_long_ago_it_began() -> None:
    script = "import time; time.sleep(0.5)\nfrom automl.clock import process_age_seconds\nprint(process_age_seconds())"
    began = time.monotonic()
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", script]
    age = float(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert 0.4 < age < time.monotonic() - began + 0.1


def test_a_command_that_a_shell_becomes_does_not_count_the_shells_time() -> None:
    """`bash -c "a && b"` runs b in its own process, whose age the system counts from the shell's start."""
    script = "import time; from automl.clock import command_started; print(time.monotonic() - command_started())"
    line = f"sleep 3 && exec {sys.executable} -c '{script}'"
    root = Path(__file__).parents[2]
    done = subprocess.run(["sh", "-c", line], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    assert 0.0 < float(done.stdout) < 2.0


def test_a_command_counts_the_start_of_its_interpreter() -> None:
    script = "import time; time.sleep(0.5); from automl.clock import command_started; print(command_started())"
    root = Path(__file__).parents[2]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert began - 0.1 < float(done.stdout) < began + 0.45


def test_where_the_system_does_not_tell_a_processes_age_it_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert process_age_seconds() == 0.0


def test_the_last_file_is_due_before_the_promise_is_broken(now: None) -> None:
    short, long = Clock(started=1027.0, seconds=3.0), Clock(started=0.0, seconds=1000.0)
    assert (short.left(), short.last_left()) == (0.0, 4.0)  # a second for ending the process
    assert long.last_left() == -30.0 + 20.0 - 1.0
    assert Clock(started=0.0, seconds=None).last_left() == float("inf")


def test_looking_at_a_table_has_a_share_of_the_time(now: None) -> None:
    clock = Clock(started=1027.0, seconds=10.0)
    assert (clock.read_left(), clock.look_left()) == (0.0, 1.0)
    assert Clock(started=0.0, seconds=None).look_left() == Clock(started=0.0, seconds=None).read_left() == float("inf")
