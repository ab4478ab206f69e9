"""One configuration: what was asked for, what one fold of it does in a worker, and what came of it.

The unit of work is (trial, fold). A worker gets a plain record, memory-maps the arrays it names, and leaves a folder
`search/models/<trial>-<fold>` with the model, its transformer, its out-of-fold predictions and, last, `fold.json`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext, Lead
from automl.errors import AutoMLError
from automl.files import read_json, write_json
from automl.matrix import FloatArray, IntArray
from automl.metrics import get_metric
from automl.preprocess.cache import FoldMatrices, get_fold_matrices
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import Table
from automl.preprocess.word_vectors import FILE as WORD_VECTORS
from automl.preprocess.word_vectors import read_word_vectors
from automl.registry import Registry
from automl.search.data import SearchData, fold_folder, open_data
from automl.space import Params, SearchSpace, split_params
from automl.task import Task

candidates: Registry[Candidate] = Registry("automl.candidates", noun="model")

# What warm workers have imported; the engine is told, as it knows nothing of trials.
PRELOAD = {
    "core": (
        "scipy.special",
        "sklearn.linear_model",
        "sklearn.ensemble",
        "sklearn.preprocessing",
        "sklearn.decomposition",
        "sklearn.feature_selection",
        "sklearn.neighbors",
        "sklearn.svm",
        "xgboost",
        "automl.candidates._skops",
        "automl.search.trial",
    ),
    "keras": (
        "sklearn.preprocessing",
        "automl.candidates._skops",
        "automl.candidates._keras_loaded",
        "automl.search.trial",
    ),
}
# What a pool's first worker costs before its first job.
POOL_START_SECONDS = {"keras": 8.0}
STOP_SHARE = 0.15
MAX_STOP_ROWS = 4_000
REFIT_ROWS = 10_000
# How often the seconds of one row are measured: the quickest is what counts, and beside another worker most are not.
# What takes long is measured less often.
ROW_REPEATS, ROW_REPEATS_MOST, ROW_SECONDS, ROW_SECONDS_MOST = 5, 60, 0.02, 0.2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialSpec:
    """A configuration to try.

    Attributes:
        number: from 0, in the order asked.
        params: complete: "model.*" for the family, "preprocess.*" for its matrix.
        origin: "baseline", "portfolio", "tpe" (tuned: by Optuna or a step from the best), or "file"
            (`automl.search.whole`).
        label: what the leaderboard calls it.
        raced: whether its first fold decides if the others are run.
        reference_seconds: what a fold of it takes on a table of reference size (`automl.search.cost`), if known.
    """

    number: int
    candidate: str
    params: Params
    origin: str
    label: str
    raced: bool = True
    reference_seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(record: dict[str, Any]) -> TrialSpec:
        return TrialSpec(**record)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What came of a configuration; one line of `trials.jsonl`.

    Attributes:
        status: ok | pruned | timed_out | out_of_memory | crashed | failed | non_finite | orphaned.
        score: out-of-fold score over all rows scored, in the metric's own units; None unless ok (or one fold, pruned).
        fold_scores, fold_seconds: a number for each fold that finished; None where the score is not defined.
        predict_row_seconds: mean over the folds, of a row among many.
        row_seconds: of one row by itself, preprocessing included, in the fold that stands for all.
        size_bytes: on disk, of all folds.
        started, finished: seconds since the run began.
    """

    trial: int
    candidate: str
    label: str
    params: Params
    origin: str
    status: str
    score: float | None
    fold_scores: tuple[float | None, ...] = ()
    fold_seconds: tuple[float, ...] = ()
    seconds: float = 0.0
    peak_mb: float = 0.0
    predict_row_seconds: float = 0.0
    row_seconds: float = 0.0
    size_bytes: int = 0
    reason: str = ""
    started: float = 0.0
    finished: float = 0.0

    @property
    def model_bytes(self) -> float:
        """On disk, of one fold."""
        return self.size_bytes / max(1, len(self.fold_scores))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(record: dict[str, Any]) -> TrialResult:
        return TrialResult(
            **{
                **record,
                "fold_scores": tuple(record["fold_scores"]),
                "fold_seconds": tuple(record["fold_seconds"]),
            }
        )


def trial_space(candidate: Candidate, task: Task, table: Table) -> SearchSpace:
    """Everything that can be chosen about a family on this table: its own parameters and those of its matrix."""
    own = candidate.space(task, table.shape(task)).prefixed("model")
    return own | plan_space(candidate.needs, table.layout, len(table)).prefixed("preprocess")


