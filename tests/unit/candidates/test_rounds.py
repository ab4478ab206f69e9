"""When boosting stops."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import pytest

from automl.candidates import Lead, _rounds
from automl.candidates._keras import Fitting
from automl.candidates._rounds import (
    MAX_RATE,
    Stopping,
    affordable_rate,
    led_rounds,
    make_lead,
    refit_rounds,
    split_stop_rows,
)
from automl.task import TaskKind
from tests.conformance.candidates import CANDIDATES, check_predictions, make_context, make_problem

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


def test_many_stop_rows_lead_the_fits_of_other_folds_and_few_or_a_cut_one_do_not() -> None:
    stopping = Stopping(make_context(PROBLEM), offset=10)
    for loss in (3.0, 2.0, 1.0, 1.5):
        stopping.tell(loss)
    lead = make_lead(stopping, rows=1_000, stop=1_000, rate=0.1, whole=True)
    assert lead == Lead(rounds=3, rate=0.1, rows=1_000)
    assert led_rounds(lead, 1_400) == 4
    assert make_lead(stopping, rows=1_000, stop=20, rate=0.1, whole=True) is None
    assert make_lead(stopping, rows=1_000, stop=1_000, rate=0.1, whole=False) is None
    late = Stopping(make_context(PROBLEM, deadline=time.monotonic() - 1), offset=10)
    late.tell(1.0)
    assert make_lead(late, rows=1_000, stop=1_000, rate=0.1, whole=True) is None


def test_a_slow_rate_is_raised_where_too_few_rounds_may_be_made() -> None:
    assert affordable_rate(0.05, float("inf")) == 0.05
    assert affordable_rate(0.02, 240) == pytest.approx(0.05)  # 12 steps in all
    assert affordable_rate(0.02, 1) == MAX_RATE


@pytest.mark.parametrize("name", ["xgboost", "hist_gradient_boosting"])
@pytest.mark.parametrize("kind", list(TaskKind))
def test_a_led_fit_learns_from_all_rows_as_long_as_its_leader(
    name: str, kind: TaskKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rounds, "LEAST_LEADING_ROWS", 300)
    candidate = CANDIDATES.get(name)
    problem = make_problem(kind, candidate.needs, rows=2_000)
    params = candidate.space(problem.task, problem.shape).complete({"learning_rate": 0.2})
    leader: Any = candidate.build(params, make_context(problem))
    leader.fit(problem.matrix, problem.target, None)
    assert leader.lead is not None and leader.lead.rows == 1_600

    none = np.zeros(0, dtype=np.int64)
    led: Any = candidate.build(params, make_context(problem, stop_rows=none, lead=leader.lead))
    led.fit(problem.matrix, problem.target, None)

    trees = problem.task.n_classes if kind is TaskKind.MULTICLASS else 1
    made = led.booster.num_boosted_rounds() if name == "xgboost" else led.trees.count // trees
    assert made == led_rounds(leader.lead, 2_000) > 0
    assert led.lead is None
    check_predictions(led.predict(problem.matrix), problem, 2_000)


@pytest.mark.parametrize("kind", [TaskKind.BINARY, TaskKind.REGRESSION])
def test_a_led_net_learns_for_as_many_epochs_from_all_rows(kind: TaskKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rounds, "LEAST_LEADING_ROWS", 300)
    candidate = CANDIDATES.get("keras_mlp")
    problem = make_problem(kind, candidate.needs, rows=2_000)
    params = candidate.space(problem.task, problem.shape).complete({"epochs": 6, "learning_rate": 0.05})
    leader: Any = candidate.build(params, make_context(problem))
    leader.fit(problem.matrix, problem.target, None)
    assert leader.lead is not None and 1 <= leader.lead.rounds <= 6 and leader.lead.rows == 1_600

    fits: list[Fitting] = []
    begin = Fitting.__init__
    monkeypatch.setattr(Fitting, "__init__", lambda self, *a, **k: [begin(self, *a, **k), fits.append(self)][0])
    none = np.zeros(0, dtype=np.int64)
    lead = dataclasses.replace(leader.lead, rounds=2)
    led: Any = candidate.build(params, make_context(problem, stop_rows=none, lead=lead))
    led.fit(problem.matrix, problem.target, None)

    assert [fit.epochs_done for fit in fits] == [2]
    assert led.lead is None
    check_predictions(led.predict(problem.matrix), problem, 2_000)


def test_a_net_that_the_time_cut_short_leads_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rounds, "LEAST_LEADING_ROWS", 300)
    candidate = CANDIDATES.get("keras_mlp")
    problem = make_problem(TaskKind.BINARY, candidate.needs, rows=2_000)
    params = candidate.space(problem.task, problem.shape).complete({"epochs": 200})
    cut: Any = candidate.build(params, make_context(problem, deadline=time.monotonic() + 4.0))
    cut.fit(problem.matrix, problem.target, None)
    assert cut.lead is None
