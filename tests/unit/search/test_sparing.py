"""A costly step takes its share of the time and no more, and what was wanted is done in the end."""

from __future__ import annotations

import time

from automl.search.sparing import Sparing, rest_for


def test_steps_wanted_thick_and_fast_leave_most_of_the_time() -> None:
    done: list[float] = []

    def work() -> None:
        time.sleep(0.02)
        done.append(time.monotonic())

    step = Sparing(work, rest=4.0)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        step()
        time.sleep(0.001)
    assert 3 <= len(done) <= 6  # each 20 ms of work and 80 ms of rest
    assert step.is_stale
    before = len(done)
    step.catch_up(at_once=True)
    assert len(done) == before + 1
    step.catch_up(at_once=True)
    assert len(done) == before + 1


def test_what_is_wanted_is_done_when_there_is_leisure() -> None:
    done: list[int] = []
    step = Sparing(lambda: done.append(1), rest=0.0)
    assert not step.catch_up()
    step.want()
    assert done == []
    assert step.catch_up()
    assert not step.catch_up()
    assert done == [1]


def test_a_step_that_costs_nothing_is_done_each_time() -> None:
    done: list[int] = []
    step = Sparing(lambda: done.append(1), rest=0.0)
    for _ in range(5):
        step()
    assert len(done) == 5


def test_a_step_that_many_wait_for_takes_less_of_the_time() -> None:
    assert [rest_for(slots) for slots in (1, 2, 32, 64)] == [8.0, 8.0, 8.0, 16.0]
