"""The stages in order: load, profile, split, search, evaluate, report. The tool's table of contents."""

from __future__ import annotations

import dataclasses
import shlex
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.clock import REPORT_SECONDS, WRAP_UP_SECONDS, Clock, spent_seconds
from automl.data import Dataset, Split
from automl.data.load import find_test
from automl.engines import Engine, open_engine
from automl.engines.machine.accelerators import find_accelerators
from automl.engines.machine.settings import LOCAL, known_engine, make_settings, memory_for_jobs
from automl.ensemble.artifact import restore_model
from automl.ensemble.build import EnsembleBuilder
from automl.errors import AutoMLError, DataError, InterruptedRunError, UsageError
from automl.evaluate.evaluation import Evaluator
from automl.evaluate.recall import describe_subject, note_subject, recall
from automl.evaluate.studies import choose_pool, run_studies, seconds_for_studies, wanted_studies
from automl.evaluate.test_score import score_test_file
from automl.evaluate.usable import check_outcome, has_rival, has_usable_model
from automl.events import (
    Bus,
    DataLoaded,
    Decision,
    JsonlSink,
    RunFinished,
    RunStarted,
    Sink,
    StageFinished,
    StageStarted,
    WarningRaised,
)
from automl.files import read_json, telling_full_disk, write_json
from automl.interrupts import Interrupts
from automl.monitor.reference import complete_reference, store_columns
from automl.prepare import (
    apply_findings,
    choose_groups,
    choose_split,
    identify_run,
    load,
    make_encoder,
    prepare_texts,
    read_new,
    store_dataset,
    tell_of_data,
)
from automl.profile import Finding
from automl.profile.describe import find_all
from automl.profile.summary import summarize
from automl.recipe import Recipe, load_recipe
from automl.report.sections.data import describe_split
from automl.report.write import write_report
from automl.run import Run
from automl.schema import Schema
from automl.search.data import SearchData
from automl.search.records import read_results
from automl.search.search import Search
from automl.search.trial import PRELOAD, candidates
from automl.search.whole import TIME_SHARE, find_all_rows

if TYPE_CHECKING:
    import pandas as pd

# A run killed before its first real model gets this much on resume, however little of its time is left.
FIRST_MODEL_SECONDS = 10.0
# Of the time for looking at the data, what reading a large test file may take.
TEST_SHARE = 0.5
# Of the time for the evaluation, what a second layer of the ensemble may be looked for.
LAYER_SHARE = 0.5


def fit(
    data: Path | str | pd.DataFrame,
    *,
    target: str | None = None,
    recipe: Recipe | None = None,
    out: Path | str | None = None,
    test: Path | str | None = None,
    engine: str = LOCAL,
    sinks: Sequence[Sink] = (),
    started: float | None = None,
    **changes: Any,
) -> Run:
    """The whole flow, from a table to a run folder with a model that serves.

    Args:
        data: a file, a folder or zip of pictures or texts with one folder a class, or a frame.
        target: name of the column to learn; files in class folders need none.
        recipe: everything else that can be asked; the defaults without one.
        out: the run folder; without one, below `runs/` after the date and the data.
        test: a labelled file that is looked at for drift and scored once, at the end; without one, the test/ folder
            beside the train/ folder of pictures.
        engine: where trials run: "local", "dask" (a cluster on this machine) or "dask://host:8786".
        sinks: readers of the events.
        started: `time.monotonic()` from which the time counts; now, or this process's start on the command line.
        changes: shorthands laid over the recipe: time (seconds), trials, metric, task, jobs, seed.

    Raises:
        DataError: if the data cannot be used.
        RunBusyError, UsageError, EngineError: see their classes.
        SearchError: if nothing but the constant model finished.
    """
    recipe = (recipe or Recipe()).with_shorthands(changes).anchor()
    for name in () if recipe.search.candidates == "auto" else recipe.search.candidates:
        candidates.check(name)
    clock = Clock(time.monotonic() if started is None else started, recipe.budget.seconds)
    accelerators = find_accelerators(recipe.budget.device)
    workers = open_engine(engine, make_settings(recipe, PRELOAD, bool(accelerators)))
    try:
        workers.warm("core")  # imports happen while the data is read
        dataset = load(data, target=target, recipe=recipe, deadline=time.monotonic() + clock.read_left())
        source = str(Path(data).resolve()) if isinstance(data, str | Path) and str(data) != "-" else "a data frame"
        test = test or find_test(data)
        run = Run.create(
            Path(out) if out else None,
            data_name=dataset.name or "frame",
            record={
                **identify_run(source, dataset.task.target, recipe, dataset, test),
                "device": ", ".join(accelerators) or "cpu",
                "engine": engine,
                "jobs": workers.slots,
            },
            recipe=recipe.dump_yaml(),
        )
        with run.locked(), telling_full_disk(run.path):
            try:
                return _Session(run, recipe, clock, workers, sinks).from_dataset(dataset)
            except (DataError, UsageError):  # refused before anything was learned: no folder is left behind
                if not run.is_done("split"):
                    run.discard()
                raise
    finally:
        workers.close()


