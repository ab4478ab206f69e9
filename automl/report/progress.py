"""The state of a run as its events tell it: who works on what, what is best, what was decided."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from automl import events

if TYPE_CHECKING:
    from automl.report.source import MetricFacts

TOP = 5
STAGE_NAMES = {
    "load": "reading the data",
    "profile": "describing the data",
    "split": "setting rows apart",
    "search": "searching",
    "ensemble": "combining models",
    "evaluate": "checking the score",
    "study": "explaining the model",
    "save": "saving the model",
    "report": "writing the report",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """What a worker is doing."""

    candidate: str
    trial: int
    fold: int
    since: float


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One line of the top five."""

    name: str
    score: float
    seconds: float
    is_ensemble: bool = False


class Progress:
    """The state of a run as its events tell it; times are seconds since the epoch, as in the events."""

    def __init__(self) -> None:
        self.started: float | None = None
        self.data = self.target = self.task = self.stage = ""
        self.seconds: float | None = None
        self.trials: int | None = None
        self.jobs = 1
        self.rows = self.columns = self.folds = 0
        self.metric: MetricFacts | None = None
        self.best: events.BestImproved | None = None
        self.history: list[float] = []
        self.running: dict[int, Running] = {}
        self.entries: list[Entry] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.decisions: collections.deque[str] = collections.deque(maxlen=50)
        self.warnings: collections.deque[str] = collections.deque(maxlen=20)
        self.finished: events.RunFinished | None = None
        self.moves: dict[str, str] = {}
        self._ranks: list[str] = []

    def apply(self, event: events.Event) -> None:
        """Take one event in. Kinds that do not matter here are passed over."""
        if self.started is None:
            self.started = event.at
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
        if isinstance(event, events.TrialFinished | events.BestImproved):
            self._note_moves()

    def _note_moves(self) -> None:
        """What the last change did to the top five: name → "new", "▲2", "▼1" or nothing."""
        ranks = ["ensemble" if entry.is_ensemble else entry.name for entry in self.top()]
        if ranks == self._ranks:
            return
        before, self._ranks, self.moves = self._ranks, ranks, {}
        for place, name in enumerate(ranks):
            gain = before.index(name) - place if name in before else 0
            arrow = f"{'▲' if gain > 0 else '▼'}{abs(gain)}" if gain else ""
            self.moves[name] = ("new" if before else "") if name not in before else arrow

    def move_of(self, entry: Entry) -> str:
        return self.moves.get("ensemble" if entry.is_ensemble else entry.name, "")

    def elapsed(self, now: float) -> float:
        return max(0.0, now - self.started) if self.started is not None else 0.0

    @property
    def done(self) -> int:
        """Configurations that ended, one way or another."""
        return sum(self.counts.values())

    def top(self) -> list[Entry]:
        """The best entries, the ensemble among them."""
        maximize = self.metric is None or self.metric.maximize
        entries = list(self.entries)
        if self.best is not None and self.best.members > 1:
            entries.append(Entry(f"ensemble of {self.best.members}", self.best.score, 0.0, is_ensemble=True))
        return sorted(entries, key=lambda entry: -entry.score if maximize else entry.score)[:TOP]

    def show_score(self, score: float | None) -> str:
        from automl.report.text import format_score

        return format_score(score, self.metric.decimals if self.metric else 4)

    def describe_counts(self) -> str:
        """ "12 configurations, 3 pruned, 1 timed out"."""
        from automl.report.text import format_count

        others = [f"{count} {status.replace('_', ' ')}" for status, count in self.counts.items() if status != "ok"]
        return ", ".join([format_count(self.done, "configuration"), *others])

    def _run_started(self, event: events.RunStarted) -> None:
        self.started = event.at if self.started is None else min(self.started, event.at)
        self.data, self.target = event.data.rsplit("/", 1)[-1], event.target
        self.seconds, self.trials, self.jobs = event.seconds, event.trials, event.jobs

    def _stage_started(self, event: events.StageStarted) -> None:
        self.stage = event.stage

    def _data_loaded(self, event: events.DataLoaded) -> None:
        from automl.report.source import metric_facts

        self.rows, self.columns, self.task, self.folds = event.rows, event.columns, event.task, event.folds
        self.metric = metric_facts(event.metric)

    def _decision(self, event: events.Decision) -> None:
        self.decisions.append(event.text + (f" ({event.reason})" if event.reason else ""))

    def _job_started(self, event: events.JobStarted) -> None:
        self.running[event.worker] = Running(event.candidate, event.trial, event.fold, event.at)

    def _job_finished(self, event: events.JobFinished) -> None:
        self.running.pop(event.worker, None)

    def _trial_finished(self, event: events.TrialFinished) -> None:
        self.counts[event.status] += 1
        if event.status == "ok" and event.score is not None:
            self.entries.append(Entry(f"{event.candidate} #{event.trial}", event.score, event.seconds))

    def _best_improved(self, event: events.BestImproved) -> None:
        self.best = event
        if event.elapsed > 0 and self.started is not None:  # the command began before its first event
            self.started = min(self.started, event.at - event.elapsed)
        self.history.append(event.score)

    def _warning_raised(self, event: events.WarningRaised) -> None:
        self.warnings.append(event.text)

    def _run_finished(self, event: events.RunFinished) -> None:
        self.finished = event
        self.running.clear()


_HANDLERS: dict[type[events.Event], Callable[..., None]] = {
    events.RunStarted: Progress._run_started,
    events.StageStarted: Progress._stage_started,
    events.DataLoaded: Progress._data_loaded,
    events.Decision: Progress._decision,
    events.JobStarted: Progress._job_started,
    events.JobFinished: Progress._job_finished,
    events.TrialFinished: Progress._trial_finished,
    events.BestImproved: Progress._best_improved,
    events.WarningRaised: Progress._warning_raised,
    events.RunFinished: Progress._run_finished,
}


def metric_title(progress: Progress) -> str:
    return progress.metric.title if progress.metric else "score"


def describe_budget(progress: Progress) -> str:
    from automl.report.text import format_count, format_duration

    parts = [format_count(progress.trials, "configuration")] if progress.trials else []
    parts += [format_duration(progress.seconds)] if progress.seconds else []
    return ", ".join([*parts, format_count(progress.jobs, "worker")])


def describe_table(progress: Progress) -> str:
    way = "higher is better" if progress.metric is None or progress.metric.maximize else "lower is better"
    folds = f", {progress.folds} folds" if progress.folds > 1 else ""
    size = f"{progress.rows:,} rows × {progress.columns:,} columns"
    return f"{size}, {progress.task}{folds}, {metric_title(progress)} ({way})"


def describe_end(progress: Progress) -> str:
    from automl.report.text import format_duration

    end = progress.finished
    words = {"complete": "finished", "interrupted": "interrupted, best so far saved", "stopped": "stopped"}
    status = words.get(end.status, end.status) if end else "ended"
    took = f" in {format_duration(end.seconds)}" if end else ""
    return f"{status}{took}: {progress.describe_counts()}"
