"""All rows of a file whose sample was searched: the best configuration learns on, from every row that scores nobody,
and joins the others as a configuration like any other.

It is scored on the rows of the sample that are held out, which no model has learned from, so that the ensemble takes
it, or leaves it, by the same rule. Preprocessing is what it was on the sample; rows of the sample enter as they did
there (what is learned from targets is cross-fitted), the file's other rows by the fitted transformer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from automl.candidates import Candidate
from automl.clock import Clock
from automl.engines import Engine, Job, Limits
from automl.engines.machine.settings import memory_for_jobs
from automl.events import Decision, Event
from automl.recipe import Recipe
from automl.run import Run
from automl.search.allotment import END_SECONDS
from automl.search.data import SearchData
from automl.search.families import Families
from automl.search.pieces import run_all_rows
from automl.search.shares import run_all_shares
from automl.search.trial import TrialResult, TrialSpec

ORIGIN = "file"
LABEL = " (whole file)"
# Of the time that reading has left.
TIME_SHARE = 0.5
# Of the time until the fit has to be over, what it is told: a round, and what follows the last one, take their time.
FIT_SHARE = 0.92
# How much later than asked the fit may end.
LATE_FIT_SECONDS = 10.0


@dataclasses.dataclass(kw_only=True)
class AllRows:
    """What of a file was not searched on.

    Attributes:
        path: the file.
        total: its rows.
        base: trial of the configuration that is chosen; None if it was not fitted on the sample.
        scheduler: of the cluster whose workers learn together; empty where this machine learns alone.
        cluster_threads: what those workers have.
    """

    path: Path
    total: int
    base: int | None = None
    scheduler: str = ""
    cluster_threads: int = 0

    def meet(self, engine: Engine, family: Candidate) -> None:
        """Let the workers of an engine learn together, if the family can and they are more than this machine has."""
        if getattr(family, "fits_shares", False) and engine.scheduler and engine.slots > engine.at_home().slots:
            self.scheduler, self.cluster_threads = engine.scheduler, engine.slots

    def choose(self, results: dict[int, TrialResult], families: Families, *, maximize: bool) -> TrialSpec | None:
        """What to fit on all rows: the best configuration of a family that learns in pieces, or such a family's
        defaults where none is complete; None if there is no such family."""
        able = [name for name in families.usable if getattr(families[name].candidate, "fits_pieces", False)]
        if not able:
            return None
        sign = -1 if maximize else 1
        done = [r for r in results.values() if r.status == "ok" and r.candidate in able and r.origin != ORIGIN]
        best = min(done, key=lambda result: (sign * (result.score or 0.0), result.trial), default=None)
        self.base = None if best is None else best.trial
        name, label = (able[0], able[0]) if best is None else (best.candidate, best.label)
        params = families[name].space.defaults() if best is None else best.params
        return TrialSpec(number=-1, candidate=name, params=params, origin=ORIGIN, label=label + LABEL, raced=False)

    def describe(self, label: str) -> Decision:
        where = f", on {self.cluster_threads} workers together" if self.scheduler else ""
        text = (
            f"{label} learns from the file's {self.total:,} rows but those that score, as far as the time goes{where}"
        )
        return Decision(topic="rows", text=text, reason="it is the best of those that can learn piece by piece")

    def falls_back(self, results: dict[int, TrialResult]) -> bool:
        """Whether what a cluster has lost is to be learned again by this machine alone; from now on it is."""
        last = results[max(results)]
        lost = bool(self.scheduler) and last.status != "ok"
        if lost:
            self.scheduler = ""
        return lost

    def make_job(self, job: Job, recipe: Recipe, engine: Engine, clock: Clock) -> Job:
        """The job of a fold, changed into one that learns from the file, with all that the engine has.

        Args:
            clock: one whose search may last until the fit has to be ended.
        """
        memory_mb = engine.slots * memory_for_jobs(recipe, engine)
        seconds = FIT_SHARE * max(1.0, clock.left() - clock.reserve() - END_SECONDS)
        told = {
            "file": str(self.path),
            "file_rows": self.total,
            "base": self.base,
            "options": recipe.data.model_dump(mode="json"),
            "memory_mb": memory_mb,
            "threads": engine.slots,
            "seconds": seconds,
        }
        function = run_all_rows
        if self.scheduler:
            function = run_all_shares
            told |= {"scheduler": self.scheduler, "cluster_threads": self.cluster_threads}
        limits = Limits(seconds=seconds / FIT_SHARE + LATE_FIT_SECONDS, memory_mb=memory_mb)
        return dataclasses.replace(job, function=function, payload={**job.payload, **told}, limits=limits)


def find_all_rows(run: Run, recipe: Recipe, data: SearchData, emit: Callable[[Event], None]) -> AllRows | None:
    """The file behind a sample; None if the search sees all rows, a number of trials limits it, or no model can be
    fitted on all of them, of which the reason is told."""
    record = run.record
    total, path = record.get("file_rows"), Path(record["data"])
    if total is None or recipe.budget.trials is not None:
        return None
    if reason := _find_refusal(path, recipe, data):
        emit(Decision(topic="rows", text=f"no model is fitted on all {total:,} rows", reason=reason))
        return None
    return AllRows(path=path, total=int(total))


def _find_refusal(path: Path, recipe: Recipe, data: SearchData) -> str:
    options = recipe.data
    aside = (("--group", options.group), ("--time-column", options.time), ("--weight", options.weight))
    asked = next((flag for flag, value in aside if value is not None), "")
    layout = data.table.layout
    if asked:
        return f"{asked} is kept on the sample only"
    if layout.texts or layout.pictures:
        return "texts and pictures are learned from on the sample only"
    if len(data.folds) != 1:
        return "rows must be held out for it, and the recipe asks for folds"
    return "" if path.is_file() else f"{path} is not there any more"
