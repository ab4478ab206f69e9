"""The engine of this machine passes the engine suite, and keeps what is promised of it alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from automl.engines import Engine, Job, Outcome, Settings, Status, local, open_engine
from automl.engines.local import LocalEngine, describe_exit
from automl.engines.machine.memory import own_tree_mb
from tests.conformance import jobs
from tests.conformance.engines import (
    PATIENCE_SECONDS,
    ROOT,
    EngineConformance,
    is_gone,
    read_number,
    run,
    run_all,
    wait_until,
)


class TestLocal(EngineConformance):
    def make_engine(self, slots: int) -> Engine:
        return LocalEngine(slots, preload={})

    @pytest.fixture(autouse=True)
    def short_grace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(local, "KILL_GRACE_SECONDS", 1.0)


class TestDask(EngineConformance):
    """On a cluster of this machine, whose workers are processes of one thread."""

    def make_engine(self, slots: int) -> Engine:
        return open_engine("dask", Settings(jobs=slots, preload={}))


@pytest.fixture(autouse=True)
def workers_find_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=":")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(1, preload={"core": ("colorsys",), "keras": ("no.such.module",)}, log=tmp_path / "log")
    yield engine
    engine.close()


def templates() -> list[psutil.Process]:
    """The template processes of this process's engines."""
    return [child for child in psutil.Process().children() if "automl.engines" in child.cmdline()]


def test_workers_have_imported_what_their_pool_preloads(engine: LocalEngine) -> None:
    assert run(engine, jobs.list_modules, ["colorsys", "wave"]).value == ["colorsys"]


def test_a_module_that_cannot_be_preloaded_does_not_stop_its_pool(engine: LocalEngine) -> None:
    job = Job(id="k", function=jobs.give_back, payload=7, pool="keras")
    assert run_all(engine, job)["k"].value == 7


def test_pools_have_workers_of_their_own_but_share_the_slots(engine: LocalEngine) -> None:
    keras = Job(id="k", function=jobs.tell_pid, payload=None, pool="keras")
    core = run(engine, jobs.tell_pid)
    other = run_all(engine, keras)["k"]
    assert core.value != other.value
    assert core.worker == other.worker == 0
    assert run(engine, jobs.tell_pid).value == core.value
    engine.submit(Job(id="nap", function=jobs.nap, payload=60.0, pool="keras"))
    assert engine.free_slots() == 0


def test_a_pool_is_started_by_its_first_job_or_by_warming_it(engine: LocalEngine) -> None:
    assert templates() == []
    engine.warm("core")
    engine.warm("core")
    until = time.monotonic() + 5.0
    while not templates() and time.monotonic() < until:  # a process has no command line for a moment after its start
        time.sleep(0.01)
    assert len(templates()) == 1


def test_libraries_in_workers_use_as_many_threads_as_a_job_may(engine: LocalEngine) -> None:
    assert run(engine, jobs.read_environment, "OMP_NUM_THREADS").value == "1"
    four = LocalEngine(1, preload={}, threads=4)
    try:
        assert run(four, jobs.read_environment, "OMP_NUM_THREADS").value == "4"
    finally:
        four.close()


