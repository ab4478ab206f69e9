"""The search itself, over an engine that says in which order jobs end."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.candidates import _rounds
from automl.clock import Clock
from automl.engines import Job, Outcome, Status
from automl.engines.machine.worker import run_job
from automl.errors import EngineError
from automl.events import Event
from automl.search.active import Active
from automl.search.data import open_data
from automl.search.proposals import MOST_IN_VAIN
from automl.search.queue import Queue
from automl.search.records import Records, read_results
from automl.search.search import Search
from automl.search.trial import run_fold
from tests.unit.search.runs import StoredRun, make_regression_table, store_run
from tests.unit.search.test_records import make_result


@dataclasses.dataclass
class LateEngine:
    """Two slots that run a job where it is submitted; what `late` names ends last."""

    late: frozenset[str]
    slots: int = 2
    done: list[Outcome] = dataclasses.field(default_factory=list)

    def free_slots(self) -> int:
        return self.slots - len(self.done)

    def submit(self, job: Job) -> int:
        status, value, reason, _ = run_job(job)
        self.done.append(Outcome(id=job.id, status=status, value=value, reason=reason, seconds=0.01))
        return 0

    def wait(self, seconds: float) -> list[Outcome]:
        first = min(self.done, key=lambda outcome: outcome.id in self.late)
        self.done.remove(first)
        return [first]

    def cancel(self, ids: set[str] | None = None) -> None:
        self.done = [
            dataclasses.replace(outcome, status=Status.CANCELLED) if ids is None or outcome.id in ids else outcome
            for outcome in self.done
        ]

    def warm(self, pool: str) -> None: ...
    def close(self) -> None: ...


@pytest.fixture
def crossed(tmp_path: Path) -> StoredRun:
    """1,500 rows whose class is the product's sign: no line tells it, trees do."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(1500, 2)), columns=["a", "b"])
    frame["y"] = np.where(frame.a * frame.b > 0, "yes", "no")
    recipe = {"budget": {"seconds": 60.0, "trials": None}, "search": {"tune": False}}
    return store_run(tmp_path / "run", frame, "y", **recipe)


def make_search(stored: StoredRun, seconds: float) -> Search:
    return Search(
        run=stored.run,
        data=stored.data,
        recipe=stored.recipe,
        engine=LateEngine(frozenset()),
        emit=lambda event: None,
        clock=Clock(time.monotonic(), seconds),
        on_bag=lambda: None,
        should_stop=lambda: "",
        memory_mb=4000.0,
    )


def test_a_configuration_is_given_up_once_a_better_one_has_come(crossed: StoredRun) -> None:
    engine, events = LateEngine(frozenset({"1-1", "1-2", "1-3", "1-4"})), list[Event]()
    search = Search(
        run=crossed.run,
        data=crossed.data,
        recipe=crossed.recipe,
        engine=engine,
        emit=events.append,
        clock=Clock(time.monotonic(), 60.0),
        on_bag=lambda: None,
        should_stop=lambda: "",
        memory_mb=4000.0,
    )
    linear, trees = crossed.spec(1, "linear"), crossed.spec(2, "xgboost")
    constant = dataclasses.replace(crossed.spec(0, "dummy"), origin="baseline", raced=False)
    search.proposals._waiting = Queue(
        [constant, linear, dataclasses.replace(trees, raced=False)], search.families, search.allotment
    )

    assert search.go() == "complete"

    results = {result.candidate: result for result in read_results(crossed.run.search)}
    assert results["xgboost"].status == "ok"
    assert results["linear"].status == "pruned"  # no worse than the constant when its first fold was judged
    assert results["linear"].reason.startswith("worse than the best on ")
    kept = {place.name for place in (crossed.run.search / "models").iterdir()}
    assert kept == {f"{trial}-{fold}" for trial in ("0000", "0002") for fold in range(5)}


