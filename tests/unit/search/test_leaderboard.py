"""The leaderboard: order, ties, the ensemble beside its members, and the two files."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.errors import SearchError
from automl.files import write_json
from automl.matrix import FloatArray
from automl.metrics import get_metric
from automl.run import Run
from automl.search.leaderboard import (
    Entry,
    build_leaderboard,
    correct_leaderboard,
    fold_interval,
    read_leaderboard,
    write_leaderboard,
)
from automl.search.trial import TrialResult
from tests.unit.search.test_records import make_result

MAE = get_metric("mae")
ROWS = 400
Y = np.zeros(ROWS)


def errors(level: float, seed: int) -> FloatArray:
    """Predictions of Y whose errors are about `level`."""
    return (level + 0.2 * np.random.default_rng(seed).normal(size=ROWS)).astype(np.float32)[:, None]


def build(
    results: list[TrialResult], oofs: dict[int, FloatArray], weights: dict[int, float] | None = None
) -> list[Entry]:
    weights = weights or {}
    blend = sum(share * oofs[trial] for trial, share in weights.items()) if len(weights) > 1 else None
    score = float(MAE.score(Y, blend)) if blend is not None else None  # type: ignore[arg-type]
    return build_leaderboard(
        results, oofs, y=Y, metric=MAE, weights=weights, blend=blend, blend_score=score  # type: ignore[arg-type]
    )  # fmt: skip


def results_of(oofs: dict[int, FloatArray], **changes: Any) -> list[TrialResult]:
    return [make_result(trial, score=float(MAE.score(Y, outputs)), **changes) for trial, outputs in oofs.items()]


def test_models_stand_in_the_order_of_their_scores_and_equals_are_ties() -> None:
    oofs = {0: errors(2.0, 0), 1: errors(1.001, 1), 2: errors(1.0, 2), 3: errors(1.5, 3)}
    entries = build(results_of(oofs), oofs)
    scores = [entry.score for entry in entries]
    assert scores == sorted(scores)
    assert [entry.rank for entry in entries] == [1, 2, 3, 4]
    assert {entries[0].trial, entries[1].trial} == {1, 2}
    assert [entry.trial for entry in entries[2:]] == [3, 0]
    assert [entry.tied for entry in entries] == [False, True, False, False]


def test_a_score_to_be_maximized_is_ordered_downwards() -> None:
    y = np.arange(ROWS) % 2
    good, bad = (np.column_stack([1 - p, p]).astype(np.float32) for p in (np.where(y, 0.8, 0.2), np.full(ROWS, 0.4)))
    results = [make_result(0, score=0.5), make_result(1, score=1.0)]
    entries = build_leaderboard(
        results, {0: bad, 1: good}, y=y, metric=get_metric("accuracy"), weights={}, blend=None, blend_score=None
    )
    assert [entry.trial for entry in entries] == [1, 0]


def test_only_complete_configurations_enter() -> None:
    oofs = {0: errors(1.0, 0)}
    others = [make_result(1, status="pruned", score=0.1), make_result(2, status="failed", score=None), make_result(3)]
    assert [entry.trial for entry in build([*results_of(oofs), *others], oofs)] == [0]


def test_an_empty_search_has_an_empty_leaderboard() -> None:
    assert build([], {}) == []


def test_the_constant_is_named_a_baseline() -> None:
    oofs = {0: errors(1.0, 0), 1: errors(2.0, 1)}
    first, second = results_of(oofs)
    entries = build([make_result(0, score=first.score, candidate="dummy"), second], oofs)
    assert [entry.kind for entry in entries] == ["baseline", "model"]


def test_the_ensemble_stands_beside_its_members_with_what_they_cost_together() -> None:
    oofs = {0: errors(1.0, 0), 1: -errors(1.0, 1), 2: errors(3.0, 2)}
    results = results_of(
        oofs, fold_scores=(1.0, 1.2), fold_seconds=(1.5, 2.5), size_bytes=2_000_000, predict_row_seconds=1e-4
    )
    entries = build(results, oofs, {0: 0.5, 1: 0.5})
    ensemble = entries[0]
    assert (ensemble.kind, ensemble.name, ensemble.trial, ensemble.rank) == ("ensemble", "ensemble of 2", None, 1)
    assert ensemble.score < 0.2
    assert (ensemble.fit_seconds, ensemble.size_mb, ensemble.weight) == (8.0, 4.0, 1.0)
    assert ensemble.predict_ms == 0.4  # 0.1 ms a fold, 2 folds, 2 members
    assert {entry.trial: entry.weight for entry in entries[1:]} == {0: 0.5, 1: 0.5, 2: 0.0}


def test_an_ensemble_of_one_is_that_model_alone() -> None:
    oofs = {0: errors(1.0, 0), 1: errors(2.0, 1)}
    entries = build(results_of(oofs), oofs, {0: 1.0})
    assert [(entry.trial, entry.weight) for entry in entries] == [(0, 1.0), (1, 0.0)]


def test_an_ensemble_as_good_as_its_best_member_stands_before_it() -> None:
    same = errors(1.0, 0)
    oofs = {0: same, 1: same}
    entries = build(results_of(oofs), oofs, {0: 0.5, 1: 0.5})
    assert [entry.trial for entry in entries] == [None, 0, 1]
    assert [entry.tied for entry in entries] == [False, True, True]


def test_an_interval_from_folds_worked_by_hand() -> None:
    """Folds 1, 2, 3: deviation 1, so half the width is 1.96 / √3."""
    low, high = fold_interval(2.0, (1.0, 2.0, 3.0))
    assert (low, high) == pytest.approx((2 - 1.96 / 3**0.5, 2 + 1.96 / 3**0.5))
    assert fold_interval(2.0, (2.0,)) == (2.0, 2.0)
    assert fold_interval(2.0, (None, 1.0, 2.0, 3.0, None)) == (low, high)


def test_folds_without_a_score_leave_the_interval_to_the_others() -> None:
    oofs = {0: errors(1.0, 0), 1: -errors(1.0, 1)}
    entries = build(results_of(oofs, fold_scores=(None, 0.5, 1.5)), oofs, {0: 0.5, 1: 0.5})
    widths = [entry.high - entry.low for entry in entries]
    assert widths == pytest.approx([2 * 1.96 * 0.5**0.5 / 2**0.5] * 3)


def test_both_files_say_the_same(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", data_name="t", record={})
    with pytest.raises(SearchError, match="no leaderboard yet"):
        read_leaderboard(run)
    oofs = {0: errors(1.0, 0), 1: errors(2.0, 1)}
    results = results_of(oofs, label='größe, "x"\nand more')
    write_leaderboard(run, build(results, oofs), "mae", maximize=False)
    record = read_leaderboard(run)
    assert (record["schema_version"], record["metric"], record["maximize"]) == (1, "mae", False)
    with run.leaderboard_path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "rank", "name", "candidate", "kind", "score", "low", "high", "raw_score", "tied", "folds", "fit_seconds",
        "predict_ms", "size_mb", "weight", "trial",
    ]  # fmt: skip
    for row, model in zip(rows, record["models"], strict=True):
        assert row == {key: str(value) for key, value in model.items() if key != "params"}
    assert record["models"][0]["params"] == {"model.C": 0.5}


def test_without_a_drawn_interval_the_spread_over_folds_stays(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", data_name="d", record={})
    model = {field.name: None for field in dataclasses.fields(Entry)}
    board = [{**model, "rank": 1, "weight": 1.0, "score": 0.9, "low": 0.88, "high": 0.92}]
    write_json(
        run.path / "leaderboard.json", {"schema_version": 1, "metric": "accuracy", "maximize": True, "models": board}
    )
    correct_leaderboard(run, score=0.9, low=None, high=None)
    (first,) = read_leaderboard(run)["models"]
    assert (first["score"], first["low"], first["high"]) == (0.9, 0.88, 0.92)


def test_the_deployed_model_gets_the_corrected_score_and_keeps_its_rank(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", data_name="d", record={})
    model = {field.name: None for field in dataclasses.fields(Entry)}
    board = [{**model, "rank": 1, "weight": 1.0, "score": 0.9, "raw_score": 0.9}, {**model, "rank": 2, "weight": 0.4}]
    write_json(
        run.path / "leaderboard.json", {"schema_version": 1, "metric": "roc_auc", "maximize": True, "models": board}
    )

    correct_leaderboard(run, score=0.88, low=0.85, high=0.91)

    first, second = read_leaderboard(run)["models"]
    assert (first["rank"], first["score"], first["low"], first["high"]) == (1, 0.88, 0.85, 0.91)
    assert first["raw_score"] == 0.9
    assert second["score"] is None


def test_two_models_of_the_same_worth_are_ties_by_the_area_nineteen_times_of_twenty() -> None:
    rng, tied = np.random.default_rng(0), []
    for _ in range(200):
        y = (rng.random(300) < 0.3).astype(np.int64)
        oofs = {}
        for trial in range(2):
            p = 1 / (1 + np.exp(-(y + rng.normal(size=300))))
            oofs[trial] = np.column_stack([1 - p, p]).astype(np.float32)
        area = get_metric("roc_auc")
        results = [make_result(trial, score=float(area.score(y, outputs))) for trial, outputs in oofs.items()]
        tied.append(
            build_leaderboard(results, oofs, y=y, metric=area, weights={}, blend=None, blend_score=None)[1].tied
        )
    assert 0.9 < np.mean(tied) < 0.99
