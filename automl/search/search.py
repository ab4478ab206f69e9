"""The search itself: which job runs next, what its outcome means, when to end.

Limited by time, workers are fed as soon as they are free. Limited by trials, configurations are asked in batches of 8
and told in order, so that every decision follows from the seed, whatever the number of workers.
"""

from __future__ import annotations

import dataclasses
import errno
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from automl.clock import Clock
from automl.engines import Engine, Job, Limits, Outcome, Status
from automl.engines.machine.worker import run_job
from automl.events import Decision, Event, JobFinished, JobStarted, TrialFinished
from automl.files import environment_error, tells_full_disk
from automl.matrix import FloatArray
from automl.recipe import Recipe
from automl.run import Run
from automl.search.active import Active
from automl.search.allotment import Allotment
from automl.search.batches import end_of_batch, find_late
from automl.search.cost import CostModel
from automl.search.data import SearchData, remove_folds
from automl.search.families import Families
from automl.search.jobs import make_fold_job
from automl.search.oof import Oofs
from automl.search.plans import Plans
from automl.search.proposals import Proposals
from automl.search.racing import Race, Verdict
from automl.search.records import CONSTANT, Records
from automl.search.recovery import take_up, tell_again, tell_damage
from automl.search.refits import Refits
from automl.search.sparing import Sparing, rest_for
from automl.search.study import Study
from automl.search.trial import TrialSpec
from automl.search.whole import LATE_FIT_SECONDS, ORIGIN, AllRows

LOOK_SECONDS = 0.25
MAX_ATTEMPTS = 2
# How long after the time is up the baselines may still run if there is no model at all.
LATE_SECONDS = 2.0
# Larger tables keep this process from its workers for too long, and so do pictures.
MAX_CELLS_HERE = 2_000_000
# Below this a pool that takes seconds to start is started only when its first job comes, if ever.
EARLY_WARM_SECONDS = 25.0
# Such a pool is started when so much other work is left before its turn.
WARM_SECONDS = 10.0

OnBag = Callable[[], FloatArray | None]


