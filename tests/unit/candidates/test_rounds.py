"""When boosting stops."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from automl.candidates import _rounds
from automl.candidates._rounds import Stopping, refit_rounds, split_stop_rows
from automl.task import TaskKind
from tests.conformance.candidates import CANDIDATES, make_context, make_problem

PROBLEM = make_problem(TaskKind.BINARY, CANDIDATES.get("xgboost").needs)


@dataclasses.dataclass
class Countdown:
    """So many seconds are left."""

    left: float

    def seconds_left(self) -> float:
        return self.left


def test_it_stops_when_nothing_improves_for_the_offset_and_a_quarter_of_the_best_round() -> None:
    stopping = Stopping(make_context(PROBLEM), offset=3)
    losses = [5.0, 4.0, 3.0, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5]
    stopped = [stopping.tell(loss) for loss in losses]
    assert stopped.index(True) == 8  # best is round 4: patience 3 + 1, so the fifth round without progress
    assert stopping.best_round == 4 and stopping.best_loss == 2.0


def test_without_stop_rows_every_round_is_the_best() -> None:
    stopping = Stopping(make_context(PROBLEM), offset=0)
    assert not any(stopping.tell(None) for _ in range(5))
    assert stopping.best_round == 5


def test_a_loss_that_is_not_a_number_is_never_the_best() -> None:
    stopping = Stopping(make_context(PROBLEM), offset=1)
    assert [stopping.tell(float("nan")) for _ in range(3)] == [False, True, True]
    assert stopping.best_round == 0


def test_a_passed_deadline_stops_after_one_round() -> None:
    stopping = Stopping(make_context(PROBLEM, deadline=time.monotonic() - 1), offset=100)
    assert stopping.tell(1.0) and stopping.out_of_time and stopping.best_round == 1


def test_what_comes_before_the_first_round_is_no_part_of_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(_rounds.time, "monotonic", lambda: now)
    stopping = Stopping(Countdown(50.0), offset=100)
    now += 5.0  # the data are made ready
    for _ in range(5):
        now += 0.5
        stopping.tell(None)
    assert stopping.seconds_per_round() == pytest.approx(0.5)
    assert stopping.rounds_left() == pytest.approx((0.97 * 50 - 7.5) / 0.5)


def test_stop_rows_are_kept_out_of_training() -> None:
    rows, stop = split_stop_rows(make_context(PROBLEM, stop_rows=np.array([1, 3])), 5)
    assert rows is not None and rows.tolist() == [0, 2, 4] and stop.tolist() == [1, 3]
    rows, stop = split_stop_rows(make_context(PROBLEM, stop_rows=np.zeros(0, dtype=np.int64)), 5)
    assert rows is None and len(stop) == 0


def test_a_refit_has_more_rounds_for_more_rows() -> None:
    assert refit_rounds(100, 1000, 200) == 125
