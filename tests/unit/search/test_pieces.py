"""A fold fitted on all rows of a file: which rows it learns from, and that it is the fit it would be in one piece."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.candidates import FitContext
from automl.candidates._xgboost_pieces import ThinnedPieces
from automl.candidates.xgboost import plugin
from automl.matrix import Array, Feature, FloatArray
from automl.search import pieces, trial
from automl.search.pieces import hash_rows, run_all_rows
from automl.search.whole import find_all_rows
from automl.task import Task, TaskKind
from tests.unit.search.runs import StoredRun, store_run

ROWS, DRAWN = 6000, 1000
TASK = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"), metric="roc_auc", maximize=True)


@dataclasses.dataclass
class Cut:
    """An array in pieces of 700 rows."""

    matrix: FloatArray
    target: Array
    memory_bytes: float
    scratch: Path
    sampled: int = 0

    def __iter__(self) -> Iterator[FloatArray]:
        yield from np.split(self.matrix, range(700, len(self.matrix), 700))


def make_matrix(rows: int) -> tuple[FloatArray, Array]:
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(rows, 3)).astype(np.float32)
    matrix[:, 2] = rng.integers(0, 4, rows)
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    return matrix, (np.nan_to_num(matrix[:, 0]) + (matrix[:, 2] == 1) + rng.normal(size=rows) > 0.5).astype(np.int64)


@pytest.mark.parametrize("memory_bytes", [1e9, 1.0], ids=["in memory", "on disk"])
def test_a_fit_in_pieces_is_the_fit_of_all_at_once(tmp_path: Path, memory_bytes: float) -> None:
    matrix, y = make_matrix(3000)
    features = tuple(Feature(name=str(at), source=str(at), cardinality=4 * (at == 2)) for at in range(3))
    context = FitContext(task=TASK, features=features, seed=0, stop_rows=np.arange(500), threads=1)
    params = plugin.space(TASK, None).defaults() | {"subsample": 1.0, "colsample_bylevel": 1.0}  # type: ignore[arg-type]
    whole, cut = plugin.build(params, context), plugin.build(params, context)
    whole.fit(matrix, y, None)
    rows = Cut(matrix[500:], y[500:], memory_bytes, tmp_path, sampled=2500)
    cut.fit_pieces(rows, matrix[:500], y[:500], None)  # type: ignore[attr-defined]
    assert np.abs(whole.predict(matrix[:500]) - cut.predict(matrix[:500])).mean() < 0.02


def test_a_fit_goes_on_from_what_a_sample_taught(tmp_path: Path) -> None:
    matrix, y = make_matrix(6000)
    features = tuple(Feature(name=str(at), source=str(at), cardinality=4 * (at == 2)) for at in range(3))
    context = FitContext(task=TASK, features=features, seed=0, stop_rows=np.arange(500), threads=1)
    params = plugin.space(TASK, None).defaults()  # type: ignore[arg-type]
    start, on = plugin.build(params, context), plugin.build(params, context)
    start.fit(matrix[:1000], y[:1000], None)
    rows = Cut(matrix[500:], y[500:], 1e9, tmp_path, sampled=500)
    on.fit_pieces(rows, matrix[:500], y[:500], start)  # type: ignore[attr-defined]
    before, after = (each.booster.num_boosted_rounds() for each in (start, on))  # type: ignore[attr-defined]
    assert after > before
    fresh, truth = matrix[:500], y[:500]
    losses = [-np.log(each.predict(fresh)[np.arange(500), truth]).mean() for each in (start, on)]
    assert losses[1] < losses[0]


def test_a_fit_without_time_for_all_rows_goes_on_from_a_part_of_them(tmp_path: Path) -> None:
    matrix, y = make_matrix(6000)
    features = tuple(Feature(name=str(at), source=str(at), cardinality=4 * (at == 2)) for at in range(3))
    context = FitContext(task=TASK, features=features, seed=0, stop_rows=np.arange(500), threads=1)
    params = plugin.space(TASK, None).defaults()  # type: ignore[arg-type]
    start = plugin.build(params, context)
    start.fit(matrix[:1000], y[:1000], None)
    late = dataclasses.replace(context, deadline=time.monotonic())
    on = plugin.build(params, late)
    kept = on._keep_affordable(Cut(matrix, y, 1e9, tmp_path, sampled=1000), start.booster)  # type: ignore[attr-defined]
    assert 990 <= len(kept.target) <= 1010  # no fewer than the sample
    at_ease = plugin.build(params, context)
    rows = Cut(matrix, y, 1e9, tmp_path, sampled=1000)
    assert at_ease._keep_affordable(rows, start.booster) is rows  # type: ignore[attr-defined]


@pytest.mark.parametrize("share", [0.0001, 0.3, 1.0])
def test_thinned_pieces_are_an_even_part_of_the_rows_with_their_targets(tmp_path: Path, share: float) -> None:
    matrix, _ = make_matrix(6000)
    matrix[:, 0] = np.arange(6000)
    thin = ThinnedPieces(Cut(matrix, np.arange(6000), 1e9, tmp_path, sampled=2000), share)
    rows = np.concatenate(list(thin))[:, 0]
    assert (rows == thin.target).all()
    assert len(rows) == int(6000 * share)
    assert thin.sampled == int(2000 * share)
    assert len(rows) < 2 or np.ptp(np.diff(rows)) <= 1


def test_rows_of_equal_cells_have_equal_numbers_and_others_have_not() -> None:
    matrix, _ = make_matrix(3000)
    twice = hash_rows(np.vstack([matrix, matrix[::-1]]), sort=False)
    assert (twice[:3000] == twice[3000:][::-1]).all()
    assert len(np.unique(twice)) == len(np.unique(matrix.view(np.uint32), axis=0))
    assert (np.diff(hash_rows(matrix)) >= 0).all()


@pytest.fixture
def sampled(tmp_path: Path) -> tuple[StoredRun, pd.DataFrame, Path]:
    """A run over some rows of a file, of which a quarter are held out; the file, some rows of which have no target."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.normal(size=ROWS), "c": rng.choice([*"xyz"], ROWS)})
    frame["y"] = np.where(frame.a * frame.b + (frame.c == "x") > 0.3, "yes", "no")
    rows = np.sort(rng.choice(ROWS, DRAWN, replace=False))
    held = frame.iloc[rows]
    frame = pd.concat([frame, held.iloc[: DRAWN // 2]], ignore_index=True)  # the file holds some of them once more
    frame.loc[np.setdiff1d(np.arange(ROWS), rows)[:40], "y"] = None
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path, index=False)
    stored = store_run(tmp_path / "run", held.reset_index(drop=True), "y", split={"folds": 1})
    np.save(stored.run.data / "row_ids.npy", rows)
    stored.run.update(file_rows=len(frame), data=str(path))
    return stored, frame, path


def payload_of(stored: StoredRun, path: Path, total: int) -> dict[str, object]:
    told = {"file": str(path), "file_rows": total, "options": stored.recipe.data.model_dump(), "memory_mb": 1000.0}
    told["base"] = 3
    return stored.payload(stored.spec(9, "xgboost"), 0, **told)


def test_every_row_that_has_a_target_and_neither_scores_nor_stops_is_learned_from(
    sampled: tuple[StoredRun, pd.DataFrame, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, frame, path = sampled
    seen: list[pieces.StoredPieces] = []
    kept = pieces.StoredPieces
    monkeypatch.setattr(trial, "REFIT_ROWS", 100)
    oofs, _ = stored.complete(stored.spec(3, "xgboost"))
    monkeypatch.setattr(pieces, "StoredPieces", lambda **told: seen.append(kept(**told)) or seen[-1])
    record = run_all_rows(payload_of(stored, path, len(frame)))
    held = stored.data.folds[0]
    again = int((held < DRAWN // 2).sum())  # rows that score and stand in the file once more
    stop = round(0.15 * len(stored.data.trains[0]))
    assert record["rows"] == pytest.approx(len(frame) - 40 - len(held) - again - stop, abs=2)
    assert record["score"] > oofs.scores[3]
    assert len(seen) == 1
    outputs = np.load(stored.run.search / "models" / "0009-0" / "oof.npy")
    assert outputs.shape == (len(held), 2)
    assert not list((stored.run.search / "models").glob(".all-rows*"))


def test_a_file_that_has_changed_is_not_learned_from(sampled: tuple[StoredRun, pd.DataFrame, Path]) -> None:
    stored, frame, path = sampled
    with pytest.raises(ValueError, match=r"had 6,501 rows, and has 6,500 now"):
        run_all_rows(payload_of(stored, path, len(frame) + 1))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"data": {"group": "g"}}, "--group is kept on the sample only"),
        ({"data": {"weight": "w"}}, "--weight is kept on the sample only"),
    ],
)
def test_why_no_model_may_be_fitted_on_all_rows_is_said(
    sampled: tuple[StoredRun, pd.DataFrame, Path], changes: dict[str, object], reason: str | None
) -> None:
    stored, frame, path = sampled
    said: list[str] = []
    recipe = stored.recipe.override({"budget": {"seconds": 60, "trials": None}, **changes})
    found = find_all_rows(stored.run, recipe, stored.data, lambda event: said.append(event.reason))  # type: ignore[attr-defined]
    assert said == ([] if reason is None else [reason])
    assert (found is not None and (found.path, found.total) == (path, len(frame))) == (reason is None)
