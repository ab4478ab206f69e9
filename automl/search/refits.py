"""Models of all rows for the members of the ensemble: which are wanted, what they take, and the jobs that make them.

A fold's model has not learned from the rows that it scores. Once a configuration is a member, one more fit on all rows
knows more than each of them; it answers beside them (`automl.ensemble.bag.Member`) and is never scored, so that the
reported score stays that of the folds alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from automl.engines import Engine, Job, Limits, Outcome
from automl.events import ALL_ROWS, Decision, Event, JobFinished, JobStarted
from automl.files import read_json
from automl.recipe import Recipe
from automl.run import Run
from automl.search.answers import find_whole, has_whole
from automl.search.data import SearchData, fold_folder
from automl.search.families import Families
from automl.search.jobs import make_fold_job
from automl.search.records import Records
from automl.search.trial import TrialResult, TrialSpec

# How much longer than a fold's fit, for the rows it has more, a fit on all rows may take before it is given up.
SLACK = 1.5
# Of the user's time, what is kept for them at most: of many rows, where it takes long, each fold knows enough as well.
MOST_SHARE = 0.08
LOOK_SECONDS = 0.25


class Refits:
    """Begins the jobs, heaviest members first, each once, and takes what comes of them.

    Args:
        emit: takes events.
        memory_mb: what one job may take.
        seconds: the user's time; None for a run by trials.

    Attributes:
        members: trial → weight of the ensemble as it is, which whoever keeps it sets.
        running: the jobs on their way.
    """

    def __init__(
        self,
        run: Run,
        data: SearchData,
        recipe: Recipe,
        families: Families,
        records: Records,
        *,
        emit: Callable[[Event], None],
        memory_mb: float,
        seconds: float | None,
    ) -> None:
        self._run, self._data, self._recipe = run, data, recipe
        self._families, self._records = families, records
        self._emit, self._memory_mb = emit, memory_mb
        self._most_seconds = None if seconds is None else MOST_SHARE * seconds
        self._begun: set[int] = set()
        self.members: Callable[[], Mapping[int, float]] = dict
        self.running: dict[str, TrialSpec] = {}

    @property
    def made(self) -> list[int]:
        """Members that have their model of all rows, by this process or by one that was killed."""
        results = self._records.results
        return [trial for trial in sorted(self.members()) if find_whole(self._run.path, self._data, results[trial])]

    def describe(self) -> Decision | None:
        """What has been made, for the user; None if nothing was."""
        made = len(self.made)
        text = f"{made} of {len(self.members())} members of the ensemble have learned from all rows as well"
        reason = "the score is that of models that had not seen the rows"
        return Decision(topic="models", text=text, reason=reason) if made else None

    def expected_seconds(self, slots: int) -> float:
        """For all that are wanted, of all workers together; no more than what is kept for them."""
        expected = sum(map(self._expect, self._wanted())) / slots
        return expected if self._most_seconds is None else min(self._most_seconds, expected)

    def begin(self, engine: Engine, *, left: float) -> bool:
        """Submit the next one that can be finished in the seconds that are left (inf where trials limit the run);
        whether there was one."""
        for result in self._wanted():
            expected = self._expect(result)
            if expected <= left:
                self._begun.add(result.trial)
                spec = self._records.specs[result.trial]
                seconds = min(left, SLACK * expected + 1.0) if math.isfinite(left) else left
                job = self._make_job(spec, Limits(seconds=seconds, memory_mb=self._memory_mb))
                self.running[job.id] = spec
                worker = engine.submit(job)
                self._emit(JobStarted(trial=spec.number, fold=ALL_ROWS, candidate=spec.candidate, worker=worker))
                return True
        return False

    def finish(
        self, engine: Engine, should_stop: Callable[[], str], left: Callable[[], float] = lambda: math.inf
    ) -> str:
        """Make all that are wanted, with all the engine has; returns what `should_stop` said, if it ended it.

        Args:
            left: seconds that are left, where a run by trials has a time as well.
        """
        while not (stop := should_stop()):
            while engine.free_slots() > 0 and self.begin(engine, left=left()):
                pass
            if not self.running:
                break
            for outcome in engine.wait(LOOK_SECONDS):
                self.take(outcome)
        return stop

    def take(self, outcome: Outcome) -> bool:
        """Whether this came of one of them. One that failed, or took too long, leaves its member as it is."""
        spec = self.running.pop(outcome.id, None)
        if spec is None:
            return False
        self._emit(
            JobFinished(
                trial=spec.number, fold=ALL_ROWS, candidate=spec.candidate, worker=outcome.worker,
                status=str(outcome.status), seconds=outcome.seconds, score=None, peak_mb=outcome.peak_mb,
            )
        )  # fmt: skip
        return True

    def _wanted(self) -> list[TrialResult]:
        members = self.members()
        order = sorted(members, key=lambda trial: (-members[trial], trial))
        results = [self._records.results[trial] for trial in order if trial not in self._begun]
        return [result for result in results if self._is_wanted(result)]

    def _is_wanted(self, result: TrialResult) -> bool:
        known = result.candidate in self._families.usable and result.trial in self._records.specs
        is_due = known and has_whole(self._data, result.candidate)
        return is_due and find_whole(self._run.path, self._data, result) is None

    def _expect(self, result: TrialResult) -> float:
        """Seconds, from what the folds took, each of which learned from fewer rows."""
        folds = len(self._data.folds)
        rows = sum(len(self._data.trains[fold]) for fold in range(folds)) / folds
        return sum(result.fold_seconds) / max(1, len(result.fold_seconds)) * len(self._data.target) / max(1.0, rows)

    def _make_job(self, spec: TrialSpec, limits: Limits) -> Job:
        """A fold's job for the rows of all. It is not told of any time: a fit that was cut short would be no better
        than a fold's."""
        chief = fold_folder(self._run.path, spec.number, self._data.chief_fold) / "fold.json"
        return make_fold_job(
            self._run.path,
            spec,
            self._data.whole,
            pool=self._families[spec.candidate].candidate.pool,
            seed=self._recipe.seed,
            seconds=None,
            limits=limits,
            lead=read_json(chief).get("lead") if chief.exists() else None,
        )