def test_the_clock_of_a_job_starts_when_a_worker_takes_it_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers come when their libraries are loaded; a limit shorter than that must not end the job."""
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(1.5)\n", encoding="ascii")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    engine = LocalEngine(1, preload={"core": ("slow_to_import",)})
    try:
        began = time.monotonic()
        outcome = run(engine, jobs.nap, 0.0, seconds=1.0)
        assert outcome.status is Status.OK
        assert outcome.seconds < 1.0
        assert time.monotonic() - began > 1.5
    finally:
        engine.close()


def test_what_a_worker_prints_goes_to_its_log(engine: LocalEngine, tmp_path: Path) -> None:
    run(engine, jobs.flood, 1)
    log = (tmp_path / "log" / "worker-0-core.log").read_bytes()
    assert (log.count(b"o"), log.count(b"e")) == (1 << 20, 1 << 20)


def test_a_worker_that_prints_without_end_fills_no_disk(engine: LocalEngine, tmp_path: Path) -> None:
    run(engine, jobs.flood, 20)
    assert (tmp_path / "log" / "worker-0-core.log").stat().st_size == 4 << 20


def test_a_log_beyond_its_cap_is_begun_anew_by_the_next_worker(engine: LocalEngine, tmp_path: Path) -> None:
    run(engine, jobs.flood, 2)
    run(engine, jobs.vanish, 0)
    run(engine, jobs.give_back, 0)
    assert (tmp_path / "log" / "worker-0-core.log").stat().st_size == 0


def test_a_killed_template_is_replaced(engine: LocalEngine) -> None:
    first = run(engine, jobs.tell_pid).value
    (template,) = templates()
    template.kill()
    wait_until(lambda: is_gone(template.pid) and is_gone(first), "template and worker are dead")
    outcome = run(engine, jobs.tell_pid)
    assert outcome.status is Status.OK
    assert outcome.value != first


def test_a_template_killed_under_a_job_costs_that_job_alone(engine: LocalEngine, tmp_path: Path) -> None:
    engine.submit(Job(id="a", function=jobs.note_and_nap, payload={"path": str(tmp_path / "pid")}))
    while not (tmp_path / "pid").exists():
        engine.wait(0.05)
    (template,) = templates()
    template.kill()
    (outcome,) = engine.wait(10.0)
    assert (outcome.id, outcome.status) == ("a", Status.CRASHED)
    assert run(engine, jobs.give_back, 1).value == 1


def test_a_dead_template_does_not_keep_the_parent_busy(engine: LocalEngine) -> None:
    """Its closed channel is readable for ever; a parent that looked at it would spin beside its workers."""
    engine.warm("keras")
    (template,) = templates()
    template.kill()
    wait_until(lambda: is_gone(template.pid), "it is dead")
    began = time.process_time()
    assert run(engine, jobs.nap, 1.5).status is Status.OK
    assert time.process_time() - began < 0.5


def test_workers_that_cannot_start_are_crashes_not_a_hang(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 9\n", encoding="ascii")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    engine = LocalEngine(1, preload={})
    try:
        outcome = run(engine, jobs.give_back, 1)
        assert (outcome.status, outcome.reason) == (Status.CRASHED, "the worker exited with code 9 and no result")
    finally:
        engine.close()


def test_all_processes_together_keep_to_the_total_and_the_largest_job_pays(tmp_path: Path) -> None:
    engine = LocalEngine(2, preload={}, total_mb=own_tree_mb() + 500)
    try:
        engine.submit(Job(id="small", function=jobs.nap, payload=3.0))
        engine.submit(Job(id="large", function=jobs.fill_memory, payload=1500))
        found: dict[str, Outcome] = {}
        while len(found) < 2:
            found |= {outcome.id: outcome for outcome in engine.wait(5.0)}
        assert found["small"].status is Status.OK
        assert found["large"].status is Status.OUT_OF_MEMORY
        assert found["large"].reason.startswith("all processes together used ")
        assert found["large"].peak_mb < 1500
    finally:
        engine.close()


SCRIPT = """
import signal, sys, time
from automl.engines import Job
from automl.engines.local import LocalEngine
from tests.conformance import jobs

folder, seconds = sys.argv[1], float(sys.argv[2])
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
engine = LocalEngine(2, preload={})
for name in "ab":
    engine.submit(Job(id=name, function=jobs.note_and_nap, payload={"path": f"{folder}/{name}", "seconds": seconds}))
found = {}
while len(found) < 2:
    found |= {outcome.id: outcome for outcome in engine.wait(0.1)}
print(*sorted(str(outcome.status) for outcome in found.values()), flush=True)
engine.close()
"""


def start_parent(folder: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_workers_and_templates_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with start_parent(tmp_path, 60.0) as parent:
        workers = [read_number(tmp_path / name) for name in "ab"]
        below = [process.pid for process in psutil.Process(parent.pid).children(recursive=True)]
        assert set(workers) < set(below)
        parent.kill()
    wait_until(lambda: all(is_gone(pid) for pid in below), f"{below} have ended", seconds=5.0)


def test_an_interrupt_of_the_parents_group_does_not_reach_the_workers(tmp_path: Path) -> None:
    with start_parent(tmp_path, 1.0) as parent:
        for name in "ab":
            read_number(tmp_path / name)
        os.killpg(parent.pid, signal.SIGINT)
        said, _ = parent.communicate(timeout=PATIENCE_SECONDS)
    assert said.split() == ["interrupted", "ok", "ok"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "the worker disappeared"),
        (-9, "the worker was ended by SIGKILL"),
        (-250, "the worker was ended by signal 250"),
        (0, "the worker exited with code 0 and no result"),
    ],
)
def test_how_a_process_ended_is_told_in_words(code: int | None, words: str) -> None:
    assert describe_exit(code) == words


def test_every_engine_of_the_package_is_held_against_the_suite() -> None:
    made = {type(suite().make_engine(1)).__name__ for suite in EngineConformance.__subclasses__()}
    assert made == {"LocalEngine", "DaskEngine"}
    assert Outcome(id="a", status=Status.OK).seconds == 0.0