def resume(
    path: Path | str, *, engine: str | None = None, sinks: Sequence[Sink] = (), started: float | None = None
) -> Run:
    """Go on with a run that was killed, stopped or interrupted, with the time or trials that are left.

    Args:
        engine: where trials run from now on; where they ran before, if that was this machine.

    Raises:
        UsageError, RunBusyError, DataError: see their classes; a run that is complete is returned as it is.
    """
    run = Run.open(Path(path))
    with run.locked(), telling_full_disk(run.path):
        restore_model(run)
        run.clear_leftovers()
        record = run.record
        recipe = load_recipe(str(run.recipe_path))
        if record["status"] == "complete" and run.is_done("finish"):
            check_outcome(run, recipe, read_results(run.search))  # `fit || resume` says the same twice
            return run
        spent = spent_seconds(run.events_path)
        began = (time.monotonic() if started is None else started) - spent
        seconds = recipe.budget.seconds
        if seconds is not None and not has_usable_model(run):
            seconds = max(seconds, spent + FIRST_MODEL_SECONDS)
        accelerated = bool(find_accelerators(recipe.budget.device))
        workers = open_engine(engine or known_engine(run), make_settings(recipe, PRELOAD, accelerated))
        try:
            workers.warm("core")
            run.update(engine=engine or known_engine(run), jobs=workers.slots)
            run.stop_path.unlink(missing_ok=True)
            session = _Session(run, recipe, Clock(began, seconds), workers, sinks)
            if run.is_done("split"):
                return session.from_folder()
            if record["data"] == "a data frame":
                raise UsageError(f"{path} was killed before its data frame was stored", hint="Call automl.fit again")
            deadline = time.monotonic() + session.clock.read_left()
            dataset = load(record["data"], target=record["target"], recipe=recipe, deadline=deadline)
            return session.from_dataset(dataset)
        finally:
            workers.close()