def run_fold(payload: dict[str, Any]) -> dict[str, Any]:
    """Train and score one fold of one configuration.

    Args:
        payload: run (path), trial, fold, candidate, params, seed, seconds (None: no deadline), threads, lead (of
            another fold's record, or None).

    Returns:
        The record of `fold.json`: score, seconds and their parts, size_bytes, predict_row_seconds, lead.

    Raises:
        Exception: whatever the family raises; ValueError("non-finite predictions …") if they are of no use.
    """
    began = time.monotonic()
    run_path, trial, fold = payload["run"], int(payload["trial"]), int(payload["fold"])
    data = open_data(run_path)
    place = fold_folder(run_path, trial, fold)
    done = place / "fold.json"
    if done.exists():  # finished before the parent was killed
        record: dict[str, Any] = read_json(done)
        if record.get("made_by") in (None, mark(payload["candidate"], payload["params"])):
            return record  # else a power cut took the line that gave the number to another configuration
    matrices = make_matrices(payload, data)
    context = make_context(payload, data, matrices, began)
    prepared = time.monotonic()
    train, _ = data.rows_of(fold)
    estimator = candidates.get(payload["candidate"]).build(split_params(payload["params"], "model"), context)
    estimator.fit(matrices.train, data.target[train], None if data.weight is None else data.weight[train])
    return keep_fold(payload, data, matrices, estimator, began=began, prepared=prepared)


def make_matrices(payload: dict[str, Any], data: SearchData) -> FoldMatrices:
    """The matrices of a fold, as the payload's configuration asks for them."""
    run_path, fold = payload["run"], int(payload["fold"])
    train, score_rows = data.rows_of(fold)
    return get_fold_matrices(
        Path(run_path) / "search" / "cache",
        fold=fold,
        table=data.table,
        train=train,
        score=score_rows,
        needs=candidates.get(payload["candidate"]).needs,
        params=split_params(payload["params"], "preprocess"),
        fit=data.fit_rows(
            train,
            seed=fold_seed(int(payload["seed"]), fold),
            shared=Path(run_path) / "search" / "cache" / f"shared-{fold}",
        ),
    )


def make_context(payload: dict[str, Any], data: SearchData, matrices: FoldMatrices, began: float) -> FitContext:
    """What an estimator of a fold is told; `began` is the `time.monotonic()` from which its seconds count."""
    fold, seconds = int(payload["fold"]), payload.get("seconds")
    seed, train = fold_seed(int(payload["seed"]), fold), data.rows_of(fold)[0]
    candidate = candidates.get(payload["candidate"])
    lead = Lead(**payload["lead"]) if payload.get("lead") else None
    return FitContext(
        task=data.task,
        features=matrices.features,
        seed=seed,
        deadline=began + float(seconds) if seconds is not None else float("inf"),
        stop_rows=choose_stop_rows(data, train, seed) if lead is None else np.empty(0, dtype=np.int64),
        refit=len(train) <= REFIT_ROWS,
        lead=lead,
        threads=int(payload.get("threads", 1)),
        word_vectors=_word_vectors(payload["run"], candidate, matrices.transformer_path, data.table),
        backbone_file=data.table.layout.backbone_file,
    )


def keep_fold(
    payload: dict[str, Any],
    data: SearchData,
    matrices: FoldMatrices,
    estimator: Estimator,
    *,
    began: float,
    prepared: float,
) -> dict[str, Any]:
    """Score a fitted model of a fold and leave all that is known of it in the fold's folder; returns its record."""
    place = fold_folder(payload["run"], int(payload["trial"]), int(payload["fold"]))
    _, score_rows = data.rows_of(int(payload["fold"]))
    fitted = time.monotonic()
    outputs = check_outputs(estimator.predict(matrices.score), data.task)
    predicted = time.monotonic()
    transformer = Transformer.load(matrices.transformer_path, data.table.layout)
    golden = check_outputs(estimator.predict(transformer.transform(data.golden)), data.task)
    alone = data.golden.take(slice(0, 1))
    # one fold tells for all: a model may make itself ready for single rows, which takes a while
    tells = int(payload["fold"]) == data.chief_fold
    row_seconds = measure_seconds(lambda: estimator.predict(transformer.transform(alone))) if tells else None
    weight = None if data.weight is None else data.weight[score_rows]
    record = {
        "score": get_metric(data.task.metric).score(data.target[score_rows], outputs, weight),
        "fit_seconds": fitted - prepared,
        "prepare_seconds": prepared - began,
        "predict_row_seconds": (predicted - fitted) / max(1, len(score_rows)),
        "row_seconds": row_seconds,
        "lead": dataclasses.asdict(lead) if (lead := getattr(estimator, "lead", None)) else None,
        "made_by": mark(payload["candidate"], payload["params"]),
    }
    _keep(place, estimator, matrices.transformer_path, outputs, golden, record, began)
    return record