@pytest.mark.parametrize(
    "reason",
    [
        f"OSError: [Errno 28] {os.strerror(errno.ENOSPC)}: 'model.skops'",
        "OSError: 67100 requested and 16352 written",  # by numpy.save
    ],
)
def test_a_full_disk_is_no_fault_of_the_configuration(crossed: StoredRun, reason: str) -> None:
    search = make_search(crossed, seconds=60.0)
    active = begin_with(search, crossed, 1)
    search.jobs["1-0"] = (active, 0)
    with pytest.raises(EngineError, match="The disk is full") as caught:
        search._take(Outcome(id="1-0", status=Status.FAILED, value=None, reason=reason, seconds=0.1))
    assert "automl resume" in caught.value.hint
    assert search.records.results == {}


def test_in_little_time_a_dear_configuration_lets_cheap_ones_go_first(crossed: StoredRun) -> None:
    def order(seconds: float) -> list[str]:
        search = make_search(crossed, seconds)
        dear = dataclasses.replace(crossed.spec(1, "random_forest"), reference_seconds=8.0)
        cheap = [dataclasses.replace(crossed.spec(at, "xgboost"), reference_seconds=0.1) for at in (2, 3)]
        waiting = Queue([dear, *cheap], search.families, search.allotment)
        taken = []
        while spec := waiting.take():
            taken.append(spec.candidate)
        return taken

    assert order(3600.0) == ["random_forest", "xgboost", "xgboost"]
    assert order(60.0) == ["xgboost", "xgboost", "random_forest"]


def queue_up(crossed: StoredRun, shares: dict[str, float], monkeypatch: pytest.MonkeyPatch, unknown: str = "") -> Queue:
    """Configurations that would take these shares of the time left, whatever was taken before."""
    search = make_search(crossed, seconds=60.0)
    monkeypatch.setattr(search.allotment, "share", lambda spec: shares[spec.label])
    specs = [
        dataclasses.replace(
            crossed.spec(at, "xgboost"), label=label, reference_seconds=None if label == unknown else 0.1
        )
        for at, label in enumerate(shares)
    ]
    return Queue(specs, search.families, search.allotment)


