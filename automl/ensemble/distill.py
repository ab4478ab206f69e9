"""One small model that learned from an ensemble: trained on what the ensemble says of rows it had not seen.

Its targets are half the truth and half the ensemble's out-of-fold answer (Hinton et al. 2015, arXiv:1503.02531). Where
classes are learned, a row stands once a likely class, weighted by its probability, so that any family can learn it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Estimator, FitContext
from automl.ensemble.artifact import REFERENCE, find_model_folder, save_single
from automl.ensemble.second_layer import join_members, read_layer
from automl.errors import SearchError, UsageError
from automl.files import check_writable, read_json
from automl.intervals import Intervals, find_floor, learn_intervals
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.preprocess.plan import Transformer
from automl.run import Run
from automl.schema import Schema
from automl.search.calibration import Calibrator, fit_calibrator
from automl.search.data import SearchData
from automl.search.oof import read_oof
from automl.search.threshold import USUAL, move_threshold
from automl.search.trial import candidates, check_outputs, trial_space
from automl.space import split_params

TRUTH = 0.5  # share of the true target in what is learned
LEAST_SHARE = 0.02  # classes less likely than this are left out
STOP_SHARE = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distilled:
    """What came of it.

    Attributes:
        teacher, student, constant: scores on the same rows, in the metric's units. The student's is cross-validated;
            its targets hold answers of models that saw part of the scored rows, so that it may be flattered a little.
        kept: the student's share of the teacher's gain over the constant.
    """

    candidate: str
    metric: str
    teacher: float
    student: float
    constant: float

    @property
    def kept(self) -> float:
        gain = self.teacher - self.constant
        return (self.student - self.constant) / gain if gain else 1.0


def distill(run: Run, name: str, out: Path, *, keep: float, tell: Callable[[str], None]) -> Distilled:
    """Train a student of the family `name` and write it to `out` as a model folder.

    Args:
        keep: the least share of the teacher's gain over a constant model that the student must have.
        tell: hears of progress.

    Raises:
        UsageError: if the family is unknown or cannot learn this, `out` is there already, or the ensemble was scored
            on one fold alone: it has no answers to the rows of the others; or if its answers were cleared away.
        EngineError: if nothing can be written to `out`; told before anything is learned.
        SearchError: if the student keeps too little; nothing is written.
    """
    data, candidate = SearchData(run.data), candidates.get(name)
    reason = candidate.unsupported(data.task, data.table.shape(data.task))
    if reason:
        raise UsageError(f"{name} cannot learn this: {reason}", hint="Choose another with --to")
    if out.exists():
        raise UsageError(f"{out} is there already", hint="Choose another folder with --out DIR")
    check_writable(out)
    teacher = _teacher_outputs(run, data)
    answers = np.full_like(teacher, np.nan)
    for fold, (train, rows) in enumerate(zip(data.trains, data.folds, strict=True)):
        known = train[~np.isnan(teacher[train, 0])]
        if len(known) == 0:  # of the first of later and later rows
            continue
        transformer, estimator = _fit(data, name, known, teacher, seed=fold)
        matrix = transformer.transform(data.table.take(rows))
        answers[rows] = check_outputs(estimator.predict(matrix), data.task)
        tell(f"fold {fold + 1} of {len(data.folds)}")
    scored = np.nonzero(~np.isnan(answers[:, 0]) & ~np.isnan(teacher[:, 0]))[0]
    if len(scored) == 0:
        raise UsageError(
            "The ensemble was scored on a single fold, so that nothing tells what it says of other rows",
            hint="Fit again with several folds: `split: {folds: 5}` in a recipe",
        )
    weight = None if data.weight is None else data.weight[scored]
    calibrator = fit_calibrator(data.task, answers[scored], data.target[scored], weight)
    threshold = _read_threshold(run)
    teaching, learned = (
        move_threshold(outputs, threshold) for outputs in (teacher[scored], calibrator.apply(answers[scored]))
    )
    result = _judge(data, name, scored, teaching, learned, weight)
    if result.kept < keep:
        raise SearchError(
            f"{name} keeps {result.kept:.1%} of what the ensemble gains over a constant, less than {keep:.1%} "
            f"({result.metric} {result.student:.5g} beside {result.teacher:.5g})",
            hint="Ask for less with --keep, or another family with --to",
        )
    rows = np.nonzero(~np.isnan(teacher[:, 0]))[0]
    transformer, estimator = _fit(data, name, rows, teacher, seed=len(data.folds))
    intervals = None
    if not data.task.is_classification:
        floor = find_floor(data.target)
        intervals = learn_intervals(data.target[scored], learned[:, 0], weight, floor=floor)
    _write(run, data, out, transformer, estimator, calibrator, result, intervals)
    return result


def _teacher_outputs(run: Run, data: SearchData) -> FloatArray:
    """The deployed ensemble's out-of-fold outputs (n, k); NaN in rows that no fold scores.

    Raises:
        UsageError: if they do not stand in the run any more.
    """
    record = read_json(find_model_folder(run.path) / "ensemble.json")
    weights = {int(member["trial"]): float(member["weight"]) for member in record["members"]}
    stored = {trial: read_oof(run, trial) for trial in weights}
    known = ~np.isnan(next(iter(stored.values()))[:, 0])
    layer = read_layer(record, data.task)
    found = {trial: outputs[known] for trial, outputs in stored.items()}
    answers = np.full((len(known), data.task.n_outputs), np.nan, dtype=np.float32)
    answers[known] = join_members(found, weights, Calibrator.from_json(record["calibrator"]), layer)
    return answers


def _fit(data: SearchData, name: str, rows: Array, teacher: FloatArray, *, seed: int) -> tuple[Transformer, Estimator]:
    candidate = candidates.get(name)
    params = trial_space(candidate, data.task, data.table).defaults()
    transformer = Transformer(candidate.needs, split_params(params, "preprocess"), data.table.layout)
    fit = data.fit_rows(rows, seed=seed)
    matrix = transformer.fit(data.table.take(rows), fit)
    places, target, weight = _soften(data, rows, teacher)
    rng = np.random.default_rng([seed, 41])
    held = rng.random(len(rows)) < STOP_SHARE
    context = FitContext(
        task=data.task,
        features=transformer.features(),
        seed=seed,
        stop_rows=np.nonzero(held[places])[0].astype(np.int64),
        refit=True,
        backbone_file=data.table.layout.backbone_file,
    )
    estimator = candidate.build(split_params(params, "model"), context)
    estimator.fit(np.ascontiguousarray(matrix[places]), target, weight)
    return transformer, estimator


def _soften(data: SearchData, rows: Array, teacher: FloatArray) -> tuple[Array, Array, Array]:
    """Places among `rows` (a place may stand several times), their targets and their weights with mean 1."""
    own = np.ones(len(rows)) if data.weight is None else data.weight[rows]
    if not data.task.is_classification:
        mixed = TRUTH * data.target[rows] + (1 - TRUTH) * teacher[rows, 0].astype(np.float64)
        return np.arange(len(rows)), mixed, own
    shares = (1 - TRUTH) * teacher[rows].astype(np.float64)
    shares[np.arange(len(rows)), data.target[rows]] += TRUTH
    places, classes = np.nonzero(shares >= LEAST_SHARE)
    weight = own[places] * shares[places, classes]
    return places, classes.astype(np.int64), weight / weight.mean()


def _judge(
    data: SearchData, name: str, rows: Array, teacher: FloatArray, student: FloatArray, weight: Array | None
) -> Distilled:
    """Scores of the answers of both (m, k) to these rows, as the metric is to see them."""
    metric, target = get_metric(data.task.metric), data.target[rows]
    if data.task.is_classification:
        guess = np.bincount(target, weights=weight, minlength=data.task.n_classes) / (
            len(rows) if weight is None else weight.sum()
        )
    else:
        guess = np.array([np.average(target, weights=weight)])
    constant = np.tile(guess.astype(np.float32), (len(rows), 1))
    scores = [float(metric.score(target, outputs, weight)) for outputs in (teacher, student, constant)]
    return Distilled(candidate=name, metric=data.task.metric, teacher=scores[0], student=scores[1], constant=scores[2])


def _read_threshold(run: Run) -> float:
    return float(read_json(find_model_folder(run.path) / "manifest.json").get("threshold", USUAL))


def _write(
    run: Run,
    data: SearchData,
    out: Path,
    transformer: Transformer,
    estimator: Estimator,
    calibrator: Calibrator,
    result: Distilled,
    intervals: Intervals | None,
) -> None:
    schema = Schema.from_json(read_json(run.data / "schema.json"))
    outputs = check_outputs(estimator.predict(transformer.transform(data.golden)), data.task)
    facts: dict[str, Any] = {
        "run": run.path.name,
        "metric": data.task.metric,
        "out_of_fold_score": result.student,
        "threshold": _read_threshold(run),
        "distilled": {**dataclasses.asdict(result), "kept": result.kept},
    }
    save_single(
        out,
        candidate=result.candidate,
        name=f"{result.candidate} distilled",
        transformer=transformer,
        estimator=estimator,
        calibrator=calibrator,
        schema=schema,
        task=data.task,
        golden={"rows": read_json(run.data / "golden.json"), "outputs": calibrator.apply(outputs)},
        facts=facts,
        reference=_read_reference(run),
        intervals=intervals,
    )


def _read_reference(run: Run) -> dict[str, Any] | None:
    """The teacher's columns and their importance; its predictions and its score are not the student's."""
    path = find_model_folder(run.path) / REFERENCE
    if not path.exists():
        return None
    return {name: value for name, value in read_json(path).items() if name not in ("predictions", "score")}