def mark(candidate: str, params: Params) -> str:
    """What tells configurations apart."""
    text = json.dumps([candidate, params], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def measure_seconds(call: Callable[[], Any]) -> float:
    """The quickest of some calls: what it costs in a warm process that nothing else disturbs."""
    spent: list[float] = []
    while not spent or (
        len(spent) < (ROW_REPEATS_MOST if sum(spent) < ROW_SECONDS else ROW_REPEATS) and sum(spent) < ROW_SECONDS_MOST
    ):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return min(spent)


def _word_vectors(run_path: str, candidate: Candidate, transformer_path: Path, table: Table) -> FloatArray | None:
    if candidate.needs.text != "tokens" or not (Path(run_path) / "data" / WORD_VECTORS).exists():
        return None
    text = Transformer.load(transformer_path, table.layout).text
    return read_word_vectors(Path(run_path) / "data", text.state["keys"][0]) if text is not None else None


def _keep(
    place: Path,
    estimator: Any,
    transform: Path,
    outputs: FloatArray,
    golden: FloatArray,
    record: dict[str, Any],
    began: float,
) -> None:
    own = place.with_name(f".{place.name}.tmp-{os.getpid()}")
    shutil.rmtree(own, ignore_errors=True)
    try:
        (own / "model").mkdir(parents=True)
        estimator.save(own / "model")
        shutil.copyfile(transform, own / "transform.npz")
        np.save(own / "oof.npy", outputs)
        np.save(own / "golden.npy", golden)
        record["size_bytes"] = sum(path.stat().st_size for path in own.rglob("*") if path.is_file())
        record["seconds"] = time.monotonic() - began
        record["score"] = _finite(record["score"])  # a fold with one class has no ROC AUC
        write_json(own / "fold.json", record)
        shutil.rmtree(place, ignore_errors=True)
        own.rename(place)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def fold_seed(seed: int, fold: int) -> int:
    """A fold's seed follows from the run's seed and the fold alone: all configurations meet the same luck."""
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0] % (2**31 - 1))


def choose_stop_rows(data: SearchData, train: IntArray, seed: int) -> IntArray:
    """Rows of the training matrix for early stopping, as positions in `train`; never rows that are scored.

    Whole groups where there are groups, the latest rows where time matters, else a stratified draw. Groups that would
    leave less than half of the rows to train on are never among them.
    """
    n = len(train)
    wanted = min(int(n * STOP_SHARE), MAX_STOP_ROWS)
    if n < 40 or wanted < 2 * data.task.n_classes:
        return np.empty(0, dtype=np.int64)
    if data.times is not None:
        order = np.argsort(data.times[train], kind="stable")
        return np.sort(order[-wanted:])
    rng = np.random.default_rng(seed)
    if data.groups is not None:
        groups = data.groups[train]
        names, sizes = np.unique(groups, return_counts=True)
        small = sizes <= n // 2 - wanted
        names, sizes = names[small], sizes[small]
        order = rng.permutation(len(names))
        taken = names[order[: int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1]]
        return np.nonzero(np.isin(groups, taken))[0]
    target = data.target[train]
    if not data.task.is_classification:
        return np.sort(rng.choice(n, wanted, replace=False))
    picked = []
    for label in range(data.task.n_classes):
        rows = rng.permutation(np.nonzero(target == label)[0])
        picked.append(rows[: round(len(rows) * wanted / n)])
    return np.sort(np.concatenate(picked))


def check_outputs(outputs: FloatArray, task: Task) -> FloatArray:
    """Predictions (n, k) float32 that are finite and, for classes, sum to 1.

    Raises:
        ValueError: if they are not finite or not probabilities.
    """
    outputs = np.asarray(outputs, dtype=np.float32)
    if outputs.ndim != 2 or outputs.shape[1] != task.n_outputs:
        raise ValueError(f"predictions have the shape {outputs.shape}, not (n, {task.n_outputs})")
    if not np.isfinite(outputs).all():
        raise NonFiniteError(f"non-finite predictions in {int((~np.isfinite(outputs)).any(axis=1).sum())} rows")
    if task.is_classification:
        if outputs.min(initial=0.0) < -1e-5 or outputs.max(initial=0.0) > 1 + 1e-5:
            raise NonFiniteError("probabilities outside 0 to 1")
        outputs = np.clip(outputs, 0, 1)
        sums = outputs.sum(axis=1, keepdims=True)
        if (sums <= 0).any():
            raise NonFiniteError("probabilities that are all zero")
        outputs = outputs / sums
    return outputs


class NonFiniteError(AutoMLError):
    """A model's predictions are of no use; the trial is recorded as non_finite."""