class Search:
    """One search over one run folder.

    Args:
        emit: takes events.
        on_bag: called after each complete configuration (or batch of them); returns the ensemble's out-of-fold
            outputs (n, k) over all rows, or None.
        should_stop: asked often; a non-empty answer ends the search and is returned.
    """

    def __init__(
        self,
        *,
        run: Run,
        data: SearchData,
        recipe: Recipe,
        engine: Engine,
        emit: Callable[[Event], None],
        clock: Clock,
        on_bag: OnBag,
        should_stop: Callable[[], str],
        memory_mb: float,
        all_rows: AllRows | None = None,
    ) -> None:
        self.run, self.data, self.recipe, self.engine = run, data, recipe, engine
        self.emit, self.clock, self.on_bag, self.should_stop = emit, clock, on_bag, should_stop
        self.memory_mb, self.all_rows = memory_mb, all_rows
        self.records = Records(run.search)
        self.oofs = Oofs(run, data)
        self.race = Race(run, data, self.oofs, wanted=recipe.search.racing)
        self.families = Families(recipe, data.task, data.table)
        self.costs = CostModel.of(self.families, data)
        self.allotment = Allotment(
            clock,
            self.families,
            self.costs,
            folds=len(data.folds),
            slots=engine.slots,
            own_seconds=recipe.search.trial_seconds,
            by_trials=self.by_trials,
        )
        seconds = None if self.by_trials else recipe.budget.seconds
        self.refits = Refits(
            run, data, recipe, self.families, self.records, emit=emit, memory_mb=memory_mb, seconds=seconds
        )
        self.study = Study(run.search / "journal.log", maximize=data.task.maximize, seed=recipe.seed)
        self.blend: FloatArray | None = None
        self._update_blend = Sparing(self._make_blend, rest=rest_for(engine.slots))
        self.active: dict[int, Active] = {}
        self.jobs: dict[str, tuple[Active, int]] = {}
        self.plans = Plans(self.families, self.records.specs.values())
        self._late = find_late(self.records) if self.by_trials else set()
        self._recover()
        self.proposals = Proposals(
            recipe=recipe,
            kind=data.task.kind,
            families=self.families,
            records=self.records,
            study=self.study,
            allotment=self.allotment,
            clock=clock,
        )

    @property
    def by_trials(self) -> bool:
        return self.recipe.budget.trials is not None

    # ---- the two ways to go -------------------------------------------------------------------------------------

    def go(self) -> str:
        """Search until the budget is used; returns why it ended: "complete", or what `should_stop` said."""
        self._warm_pools()
        try:
            if not self.by_trials:
                self._fit_constant()
            return self._go_by_trials() if self.by_trials else self._go_by_time()
        finally:
            try:
                self.engine.cancel()
            finally:
                self.records.sync()

    def _warm_pools(self) -> None:
        """Have slow pools import while quick models are fitted, so that no worker waits for it, but not where their
        turn may never come."""
        left = self.clock.search_left()
        if self.by_trials or left > EARLY_WARM_SECONDS:
            for spec in self.proposals.soon(1.0 if self.by_trials else WARM_SECONDS / left):
                self.engine.warm(self.families[spec.candidate].candidate.pool)
                self.allotment.note_warm(self.families[spec.candidate].candidate.pool)

    def _fit_constant(self) -> None:
        """Fit the constant model in this process: workers take seconds to start, and there shall be a model by then."""
        table = self.data.table
        is_small = not table.layout.pictures and table.shape(self.data.task).cells <= MAX_CELLS_HERE
        spec = self.proposals.take_constant() if is_small else None
        if spec is None:
            return
        active = self._begin(spec)
        while active.pending and not active.ended:
            fold = active.pending.popleft()
            job = self._make_job(active, fold)
            began = time.monotonic()
            status, value, reason, trace = run_job(job)
            seconds = time.monotonic() - began
            self.emit(JobStarted(trial=active.spec.number, fold=fold, candidate=CONSTANT, worker=0))
            self._take(Outcome(id=job.id, status=status, value=value, reason=reason, traceback=trace, seconds=seconds))
        self.records.sync()

    def _go_by_time(self) -> str:
        reason = self._feed_workers()
        if reason == "complete" and self.all_rows is not None:
            reason = self._fit_all_rows(self.all_rows)
        self._update_blend.catch_up(at_once=True)
        return reason

    def _fit_all_rows(self, rows: AllRows) -> str:
        """The best configuration once more, on all rows and all cores; it ends what is still running."""
        spec = rows.choose(self.records.results, self.families, maximize=self.data.task.maximize)
        if spec is None:
            return "complete"
        self.engine.cancel()
        self._take_all(self.engine.wait(0.0))
        self.active.clear()
        rows.meet(self.engine, self.families[spec.candidate].candidate)
        self.engine, self.clock = self.engine.at_home(), self.clock.release(LATE_FIT_SECONDS)
        while True:
            active = self._begin(dataclasses.replace(spec, number=self.records.next_number()))
            self.emit(rows.describe(spec.label))
            reason = self._run_all(iter([(active, active.pending.popleft())]))
            if reason or not rows.falls_back(self.records.results):
                return reason or "complete"

    def _make_blend(self) -> None:
        self.blend = self.on_bag()

    def _feed_workers(self) -> str:
        while True:
            reason = self._reason_to_end()
            if reason:
                return reason
            self.allotment.note_slots(self.engine.slots)
            self.allotment.kept_seconds = self.refits.expected_seconds(self.engine.slots)
            self._warm_pools()
            while self.engine.free_slots() > 0:
                if found := self._next_job():
                    self._submit(*found)
                elif not self.refits.begin(self.engine, left=self.clock.search_left()):
                    break
            if self._update_blend.catch_up():  # while the workers work
                self._judge_again()
            if not (self.jobs or self.refits.running):
                return "complete"
            self._take_all(self.engine.wait(LOOK_SECONDS))

    def _reason_to_end(self) -> str:
        if stop := self.should_stop():
            return stop
        if self.clock.search_left() > 0:
            return ""
        # if reading took all the time, the baselines may use what is kept for the rest: better a late model than none
        return "" if not self.records.has_model and self.clock.left() > -LATE_SECONDS else "complete"

    def _next_job(self) -> tuple[Active, int] | None:
        while waiting := [active for active in self.active.values() if active.pending]:
            active = min(
                waiting, key=Active.seconds_to_begin
            )  # what is over soonest, so that it is not too late for all
            if not self._is_lost(active):
                return active, active.pending.popleft()
            self._finish(active, "pruned", "no time is left for its other folds")
        self.allotment.owed_seconds = sum(map(self.allotment.owes, self.active.values()))
        spec = self.proposals.take()
        if spec is None:
            return None
        active = self._begin(spec)
        return active, active.pending.popleft()

    def _is_lost(self, active: Active) -> bool:
        """Whether too little time is left for its other folds, and it is not better than all else even so."""
        if not (self.records.has_model and self.allotment.is_too_late(active)):
            return False
        return not self.race.is_ahead(active.spec.number, active.done)

    def _go_by_trials(self) -> str:
        wanted = self.recipe.budget.trials or 0
        while True:
            batch = self._next_batch(wanted)
            if not batch:
                self._close_batch(batch)
                ended = self.refits.finish(self.engine, self._reason_to_end, self.clock.search_left)
                return ended or "complete"
            for stage in (self._first_folds, self._other_folds):
                reason = self._run_all(stage(batch))
                if reason:
                    self._close_batch(batch)  # what is complete is worth having
                    return reason
            self._close_batch(batch)

    def _close_batch(self, batch: list[Active]) -> None:
        for trial in sorted(self._late):
            self.oofs.read(trial)
        closed = [self._close(active) for active in batch]
        self.records.sync()
        if any(closed) or self._late:
            self.blend = self.on_bag()
        self._late.clear()

    def _next_batch(self, wanted: int) -> list[Active]:
        """The rest of a batch that a kill cut short, or the next one."""
        batch = list(self.active.values())
        # a resumed run asks with the same knowledge as an unbroken one
        end = min(wanted, end_of_batch(len(self.records.specs) + (0 if batch else 1)))
        while len(self.records.specs) < end and (spec := self.proposals.take()):
            batch.append(self._begin(spec))
        return batch

    def _first_folds(self, batch: list[Active]) -> Iterator[tuple[Active, int]]:
        for active in batch:
            while active.pending and not active.ended:
                yield active, active.pending.popleft()

    def _other_folds(self, batch: list[Active]) -> Iterator[tuple[Active, int]]:
        for active in batch:
            if active.waits_for_verdict and not active.ended:
                self._judge(active)
        yield from self._first_folds(batch)

    def _run_all(self, work: Iterator[tuple[Active, int]]) -> str:
        waiting: tuple[Active, int] | None = next(work, None)
        while waiting or self.jobs:
            if stop := self._reason_to_end():
                return stop
            while waiting and self.engine.free_slots() > 0:
                if not waiting[0].ended:
                    self._submit(*waiting)
                waiting = next(work, None)
            self._take_all(self.engine.wait(LOOK_SECONDS))
        return ""

    # ---- configurations -------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Take up a search that a kill cut short."""
        for event in tell_damage(self.study, self.records):
            self.emit(event)
        for event in take_up(self.run.path, self.records, self.oofs, folds=len(self.data.folds), besides=self._late):
            self.emit(event)
        tell_again(self.records, self.study, self.families, static=self.by_trials, costs=self.costs)
        for spec in self.records.unfinished():
            if spec.origin == ORIGIN:  # what is best now, not then, is fitted on all rows at the end
                self._finish(Active(spec, deque()), "orphaned", "it was running when the run was killed")
            elif self.records.attempts[spec.number] >= MAX_ATTEMPTS or spec.candidate not in self.families.usable:
                self._finish(Active(spec, deque()), "orphaned", "it was running each time the run was killed")
            else:
                self._begin(spec, attempt=self.records.attempts[spec.number] + 1)

    def _begin(self, spec: TrialSpec, attempt: int = 1) -> Active:
        self.records.add_spec(spec)
        folds = range(len(self.data.folds))
        raced = spec.raced and self.race.is_worth(spec) and self.oofs.best is not None
        active = Active(
            spec,
            deque([self.data.chief_fold] if raced else folds),
            attempt=attempt,
            started=self.clock.elapsed(),
            fold_limit=self.allotment.fold_seconds(spec),
            waits_for_verdict=raced,
            begins_with_one=raced,
        )
        self.active[spec.number] = active
        return active

    # ---- jobs ----------------------------------------------------------------------------------------------------

    def _submit(self, active: Active, fold: int) -> None:
        spec = active.spec
        worker = self.engine.submit(self._make_job(active, fold))
        self.emit(JobStarted(trial=spec.number, fold=fold, candidate=spec.candidate, worker=worker))

    def _make_job(self, active: Active, fold: int) -> Job:
        """The job of a fold, noted as running."""
        spec = active.spec
        soft, hard = self.allotment.limits(active.fold_limit, len(self.data.folds) - len(active.done))
        job = make_fold_job(
            self.run.path,
            spec,
            fold,
            pool=self.families[spec.candidate].candidate.pool,
            seed=self.recipe.seed,
            seconds=soft,
            limits=Limits(seconds=hard, memory_mb=self.memory_mb),
            lead=self._find_lead(active, fold),
        )
        if self.all_rows is not None and spec.origin == ORIGIN:
            job = self.all_rows.make_job(job, self.recipe, self.engine, self.clock)
        active.running.add(fold)
        self.jobs[job.id] = (active, fold)
        return job

    def _find_lead(self, active: Active, fold: int) -> dict[str, Any] | None:
        """What the first fold tells this one. Limited by trials, only if it always comes first: else what a fold is
        told would hang on how many workers there are. Folds of later and later rows differ too much."""
        chief = self.data.chief_fold
        if fold == chief or self.data.times is not None or (self.by_trials and not active.begins_with_one):
            return None
        lead: dict[str, Any] | None = active.done.get(chief, {}).get("lead")
        return lead

    def _take_all(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._take(outcome)
        self.records.sync()

    def _take(self, outcome: Outcome) -> None:
        if self.refits.take(outcome):
            return
        active, fold = self.jobs.pop(outcome.id)
        spec = active.spec
        active.running.discard(fold)
        active.peak_mb = max(active.peak_mb, outcome.peak_mb)
        ok = outcome.status is Status.OK
        score = outcome.value["score"] if ok else None
        self.emit(
            JobFinished(
                trial=spec.number, fold=fold, candidate=spec.candidate, worker=outcome.worker,
                status=str(outcome.status), seconds=outcome.seconds, score=score, peak_mb=outcome.peak_mb,
            )
        )  # fmt: skip
        if active.ended or outcome.status is Status.CANCELLED:
            return
        if not ok:
            self._fail(active, outcome)
            return
        seconds = max(outcome.seconds, outcome.value["seconds"])  # what was done before a kill is only read again
        active.done[fold] = {**outcome.value, "seconds": seconds}
        if spec.origin == ORIGIN:
            self.emit(Decision(topic="rows", text=f"{spec.label} has learned from {outcome.value['rows']:,} rows"))
        else:
            self.families.note_fold(spec.candidate, seconds)
        self.costs.note(spec.candidate, spec.reference_seconds, seconds)
        if self.by_trials:
            return
        if active.waits_for_verdict:
            self._judge(active)
        elif (active.pending or active.running) and spec.raced and self.race.is_told_by(spec, active.done):
            self._give_up_unless(self.race.judge(spec.number, self.blend, active.done), active)
        if not active.ended and not active.pending and not active.running and self._close(active):
            self._update_blend.want()
            self._judge_again()

    def _fail(self, active: Active, outcome: Outcome) -> None:
        kind, _, rest = outcome.reason.partition(": ")
        status = str(outcome.status)
        reason = outcome.reason
        if outcome.status is Status.FAILED and kind == "NonFiniteError":
            status, reason = "non_finite", rest
        if outcome.status is Status.FAILED and tells_full_disk(reason):  # no fault of the configuration
            raise environment_error(OSError(errno.ENOSPC, ""), self.run.path)
        if outcome.status is Status.FAILED and outcome.traceback:
            with (self.run.log / "failures.txt").open("a", encoding="utf-8") as file:
                file.write(f"trial {active.spec.number} ({active.spec.label})\n{outcome.traceback}\n")
        self._finish(active, status, reason)

    def _judge(self, active: Active) -> None:
        """The first fold is there: go on, or give up."""
        active.waits_for_verdict = False
        chief = self.data.chief_fold
        if chief not in active.done:
            return
        verdict = self.race.judge(active.spec.number, self.blend)
        if verdict.promote:
            active.pending.extend(fold for fold in range(len(self.data.folds)) if fold != chief)
        self._give_up_unless(verdict, active)

    def _give_up_unless(self, verdict: Verdict, active: Active) -> None:
        if not verdict.promote:
            self._finish(active, "pruned", verdict.reason)

    def _judge_again(self) -> None:
        """A better model is there than when the others' first folds were judged: are they still worth their rest?"""
        if not self.race.has_moved(self.blend):
            return
        for active in list(self.active.values()):
            waits = active.waits_for_verdict or self.data.chief_fold not in active.done
            if not waits and active.spec.raced and self.race.is_worth(active.spec):
                self._give_up_unless(self.race.judge(active.spec.number, self.blend), active)

    def _close(self, active: Active) -> bool:
        """All its folds are there: record it. Returns whether a complete configuration was added."""
        if active.ended or len(active.done) < len(self.data.folds):
            return False
        score = self.oofs.add(active.spec.number)
        if not np.isfinite(score):
            self._finish(active, "non_finite", f"the score is {score}")
            return False
        self._finish(active, "ok", "", score)
        return True

    def _finish(self, active: Active, status: str, reason: str, score: float | None = None) -> None:
        spec = active.spec
        if score is None and status == "pruned":
            likely = self.race.score(active.spec.number, active.done)
            score = likely if np.isfinite(likely) else None  # folds of one class have none
        result = active.end(status, reason, score, finished=self.clock.elapsed())
        if active.running:
            self.engine.cancel({f"{spec.number}-{fold}" for fold in active.running})
        self.records.add_result(result)
        self.active.pop(spec.number, None)
        if spec.candidate in self.families.usable:
            self.families.note_result(result, static=self.by_trials)
            told = score if status in ("ok", "pruned") else None
            self.study.tell(
                spec.number, told, family=spec.candidate, params=spec.params, space=self.families[spec.candidate].space
            )
            running = (job for job, _ in self.jobs.values())
            in_use = [other.spec for other in (*self.active.values(), *running) if other is not active]
            in_use += self.refits.running.values()
            if pattern := self.plans.name_unused(spec, in_use):
                self.engine.forget(self.run.path, pattern)
        self.emit(
            TrialFinished(
                trial=spec.number, candidate=spec.candidate, status=status, score=score, seconds=result.seconds,
                folds=len(active.done), peak_mb=result.peak_mb, reason=reason,
            )
        )  # fmt: skip
        if status != "ok":  # its models are asked for nothing any more, and there are thousands in a long run
            remove_folds(self.run.path, spec.number, len(self.data.folds))
        if status not in ("ok", "pruned") and self.families.usable.get(spec.candidate, None) is not None:
            family = self.families[spec.candidate]
            if family.is_out:
                text = f"{spec.candidate} is not tried again in this run"
                self.emit(Decision(topic="search", text=text, reason=f"it failed {family.failures} times: {reason}"))