class _Session:
    """One process's work on one run."""

    def __init__(self, run: Run, recipe: Recipe, clock: Clock, engine: Engine, sinks: Sequence[Sink]) -> None:
        self.run, self.recipe, self.clock, self.engine = run, recipe, clock, engine
        self.log = JsonlSink(run.events_path)
        self.emit = Bus(self.log, *sinks)
        engine.attend(run.log, lambda text: self.emit(WarningRaised(text=text)))

    # ---- stages --------------------------------------------------------------------------------------------------

    def from_dataset(self, dataset: Dataset) -> Run:
        """All stages, from a loaded table."""
        self._start()
        findings = self._stage("profile", lambda: self._profile(dataset), "findings of the data")
        dataset = apply_findings(dataset, findings)
        for event in tell_of_data(dataset, findings):
            self.emit(event)
        split = self._stage("split", lambda: self._split(dataset, findings), "")
        self._say_loaded(dataset.task.to_json(), dataset.n_rows, len(dataset.schema.features), len(split))
        return self._search_and_finish(dataset.schema)

    def from_folder(self) -> Run:
        """What is left, from the arrays that an earlier session stored."""
        self._start()
        record = self.run.record
        try:
            schema = Schema.from_json(read_json(self.run.data / "schema.json"))
            SearchData(self.run.data)
        except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{self.run.data} is damaged: {type(error).__name__}: {str(error)[:120]}",
                hint="Start again with automl fit; the model that is there can still be used",
            ) from error
        folds = int(record["split"]["folds"])
        self._say_loaded(record["task"], record["rows"], record["columns"], folds)
        return self._search_and_finish(schema)

    def _start(self) -> None:
        record = self.run.record
        # the last stage is done when this session has done it
        stages = {name: facts for name, facts in record["stages"].items() if name != "finish"}
        self.run.update(status="running", stages=stages)
        self.emit(
            RunStarted(
                run=str(self.run.path),
                data=record["data"],
                target=record["target"],
                seconds=record["budget_seconds"],
                trials=record["trials_budget"],
                jobs=record["jobs"],
            )
        )

    def _stage(self, name: str, work: Any, detail: str) -> Any:
        began = time.monotonic()
        self.emit(StageStarted(stage=name))
        result = work()
        seconds = time.monotonic() - began
        self.run.mark_stage(name, seconds=round(seconds, 3))
        self.emit(StageFinished(stage=name, seconds=seconds, detail=detail))
        return result

    def _profile(self, dataset: Dataset) -> list[Finding]:
        began, left = time.monotonic(), self.clock.look_left()
        deadline, read_by = began + left, began + TEST_SHARE * left
        test = self.run.record["test"]
        new = read_new(dataset, test, self.recipe, labelled=True, deadline=read_by, tell=self.emit)
        findings = find_all(dataset, new, deadline=deadline)
        profile = summarize(dataset, deadline=deadline)
        if profile.undescribed:
            text = f"{profile.undescribed:,} column(s) stand without figures in the report"
            self.emit(Decision(topic="profile", text=text, reason="the time was too short to describe them"))
        record = {
            "profile": profile.to_json(),
            "findings": [finding.to_json() for finding in findings],
            "notices": [dataclasses.asdict(notice) for notice in dataset.notices],
        }
        write_json(self.run.profile_path, record)
        return findings

    def _split(self, dataset: Dataset, findings: list[Finding]) -> Split:
        encoder = make_encoder(dataset.schema, self.recipe)
        table = encoder.encode(dataset.frame, dataset.pixels)
        split = choose_split(dataset, findings, self.recipe, table)
        groups = choose_groups(dataset, findings)
        store_dataset(self.run.data, dataset, table, split, groups, encoder, self.recipe.seed)
        deadline = time.monotonic() + self.clock.look_left()
        self._keep_reference(lambda: store_columns(self.run.data, dataset, deadline=deadline))
        for event in prepare_texts(self.run.data, table, self.recipe, deadline=deadline):
            self.emit(event)
        self.run.update(
            split={"kind": split.kind, "folds": len(split), "repeats": split.repeats, "reason": split.reason},
            rows=dataset.n_rows,
            columns=len(dataset.schema.features),
        )
        text, reason = describe_split(self.run.record["split"])
        self.emit(Decision(topic="split", text=text, reason=reason))
        return split

    def _search_and_finish(self, schema: Schema) -> Run:
        data = SearchData(self.run.data)
        with Interrupts(
            lambda name: self.emit(WarningRaised(text=f"{name}: wrapping up; once more to stop at once"))
        ) as stop:
            builder, ended = self._search(data, schema, stop)
            self._evaluate(data, builder, stop)
            if ended == "complete" and not stop.received:
                self._study(builder, stop)
            ended = stop.received or ended
        status = {"complete": "complete", "stopped": "stopped"}.get(ended, "interrupted")
        return self._finish(status, builder)

    def _search(self, data: SearchData, schema: Schema, stop: Interrupts) -> tuple[EnsembleBuilder, str]:
        def should_stop() -> str:
            if stop.received:
                return stop.received
            return "stopped" if self.run.stop_path.exists() else ""

        began = time.monotonic()
        self.emit(StageStarted(stage="search"))
        all_rows = find_all_rows(self.run, self.recipe, data, self.emit)
        search = Search(
            run=self.run,
            data=data,
            recipe=self.recipe,
            engine=self.engine,
            emit=self.emit,
            clock=self.clock if all_rows is None else self.clock.keep(TIME_SHARE),
            all_rows=all_rows,
            on_bag=lambda: None,
            should_stop=should_stop,
            memory_mb=memory_for_jobs(self.recipe, self.engine),
        )
        builder = EnsembleBuilder(
            self.run,
            data,
            schema,
            self.recipe,
            oofs=search.oofs,
            records=search.records,
            emit=self.emit,
            elapsed=self.clock.elapsed,
        )
        search.on_bag = builder.update
        search.refits.members = lambda: builder.weights
        for name, reason in search.families.unused.items():
            self.emit(Decision(topic="models", text=f"{name} is not tried", reason=reason))
        search.blend = builder.update()
        ended = search.go()
        look_until = time.monotonic() + LAYER_SHARE * (self.clock.evaluate_seconds() or float("inf"))
        for told in builder.finish(search.refits.describe(), deadline=look_until):
            self.emit(told)
        seconds = time.monotonic() - began
        families = search.families
        self.run.mark_stage(
            "search", seconds=round(seconds, 3), ended=ended, unused=families.unused, apart=families.apart
        )
        self.emit(
            StageFinished(stage="search", seconds=seconds, detail=f"{len(search.records.results)} configurations")
        )
        return builder, ended

    def _evaluate(self, data: SearchData, builder: EnsembleBuilder, stop: Interrupts) -> None:
        if not builder.weights:
            return
        home = self.engine.at_home()
        if wanted_studies(self.clock, self.recipe):  # after a search elsewhere a net's library is not loaded here yet
            home.warm(choose_pool(self.run))
        seconds = self.clock.evaluate_seconds()
        evaluator = Evaluator(
            self.run, data, self.recipe, home,
            seconds=WRAP_UP_SECONDS if seconds is None and stop.received else seconds,
            deadline=time.monotonic() + self.clock.last_left() - 2 * REPORT_SECONDS,  # on a busy machine
            should_stop=lambda: bool(stop.received),
        )  # fmt: skip
        subject = describe_subject(self.run, builder.records.results.values())
        result = recall(self.run, subject, evaluator.seconds)
        if result is None:
            result = self._stage("evaluate", evaluator.evaluate, "")
            if not (evaluator.warnings or stop.received):
                note_subject(self.run, subject, evaluator.seconds)
        for warning in evaluator.warnings:
            self.emit(warning)
        if builder.blend is not None:
            outputs = builder.blend[builder.oofs.scored]
            self._keep_reference(lambda: complete_reference(self.run, data, outputs, builder.threshold))
        self._score_test(result, builder)

    def _keep_reference(self, work: Callable[[], None]) -> None:
        """What `monitor` compares with is not worth a run."""
        try:
            work()
        except AutoMLError:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            text = f"automl monitor will have nothing to compare with: {reason}"
            self.emit(WarningRaised(text=text[:300]))

    def _study(self, builder: EnsembleBuilder, stop: Interrupts) -> None:
        """What the model goes by and how it holds up, as far as the time goes."""
        names = wanted_studies(self.clock, self.recipe)
        if not names or not builder.weights or not has_usable_model(self.run):
            return
        seconds, seed = seconds_for_studies(self.clock, REPORT_SECONDS), self.recipe.seed
        studies = partial(
            run_studies, self.run, engine=self.engine.at_home(), seconds=seconds, seed=seed, names=names,
            should_stop=lambda: bool(stop.received),
        )  # fmt: skip
        self._stage("study", studies, "")

    def _score_test(self, result: dict[str, Any], builder: EnsembleBuilder) -> None:
        if not self.run.record["test"] or "test" in result:
            return
        members = {builder.records.results[trial].candidate for trial in builder.weights}
        seconds, late_seconds = self.clock.left() - REPORT_SECONDS, self.clock.last_left() - 2 * REPORT_SECONDS
        score, warnings = score_test_file(
            self.run, self.recipe, members=members, seconds=seconds, late_seconds=late_seconds
        )
        for text in warnings:
            self.emit(WarningRaised(text=text))
        if score:
            result["test"] = score
            write_json(self.run.evaluation_path, result)

    def _finish(self, status: str, builder: EnsembleBuilder) -> Run:
        usable = has_usable_model(self.run) or has_rival(builder.records.results.values())
        elapsed = self.clock.elapsed()
        self.run.stop_path.unlink(missing_ok=True)
        self.run.clear_leftovers()  # of workers that were ended in the middle of a fold
        self.run.update(status=status, seconds=round(elapsed, 3), finished_seconds=round(elapsed, 3), usable=usable)
        self._stage("report", lambda: write_report(self.run), "")
        evaluation = read_json(self.run.evaluation_path) if self.run.evaluation_path.exists() else {}
        self.emit(
            RunFinished(
                status=status,
                seconds=self.clock.elapsed(),
                score=evaluation.get("score"),
                low=evaluation.get("low"),
                high=evaluation.get("high"),
            )
        )
        self.run.mark_stage("finish", seconds=round(self.clock.elapsed(), 3))
        self.log.close()
        if not usable and status != "complete":
            text = f"{status.capitalize()} before a first model was finished in {self.run.path}"
            raise InterruptedRunError(text, hint=f"automl resume {shlex.quote(str(self.run.path))}")
        check_outcome(self.run, self.recipe, builder.records.results.values())
        return self.run

    # ---- what is said ---------------------------------------------------------------------------------------------

    def _say_loaded(self, task: dict[str, Any], rows: int, columns: int, folds: int) -> None:
        self.emit(
            DataLoaded(
                rows=rows,
                columns=columns,
                task=task["kind"],
                metric=task["metric"],
                classes=len(task["classes"]),
                folds=folds,
            )
        )
