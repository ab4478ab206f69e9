"""Complete configurations in order, beside the ensemble and the baselines; ties shown as ties."""

from __future__ import annotations

import csv
import dataclasses
import io
import shlex
from collections.abc import Callable
from typing import Any

import numpy as np

from automl.errors import SearchError
from automl.files import read_json, write_json, write_text
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import Metric
from automl.run import Run
from automl.search.racing import standard_score
from automl.search.trial import TrialResult

TIE_Z = 1.96


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a leaderboard.

    Attributes:
        kind: "ensemble", "model" or "baseline".
        score: out of fold, in the metric's own units; `low` and `high` from the spread over folds. Once the run is
            evaluated, those of the deployed model are the corrected score and its interval.
        raw_score: what it was ranked by.
        tied: a paired test on common rows cannot tell it from the first.
        fit_seconds: all folds together, of all members.
        predict_ms: one row among many, of all members together.
    """

    rank: int
    name: str
    candidate: str
    kind: str
    score: float
    low: float
    high: float
    raw_score: float
    tied: bool
    folds: int
    fit_seconds: float
    predict_ms: float
    size_mb: float
    weight: float
    trial: int | None
    params: dict[str, Any]


def build_leaderboard(
    results: list[TrialResult],
    oofs: dict[int, FloatArray],
    *,
    y: Array,
    metric: Metric,
    weights: dict[int, float],
    blend: FloatArray | None,
    blend_score: float | None,
    weight: Array | None = None,
    units: IntArray | None = None,
    count_models: Callable[[str], int] | None = None,
    count_bytes: Callable[[TrialResult], float] = lambda result: result.size_bytes,
) -> list[Entry]:
    """Rank complete configurations and the ensemble.

    Args:
        oofs: trial → out-of-fold outputs (n, k) on the scored rows.
        y: targets of those rows.
        weights: trial → share in the ensemble.
        blend: the ensemble's own outputs on the same rows, as the metric is to see them, if it has several members.
        weight, units: of those rows, as `automl.search.racing.standard_score` has them.
        count_models: how many models of a family's configuration answer a row; those of all folds unless given.
        count_bytes: what the models of a configuration take that answer; those of all folds unless given.
    """
    complete = {result.trial: result for result in results if result.status == "ok" and result.trial in oofs}
    outputs: dict[int | None, FloatArray] = dict(oofs.items())
    rows = [
        _model_entry(result, weights.get(result.trial, 0.0), count_models, count_bytes(result))
        for result in complete.values()
    ]
    if blend is not None and blend_score is not None and len(weights) > 1:
        outputs[None] = blend
        members = [complete[trial] for trial in weights if trial in complete]
        rows.append(_ensemble_entry(members, blend_score, count_models, sum(map(count_bytes, members))))
    sign = -1 if metric.maximize else 1
    rows.sort(key=lambda row: (sign * row["score"], row["kind"] != "ensemble", row["trial"] or 0))
    first = outputs[rows[0]["trial"]] if rows else None
    influences = metric.row_influences(y, first, weight) if first is not None and len(rows) > 1 else None
    entries = []
    for rank, row in enumerate(rows, start=1):
        z = np.inf
        if rank > 1 and influences is not None:
            difference = metric.row_influences(y, outputs[row["trial"]], weight) - influences
            z = standard_score(difference, weight, units)
        entries.append(Entry(rank=rank, tied=bool(z < TIE_Z), **row))
    return entries


def _model_entry(
    result: TrialResult, weight: float, count_models: Callable[[str], int] | None, size_bytes: float
) -> dict[str, Any]:
    low, high = fold_interval(result.score or 0.0, result.fold_scores)
    return {
        "name": result.label,
        "candidate": result.candidate,
        "kind": "baseline" if result.candidate == "dummy" else "model",
        "score": result.score,
        "low": low,
        "high": high,
        "raw_score": result.score,
        "folds": len(result.fold_scores),
        "fit_seconds": round(sum(result.fold_seconds), 3),
        "predict_ms": round(_predict_seconds(result, count_models) * 1000, 4),
        "size_mb": round(size_bytes / 1e6, 3),
        "weight": round(weight, 4),
        "trial": result.trial,
        "params": result.params,
    }


def _predict_seconds(result: TrialResult, count_models: Callable[[str], int] | None) -> float:
    """What one row among many takes of all models that answer it."""
    return result.predict_row_seconds * (
        len(result.fold_scores) if count_models is None else count_models(result.candidate)
    )


def _ensemble_entry(
    members: list[TrialResult], score: float, count_models: Callable[[str], int] | None, size_bytes: float
) -> dict[str, Any]:
    folds = min((len(member.fold_scores) for member in members), default=0)
    by_fold = zip(*(member.fold_scores[:folds] for member in members), strict=True)
    means = [None if None in scores else float(np.mean(scores)) for scores in by_fold]
    low, high = fold_interval(score, tuple(means))
    return {
        "name": f"ensemble of {len(members)}",
        "candidate": "ensemble",
        "kind": "ensemble",
        "score": score,
        "low": low,
        "high": high,
        "raw_score": score,
        "folds": folds,
        "fit_seconds": round(sum(sum(member.fold_seconds) for member in members), 3),
        "predict_ms": round(sum(_predict_seconds(member, count_models) for member in members) * 1000, 4),
        "size_mb": round(size_bytes / 1e6, 3),
        "weight": 1.0,
        "trial": None,
        "params": {},
    }


def fold_interval(score: float, fold_scores: tuple[float | None, ...]) -> tuple[float, float]:
    """95% interval of a mean from its folds; rough, as folds share training rows."""
    known = np.array([value for value in fold_scores if value is not None and np.isfinite(value)])
    if len(known) < 2:
        return score, score
    half = 1.96 * float(known.std(ddof=1)) / float(np.sqrt(len(known)))
    return score - half, score + half


def correct_leaderboard(run: Run, *, score: float, low: float | None, high: float | None) -> None:
    """Give the deployed model the score that can be believed; ranks stay as the models were chosen.

    Args:
        low, high: None where the time was too short to draw them; the spread over folds then stays.
    """
    record = read_leaderboard(run)
    for model in record["models"]:
        if model["weight"] == 1.0:
            model["score"] = score
            if low is not None and high is not None:
                model.update(low=low, high=high)
    _write(run, record)


def write_leaderboard(run: Run, entries: list[Entry], metric_name: str, *, maximize: bool) -> None:
    """leaderboard.json for programs, leaderboard.csv for spreadsheets."""
    models = [dataclasses.asdict(entry) for entry in entries]
    _write(run, {"schema_version": 1, "metric": metric_name, "maximize": maximize, "models": models})


def _write(run: Run, record: dict[str, Any]) -> None:
    write_json(run.path / "leaderboard.json", record)
    columns = [field.name for field in dataclasses.fields(Entry) if field.name != "params"]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(record["models"])
    write_text(run.leaderboard_path, buffer.getvalue())


def read_leaderboard(run: Run) -> dict[str, Any]:
    """What `write_leaderboard` wrote.

    Raises:
        SearchError: if the run has none yet.
    """
    path = run.path / "leaderboard.json"
    if not path.exists():
        raise SearchError(f"{run.path} has no leaderboard yet", hint=f"automl status {shlex.quote(str(run.path))}")
    record: dict[str, Any] = read_json(path)
    return record
