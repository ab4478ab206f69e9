"""As many rows as the time allows, and all of them where it does not matter."""

from __future__ import annotations

import time

import numpy as np

from automl.candidates._time import fit_in_time, limit_threads
from automl.matrix import IntArray
from automl.task import TaskKind
from tests.conformance.candidates import CANDIDATES, make_context, make_problem

PROBLEM = make_problem(TaskKind.MULTICLASS, CANDIDATES.get("linear").needs, rows=10_000)


class Clock:
    """A fit that takes so many seconds a row and remembers the rows it was given."""

    def __init__(self, seconds_per_row: float) -> None:
        self.seconds_per_row = seconds_per_row
        self.calls: list[IntArray | None] = []

    def __call__(self, rows: IntArray | None) -> None:
        self.calls.append(rows)
        time.sleep(self.seconds_per_row * (10_000 if rows is None else len(rows)))


def test_without_a_deadline_all_rows_are_used_at_once() -> None:
    fit = Clock(0.0)
    fit_in_time(fit, make_context(PROBLEM), PROBLEM.target)
    assert fit.calls == [None]


def test_a_long_deadline_ends_with_all_rows() -> None:
    fit = Clock(1e-5)
    fit_in_time(fit, make_context(PROBLEM, deadline=time.monotonic() + 60), PROBLEM.target)
    assert len(fit.calls) == 2 and fit.calls[1] is None


def test_a_short_deadline_ends_with_a_sample_that_fits_into_it() -> None:
    fit = Clock(1e-4)  # all rows would take a second
    started = time.monotonic()
    fit_in_time(fit, make_context(PROBLEM, deadline=started + 0.6), PROBLEM.target)
    assert len(fit.calls) == 2 and fit.calls[1] is not None
    assert 1300 <= len(fit.calls[1]) <= 3600  # 0.7 * 0.5 s / 1e-4 s, less if the machine is busy


def test_a_passed_deadline_ends_with_the_first_sample_which_has_every_class() -> None:
    target = np.zeros(10_000, dtype=np.int64)
    target[[17, 5000, 9999]] = [1, 2, 3]
    fit = Clock(0.0)
    fit_in_time(fit, make_context(PROBLEM, deadline=time.monotonic() - 1), target)
    (rows,) = fit.calls
    assert rows is not None and len(rows) == 1000
    assert set(target[rows]) == {0, 1, 2, 3}
    assert (np.diff(rows) > 0).all()


def test_more_rows_than_allowed_are_never_used() -> None:
    fit = Clock(0.0)
    fit_in_time(fit, make_context(PROBLEM), PROBLEM.target, most=2500)
    (rows,) = fit.calls
    assert rows is not None and len(rows) == 2500


def test_threads_are_limited_inside_the_block() -> None:
    import sklearn.ensemble  # noqa: F401 - brings the OpenMP runtime
    from threadpoolctl import threadpool_info

    with limit_threads(1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