def test_what_would_take_most_of_the_time_comes_after_what_is_merely_dear(
    crossed: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {"heavy": 0.8, "dear": 0.3, "dear too": 0.2, "cheap": 0.1}
    waiting = queue_up(crossed, shares, monkeypatch)

    taken = [spec.label for _ in shares if (spec := waiting.take())]

    assert taken == ["cheap", "dear", "dear too", "heavy"]


def test_a_dear_configuration_is_not_overtaken_until_there_is_no_time_for_it(
    crossed: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {"dear": 0.65, "cheap": 0.05, "less cheap": 0.1}
    waiting = queue_up(crossed, shares, monkeypatch)

    taken = [spec.label for _ in shares if (spec := waiting.take())]

    assert taken == ["cheap", "dear", "less cheap"]  # after the second cheap one the dear one would be heavy


def test_in_very_little_time_what_was_learned_comes_before_what_nothing_is_known_of(
    crossed: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {"heavy": 1.1, "less heavy": 0.8, "unknown": 0.2}
    waiting = queue_up(crossed, shares, monkeypatch, unknown="unknown")

    taken = [spec.label for _ in shares if (spec := waiting.take())]

    assert taken == ["less heavy", "heavy", "unknown"]


def test_the_first_of_what_was_learned_is_begun_with_a_part_of_its_time_and_no_other(crossed: StoredRun) -> None:
    search = make_search(crossed, 60.0)
    search.allotment.note_slots(1)
    baseline = dataclasses.replace(crossed.spec(0, "linear"), origin="baseline")
    known = search.allotment.costs.expect("xgboost", 1.0)
    assert known is not None
    in_all = search.allotment.left() / known / len(crossed.split)  # takes a bag's time when a fold takes so long
    long, longer = (
        dataclasses.replace(crossed.spec(at, "xgboost"), label=label, reference_seconds=times * in_all)
        for at, label, times in ((1, "long", 3.9), (2, "longer", 3.95))
    )
    hopeless = dataclasses.replace(long, label="hopeless", reference_seconds=4.5 * in_all)
    other = crossed.spec(3, "naive_bayes")
    queue = Queue([baseline, hopeless, longer, long, other], search.families, search.allotment)

    taken = [spec.label for _ in range(5) if (spec := queue.take())]

    assert taken == [baseline.label, "long", other.label]


def test_the_users_own_configurations_come_before_a_part_of_what_was_learned(crossed: StoredRun) -> None:
    search = make_search(crossed, 60.0)
    search.allotment.note_slots(1)
    known = search.allotment.costs.expect("xgboost", 1.0)
    assert known is not None
    dear = 3.9 * search.allotment.left() / known / len(crossed.split)
    listed = dataclasses.replace(crossed.spec(1, "xgboost"), reference_seconds=dear)
    own = dataclasses.replace(crossed.spec(2, "naive_bayes"), raced=False)
    queue = Queue([own, listed], search.families, search.allotment)
    assert queue.take() == own


def test_a_family_of_no_list_is_not_thought_cheap_before_it_was_seen(crossed: StoredRun) -> None:
    allotment = make_search(crossed, seconds=60.0).allotment
    listed = dataclasses.replace(crossed.spec(1, "xgboost"), reference_seconds=0.1)
    assert 0.0 < allotment.share(listed) < 0.1
    assert allotment.share(dataclasses.replace(crossed.spec(2, "extra_trees"), reference_seconds=None)) >= 0.2
    assert allotment.share(dataclasses.replace(crossed.spec(3, "naive_bayes"), reference_seconds=None)) < 0.1


def test_the_time_left_is_shared_out_so_that_a_bag_ends_whole(crossed: StoredRun) -> None:
    search = make_search(crossed, 60.0)
    allotment, left = search.allotment, search.clock.search_left()
    allotment.note_slots(2)
    assert allotment.limits(4.0, folds_left=1)[0] == 4.0
    alone, _ = allotment.limits(1000.0, folds_left=2)
    third, hard = allotment.limits(1000.0, folds_left=6)  # three after each other on each of two workers
    assert alone is not None and third is not None
    assert alone == pytest.approx(left, abs=1.0)
    assert third == pytest.approx(left / 3, abs=1.0) and hard > third


@pytest.mark.parametrize(("seconds", "first"), [(3.0, "quick decision tree"), (60.0, "linear")])
def test_where_seconds_decide_the_quickest_model_is_fitted_first(
    crossed: StoredRun, seconds: float, first: str
) -> None:
    search = make_search(crossed, seconds)
    search._fit_constant()

    labels = [search._begin(spec).spec.label for _ in range(2) if (spec := search.proposals.take())]

    assert labels[0] == first
    assert "quick decision tree" not in labels[1:]  # once, while its folds are running


def test_where_the_user_leaves_trees_out_none_is_fitted_first(crossed: StoredRun) -> None:
    search = make_search(crossed, 3.0)
    del search.families.usable["decision_tree"]
    search._fit_constant()

    spec = search.proposals.take()

    assert spec is not None
    assert spec.label == "linear"


def test_the_other_folds_follow_what_the_first_one_tells(crossed: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rounds, "LEAST_LEADING_ROWS", 50)
    search = make_search(crossed, 60.0)
    active = search._begin(crossed.spec(7, "xgboost"))
    chief = search._make_job(active, 0)
    assert chief.payload["lead"] is None
    assert search._make_job(active, 1).payload["lead"] is None  # it is not known yet
    active.done[0] = run_fold(chief.payload)
    lead = active.done[0]["lead"]
    assert lead["rounds"] > 1 and 900 < lead["rows"] < 1200
    led = search._make_job(active, 1)
    assert led.payload["lead"] == lead
    assert run_fold(led.payload)["lead"] is None


@pytest.mark.parametrize(("begins_with_one", "follows"), [(True, True), (False, False)])
def test_limited_by_trials_a_fold_follows_only_one_that_always_comes_first(
    crossed: StoredRun, begins_with_one: bool, follows: bool
) -> None:
    """Else what it is told would hang on how many workers there are."""
    search = make_search(crossed, 60.0)
    search.recipe = crossed.recipe.override({"budget": {"seconds": None, "trials": 5}})
    active = search._begin(crossed.spec(8, "xgboost"))
    active.begins_with_one = begins_with_one
    active.done[0] = {"lead": {"rounds": 9, "rate": 0.1, "rows": 900}}
    assert (search._find_lead(active, 1) is not None) is follows


def begin_with(search: Search, crossed: StoredRun, number: int, *seconds: float) -> Active:
    """A configuration of five folds of which the first took so long."""
    active = search._begin(crossed.spec(number, "xgboost"))
    active.pending.clear()
    active.pending.extend(range(len(seconds), 5))
    known = {"score": 0.5, "predict_row_seconds": 1e-6, "size_bytes": 9}
    active.done.update({fold: {**known, "seconds": spent} for fold, spent in enumerate(seconds)})
    return active


def test_the_bag_that_is_over_soonest_gets_the_next_worker(crossed: StoredRun) -> None:
    search = make_search(crossed, 60.0)
    begin_with(search, crossed, 1)
    begin_with(search, crossed, 2, 6.0)
    begin_with(search, crossed, 3, 5.0, 5.0, 5.0)

    order = []
    while (found := search._next_job()) and found[0].spec.number in (1, 2, 3):
        order.append(found[0].spec.number)

    assert order == [3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 1]


def test_a_bag_whose_other_folds_would_be_cut_off_leaves_its_place(
    crossed: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold of a second beside one of twenty spoils the whole."""
    search = make_search(crossed, 60.0)
    search.allotment.note_slots(2)
    left = search.clock.search_left()
    fits, late = begin_with(search, crossed, 1, 0.9 * left / 2), begin_with(search, crossed, 2, 3.0 * left)
    assert not search.allotment.is_too_late(fits)
    assert search.allotment.is_too_late(late)
    monkeypatch.setattr(search.race, "score", lambda *_: 0.5)

    fits.pending.clear()
    search._next_job()
    assert late.pending  # without a model even that is worth having

    monkeypatch.setattr(Records, "has_model", True)
    search._next_job()
    assert late.pending  # nothing is better, so that even a part of its time is well spent

    monkeypatch.setattr(search.race, "is_ahead", lambda *_: False)
    search._next_job()
    result = search.records.results[2]
    assert (result.status, result.reason) == ("pruned", "no time is left for its other folds")


def test_what_was_begun_is_owed_its_time_before_anything_new(crossed: StoredRun) -> None:
    search = make_search(crossed, 60.0)
    allotment = search.allotment
    allotment.note_slots(2)
    left = search.clock.search_left()
    assert allotment.fits("xgboost", "tpe", reference_seconds=None)
    search.families.note_fold("xgboost", 0.3 * left)  # three rounds of it do just fit
    assert allotment.fits("xgboost", "tpe", reference_seconds=None)

    allotment.owed_seconds = allotment.owes(begin_with(search, crossed, 1, 0.1 * left))

    assert allotment.owed_seconds == pytest.approx(0.4 * left, rel=0.05)
    assert not allotment.fits("xgboost", "tpe", reference_seconds=None)


def test_beside_the_list_steps_are_made_from_the_best_of_a_quick_family(crossed: StoredRun) -> None:
    """They have a quarter of the time, and dear families none."""
    stored = dataclasses.replace(crossed, recipe=crossed.recipe.override({"search": {"tune": True}}))
    search = make_search(stored, 60.0)
    best = search.families["xgboost"].space.defaults()
    facts = {"candidate": "xgboost", "params": best, "status": "ok", "score": 0.9}
    search.families.note_fold("xgboost", 0.01)
    search.families.note_result(make_result(1, origin="portfolio", seconds=30.0, **facts), static=False)
    assert search.proposals.take().origin == "baseline"  # type: ignore[union-attr]  # nothing of the list was begun
    search.proposals._waiting.has_begun = True

    spec = search.proposals.take()
    assert spec is not None
    assert (spec.candidate, spec.origin) == ("xgboost", "tpe")
    ratio = np.log(spec.params["model.learning_rate"] / best["model.learning_rate"]) / np.log(0.3 / 5e-3)
    assert 0 < abs(ratio) < 0.6

    search.families.note_result(make_result(2, origin="tpe", seconds=11.0, **facts), static=False)
    assert search.proposals.take().origin != "tpe"  # type: ignore[union-attr]

    search.families.note_result(make_result(3, origin="portfolio", seconds=90.0, **facts), static=False)
    for _ in range(5):
        search.families.note_fold("xgboost", 3.0)
    assert search.proposals.take().origin != "tpe"  # type: ignore[union-attr]


def test_no_more_steps_are_made_where_the_last_ones_found_nothing(crossed: StoredRun) -> None:
    stored = dataclasses.replace(crossed, recipe=crossed.recipe.override({"search": {"tune": True}}))
    search = make_search(stored, 60.0)
    search.proposals._waiting.has_begun = True
    facts = {"candidate": "xgboost", "params": search.families["xgboost"].space.defaults(), "status": "ok"}
    search.families.note_fold("xgboost", 0.01)
    search.families.note_result(make_result(1, origin="portfolio", seconds=60.0, score=0.9, **facts), static=False)
    for trial in range(MOST_IN_VAIN - 1):
        search.families.note_result(make_result(trial, seconds=0.01, score=0.8, **facts), static=False)
    assert search.proposals.take().origin == "tpe"  # type: ignore[union-attr]
    search.families.note_result(make_result(2, seconds=0.01, score=0.8, **facts), static=False)
    assert search.proposals.take().origin != "tpe"  # type: ignore[union-attr]
    search.families.note_result(make_result(3, seconds=0.01, score=0.95, **facts), static=False)
    assert search.proposals.take().origin == "tpe"  # type: ignore[union-attr]


def test_a_pool_that_is_slow_to_start_is_not_started_before_its_turn_is_near(
    crossed: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {"first": 0.3, "second": 0.3, "third": 0.3}
    waiting = queue_up(crossed, shares, monkeypatch)

    assert [spec.label for spec in waiting.within(0.1)] == ["first"]
    assert [spec.label for spec in waiting.within(0.5)] == ["first", "second"]
    assert [spec.label for spec in waiting.within(1.0)] == ["first", "second", "third"]


def test_a_configuration_that_time_cuts_off_before_its_folds_have_a_score_is_a_record(
    crossed: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folds of one class have no ROC AUC."""
    search = make_search(crossed, seconds=60.0)
    monkeypatch.setattr(search.race, "score", lambda trial, folds: float("nan"))
    search._finish(begin_with(search, crossed, 1, 2.0), "pruned", "no time is left for its other folds")
    (result,) = read_results(crossed.run.search)
    assert (result.status, result.score) == ("pruned", None)


def test_when_all_that_waits_is_of_families_that_are_out_there_is_nothing_to_take(crossed: StoredRun) -> None:
    search = make_search(crossed, seconds=60.0)
    listed = dataclasses.replace(crossed.spec(1, "xgboost"), reference_seconds=0.1)
    search.families["xgboost"].failures = 2
    waiting = Queue([listed], search.families, search.allotment)
    assert [waiting.take(), waiting.take()] == [None, None]


def test_what_an_earlier_session_began_of_the_list_counts_as_begun(crossed: StoredRun) -> None:
    search = make_search(crossed, seconds=60.0)
    one, other = (dataclasses.replace(crossed.spec(at, "xgboost"), reference_seconds=0.1) for at in (1, 2))
    assert not Queue([one], search.families, search.allotment).has_begun
    assert Queue([one], search.families, search.allotment, [other]).has_begun


def test_matrices_that_a_fit_on_all_rows_reads_are_kept(crossed: StoredRun) -> None:
    forgotten: list[str] = []
    search = make_search(crossed, seconds=60.0)
    search.engine.forget = lambda path, pattern: forgotten.append(pattern)  # type: ignore[attr-defined]
    tuned = [
        dataclasses.replace(crossed.spec(at, "linear", preprocess__scale="robust"), origin="tpe") for at in (1, 2, 3)
    ]
    search.refits.running["1-5"] = tuned[0]
    for spec in tuned[1:]:
        active = search._begin(spec)
        search._finish(active, "pruned", "no time is left for its other folds", 0.5)
        search.refits.running.clear()
    assert len(forgotten) == 1


def test_arrays_are_opened_anew_where_another_run_took_the_place_of_one(tmp_path: Path) -> None:
    def store(rows: int) -> int:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        stored = store_run(tmp_path / "run", make_regression_table(rows), "price", split={"folds": 2, "repeats": 1})
        return len(open_data(str(stored.run.path)).target)

    assert [store(60), store(90)] == [60, 90]
