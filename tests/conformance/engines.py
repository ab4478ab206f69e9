"""The suite that every engine must pass: subclass `EngineConformance` and say how one is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from automl.engines import Engine, Job, Limits, Outcome, Status
from automl.errors import EngineError
from tests.conformance import jobs

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0


def run_all(engine: Engine, *work: Job) -> dict[str, Outcome]:
    """Submit jobs as slots come free and wait for all of them; outcomes by the id of their job."""
    waiting, done = list(work), dict[str, Outcome]()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(done) < len(work):
        while waiting and engine.free_slots():
            engine.submit(waiting.pop(0))
        done |= {outcome.id: outcome for outcome in engine.wait(0.2)}
        assert time.monotonic() < deadline, f"only {sorted(done)} came back"
    return done


def run(engine: Engine, function: Callable[[Any], Any], payload: Any = None, **limits: float) -> Outcome:
    """One job to its end."""
    return run_all(engine, Job(id="one", function=function, payload=payload, limits=Limits(**limits)))["one"]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def read_number(path: Path) -> int:
    wait_until(path.exists, f"{path.name} is there")
    return int(path.read_text(encoding="ascii"))


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has reaped yet has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class EngineConformance:
    """What search and evaluation rely on. Subclasses say how an engine of two slots is made."""

    def make_engine(self, slots: int) -> Engine:
        raise NotImplementedError

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def jobs_are_importable(cls) -> Iterator[None]:
        """Workers are other processes: they must find `tests` too, wherever pytest was started."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(ROOT), prepend=":")
            yield

    @pytest.fixture(scope="class")
    @classmethod
    def lasting_engine(cls, jobs_are_importable: None) -> Iterator[Engine]:
        """One for all tests: none may spoil it for the next."""
        engine = cls().make_engine(2)
        yield engine
        engine.close()

    @pytest.fixture
    def engine(self, lasting_engine: Engine) -> Iterator[Engine]:
        yield lasting_engine
        lasting_engine.cancel()
        lasting_engine.wait(0.0)

    def test_a_job_gives_what_its_function_returns(self, engine: Engine) -> None:
        payload = {"numbers": [1, 2.5, None], "text": "größe"}
        outcome = run(engine, jobs.give_back, payload)
        assert (outcome.id, outcome.status, outcome.value) == ("one", Status.OK, payload)
        assert (outcome.reason, outcome.traceback) == ("", "")

    def test_a_large_result_comes_back_whole(self, engine: Engine) -> None:
        assert run(engine, jobs.give_back, b"x" * 20_000_000).value == b"x" * 20_000_000

    def test_an_exception_is_a_failure_with_its_reason_and_traceback(self, engine: Engine) -> None:
        outcome = run(engine, jobs.fail, "the first line\nand a second")
        assert outcome.status is Status.FAILED
        assert outcome.reason == "ValueError: the first line and a second"
        assert "raise ValueError(message)" in outcome.traceback
        assert run(engine, jobs.give_back, 1).status is Status.OK

    def test_the_reason_and_the_traceback_of_a_giant_message_are_cut(self, engine: Engine) -> None:
        outcome = run(engine, jobs.fail, "x" * 5_000_000)
        assert outcome.status is Status.FAILED
        assert outcome.reason == "ValueError: " + "x" * 500
        assert len(outcome.traceback) == 4000

    def test_an_exception_whose_message_cannot_be_read_is_a_failure_like_any_other(self, engine: Engine) -> None:
        outcome = run(engine, jobs.fail_without_words)
        assert outcome.status is Status.FAILED
        assert outcome.reason == "UnreadableError: (its message cannot be read)"

    def test_a_job_that_calls_exit_is_a_failure(self, engine: Engine) -> None:
        outcome = run(engine, jobs.call_exit, 3)
        assert (outcome.status, outcome.reason) == (Status.FAILED, "the job called exit(3)")

    def test_a_memory_error_is_told_from_other_failures(self, engine: Engine) -> None:
        assert run(engine, jobs.run_out_of_memory).status is Status.OUT_OF_MEMORY

    def test_a_result_that_cannot_be_sent_is_a_failure(self, engine: Engine) -> None:
        outcome = run(engine, jobs.return_function)
        assert outcome.status is Status.FAILED
        assert "pickle" in outcome.reason
        assert run(engine, jobs.give_back, 1).value == 1

    def test_a_result_that_cannot_be_read_is_a_failure(self, engine: Engine) -> None:
        outcome = run(engine, jobs.return_poison)
        assert outcome.status is Status.FAILED
        assert "poison" in outcome.reason
        assert run(engine, jobs.give_back, 1).value == 1

    def test_a_payload_that_cannot_be_sent_is_a_failure_and_costs_no_slot(self, engine: Engine) -> None:
        outcome = run(engine, jobs.give_back, lambda: None)
        assert outcome.status is Status.FAILED
        assert "pickle" in outcome.reason
        assert engine.free_slots() == 2

    def test_a_payload_that_cannot_be_read_is_a_failure(self, engine: Engine) -> None:
        outcome = run(engine, jobs.give_back, jobs.Poison())
        assert outcome.status is Status.FAILED
        assert outcome.reason == "ValueError: poison"

    def test_a_job_that_spins_is_ended_at_its_time(self, engine: Engine, tmp_path: Path) -> None:
        began = time.monotonic()
        outcome = run(engine, jobs.spin, str(tmp_path / "pid"), seconds=0.5)
        assert (outcome.status, outcome.reason) == (Status.TIMED_OUT, "not done after 0.5 s")
        assert 0.5 <= outcome.seconds < 3
        assert time.monotonic() - began < 6
        wait_until(lambda: is_gone(read_number(tmp_path / "pid")), "the worker has ended")

    def test_a_job_that_ignores_the_request_to_end_is_killed(self, engine: Engine) -> None:
        outcome = run(engine, jobs.ignore_term, seconds=0.3)
        assert outcome.status is Status.TIMED_OUT
        assert outcome.seconds < 10
        assert run(engine, jobs.give_back, 1).value == 1

    def test_a_job_that_takes_too_much_memory_is_ended(self, engine: Engine) -> None:
        outcome = run(engine, jobs.fill_memory, 2000, memory_mb=400)
        assert outcome.status is Status.OUT_OF_MEMORY
        assert outcome.reason.endswith("MB of 400 MB")
        assert 400 < outcome.peak_mb < 1500

    def test_memory_of_a_jobs_children_counts(self, engine: Engine) -> None:
        outcome = run(engine, jobs.fill_memory_of_a_child, 500, memory_mb=400)
        assert outcome.status is Status.OUT_OF_MEMORY

    def test_a_segmentation_fault_is_a_crash_that_names_its_signal(self, engine: Engine) -> None:
        outcome = run(engine, jobs.crash, 11)
        assert (outcome.status, outcome.reason) == (Status.CRASHED, "the worker was ended by SIGSEGV")
        assert run(engine, jobs.give_back, 1).value == 1

    @pytest.mark.parametrize("code", [0, 3])
    def test_a_worker_that_exits_without_a_result_is_a_crash(self, engine: Engine, code: int) -> None:
        outcome = run(engine, jobs.vanish, code)
        assert outcome.status is Status.CRASHED
        assert outcome.reason == f"the worker exited with code {code} and no result"

    def test_a_crash_is_seen_although_a_fork_of_the_job_holds_its_pipe(self, engine: Engine, tmp_path: Path) -> None:
        outcome = run(engine, jobs.crash_beside_a_fork, str(tmp_path / "pid"))
        assert (outcome.status, outcome.reason) == (Status.CRASHED, "the worker was ended by SIGSEGV")
        wait_until(lambda: is_gone(read_number(tmp_path / "pid")), "the fork has ended")

    @pytest.mark.parametrize(("then", "limit"), [("nap", 0.5), ("crash", 60)])
    def test_what_a_job_started_ends_with_it(self, engine: Engine, tmp_path: Path, then: str, limit: float) -> None:
        payload = {"path": str(tmp_path / "pid"), "then": then}
        assert run(engine, jobs.leave_child, payload, seconds=limit).status in {Status.TIMED_OUT, Status.CRASHED}
        wait_until(lambda: is_gone(read_number(tmp_path / "pid")), "the child has ended")

    def test_one_job_is_cancelled_and_the_other_goes_on(self, engine: Engine, tmp_path: Path) -> None:
        for name, seconds in (("a", 60.0), ("b", 0.8)):
            payload = {"path": str(tmp_path / name), "seconds": seconds}
            engine.submit(Job(id=name, function=jobs.note_and_nap, payload=payload))
        pids: dict[str, int] = {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(pids) < 2 and time.monotonic() < deadline:
            assert engine.wait(0.05) == []
            pids |= {path.name: read_number(path) for path in tmp_path.iterdir() if path.name in {"a", "b"}}
        engine.cancel({"a", "never heard of"})
        assert engine.free_slots() == 1
        outcomes: dict[str, Outcome] = {}
        while len(outcomes) < 2 and time.monotonic() < deadline:
            outcomes |= {outcome.id: outcome for outcome in engine.wait(1.0)}
        assert outcomes["a"].status is Status.CANCELLED
        assert (outcomes["b"].status, outcomes["b"].value) == (Status.OK, pids["b"])
        wait_until(lambda: is_gone(pids["a"]), "the cancelled worker has ended")

    def test_all_jobs_are_cancelled_at_once(self, engine: Engine) -> None:
        for name in ("a", "b"):
            engine.submit(Job(id=name, function=jobs.nap, payload=60.0))
        began = time.monotonic()
        engine.cancel()
        assert {outcome.id: outcome.status for outcome in engine.wait(5.0)} == dict.fromkeys("ab", Status.CANCELLED)
        assert time.monotonic() - began < 2
        assert engine.free_slots() == 2
        assert run(engine, jobs.give_back, 1).value == 1

    def test_a_worker_is_kept_for_the_next_job(self, engine: Engine) -> None:
        first = run(engine, jobs.tell_pid).value
        run(engine, jobs.fail, "as jobs do")
        assert run(engine, jobs.tell_pid).value == first

    def test_a_worker_that_died_idle_is_replaced(self, engine: Engine) -> None:
        pid = run(engine, jobs.tell_pid).value
        psutil.Process(pid).kill()
        wait_until(lambda: is_gone(pid), "it is dead")
        outcome = run(engine, jobs.tell_pid)
        assert outcome.status is Status.OK
        assert outcome.value != pid

    def test_an_outcome_says_which_slot_took_how_long_and_how_much(self, engine: Engine) -> None:
        work = [Job(id=name, function=jobs.nap, payload=0.6) for name in "ab"]
        slots = [engine.submit(job) for job in work]
        outcomes: dict[str, Outcome] = {}
        while len(outcomes) < 2:
            outcomes |= {outcome.id: outcome for outcome in engine.wait(5.0)}
        assert sorted(slots) == [0, 1]
        assert [outcomes[job.id].worker for job in work] == slots
        assert all(0.5 < outcome.seconds < 2.5 for outcome in outcomes.values())
        assert all(5 < outcome.peak_mb < 2000 for outcome in outcomes.values())

    def test_a_flood_of_messages_does_not_block_a_job(self, engine: Engine) -> None:
        assert run(engine, jobs.flood, 5, seconds=20).value == "done"

    def test_slots_are_counted_and_a_job_too_many_is_refused(self, engine: Engine) -> None:
        assert (engine.slots, engine.free_slots()) == (2, 2)
        engine.submit(Job(id="a", function=jobs.nap, payload=60.0))
        assert engine.free_slots() == 1
        engine.submit(Job(id="b", function=jobs.nap, payload=60.0))
        assert engine.free_slots() == 0
        with pytest.raises(EngineError, match="No worker is free for the job c"):
            engine.submit(Job(id="c", function=jobs.nap, payload=0.0))

    def test_many_jobs_on_few_slots_all_come_back_once(self, engine: Engine) -> None:
        work = [Job(id=str(number), function=jobs.give_back, payload=number) for number in range(60)]
        outcomes = run_all(engine, *work)
        assert {name: outcome.value for name, outcome in outcomes.items()} == {str(n): n for n in range(60)}
        assert engine.wait(0.0) == []

    def test_one_slot_does_jobs_in_the_order_they_were_given(self, jobs_are_importable: None) -> None:
        engine = self.make_engine(1)
        try:
            work = [Job(id=str(number), function=jobs.give_back, payload=number) for number in range(10)]
            assert list(run_all(engine, *work)) == [job.id for job in work]
        finally:
            engine.close()

    def test_waiting_for_nothing_returns_at_once(self, engine: Engine) -> None:
        began = time.monotonic()
        assert engine.wait(30.0) == []
        assert time.monotonic() - began < 1

    def test_waiting_ends_at_its_time_though_jobs_run(self, engine: Engine) -> None:
        engine.submit(Job(id="a", function=jobs.nap, payload=60.0))
        began = time.monotonic()
        assert engine.wait(0.3) == []
        assert 0.25 < time.monotonic() - began < 1.5

    def test_closing_leaves_no_process_behind(self, jobs_are_importable: None, tmp_path: Path) -> None:
        before = {process.pid for process in psutil.Process().children(recursive=True)}
        engine = self.make_engine(2)
        payload = {"path": str(tmp_path / "pid"), "then": "nap"}
        engine.submit(Job(id="a", function=jobs.leave_child, payload=payload))
        engine.submit(Job(id="b", function=jobs.nap, payload=60.0))
        while not (tmp_path / "pid").exists():
            engine.wait(0.05)
        started = {process.pid for process in psutil.Process().children(recursive=True)} - before
        assert read_number(tmp_path / "pid") in started
        engine.close()
        wait_until(lambda: all(is_gone(pid) for pid in started), f"{started} have ended")
        engine.close()
