"""Out-of-fold predictions: joined from folds in the order of the rows, scored over those that a fold scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.data import Split
from automl.metrics import get_metric
from automl.search import oof
from automl.search.data import fold_folder
from automl.search.oof import Oofs
from automl.search.racing import Race
from tests.unit.search.runs import StoredRun, make_multiclass_table, make_regression_table, store_run

ROWS = 120


def store(path: Path, *folds: list[int], repeats: int = 1, weights: bool = False) -> StoredRun:
    """A regression run with these folds, each trained on all other rows."""
    scored = tuple(np.array(fold, dtype=np.int64) for fold in folds)
    trains = tuple(np.setdiff1d(np.arange(ROWS), rows) for rows in scored)
    table = make_regression_table(ROWS)
    table["w"] = np.where(np.arange(ROWS) < 60, 1.0, 3.0)
    options = {"data": {"weight": "w"}} if weights else {"data": {"drop": ["w"]}}
    split = Split(folds=scored, trains=trains, repeats=repeats)
    return store_run(path, table, "price", split, metric="mae", **options)


def lay_down(stored: StoredRun, trial: int, *folds: np.ndarray) -> None:
    """Predictions as a worker leaves them."""
    for fold, values in enumerate(folds):
        place = fold_folder(stored.run.path, trial, fold)
        place.mkdir(parents=True)
        np.save(place / "oof.npy", np.asarray(values, dtype=np.float32).reshape(len(values), -1))


HALVES = [list(range(0, ROWS, 2)), list(range(1, ROWS, 2))]


def test_folds_are_joined_in_the_order_of_the_rows_stored_and_scored(tmp_path: Path) -> None:
    stored = store(tmp_path / "run", *HALVES)
    y = stored.data.target
    lay_down(stored, 4, y[0::2] + 1, y[1::2] - 3)
    oofs = Oofs(stored.run, stored.data)
    assert oofs.add(4) == pytest.approx(2.0, rel=1e-3)
    np.testing.assert_allclose(oofs.outputs[4][:, 0] - y, np.tile([1, -3], 60), atol=0.02)
    assert oofs.outputs[4].dtype == np.float32
    np.testing.assert_array_equal(np.load(stored.run.search / "oof" / "0004.npy"), oofs.outputs[4])
    assert oofs.scored.tolist() == list(range(ROWS))


def test_what_is_stored_is_read_again_without_being_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oof, "MAPPED_BYTES", 0)
    stored = store(tmp_path / "run", *HALVES)
    y = stored.data.target
    lay_down(stored, 1, y[0::2] + 1, y[1::2] - 3)
    lay_down(stored, 2, np.full(60, 5.0), np.full(60, 6.0))
    first = Oofs(stored.run, stored.data)
    for trial in (1, 2):
        first.add(trial)
    assert isinstance(first.outputs[1], np.memmap)  # large ones stay on the disk
    later = Oofs(stored.run, stored.data)
    for trial in (1, 2):
        later.read_outputs(trial)
        np.testing.assert_array_equal(later.outputs[trial], first.outputs[trial])
    assert set(later.candidates()) == {1}  # the other is constant in each fold
    joined = stored.run.search / "oof" / "0001.npy"
    joined.unlink()  # else what is mapped of it would be gone as well
    joined.write_bytes(b"")
    torn = Oofs(stored.run, stored.data)
    torn.read_outputs(1)
    np.testing.assert_array_equal(torn.outputs[1], first.outputs[1])


def test_a_first_fold_is_scored_by_what_sets_it_apart_from_the_best_not_by_how_easy_its_rows_are(
    tmp_path: Path,
) -> None:
    """The best errs by 1 in the first fold and by 3 in the second: 2. An error of 1.5 in the first makes 2.5 of all."""
    stored = store(tmp_path / "run", *HALVES)
    y = stored.data.target
    lay_down(stored, 4, y[0::2] + 1, y[1::2] - 3)
    lay_down(stored, 5, y[0::2] + 1.5)
    oofs = Oofs(stored.run, stored.data)
    race = Race(stored.run, stored.data, oofs, wanted=True)
    assert race.score(5) == pytest.approx(1.5, rel=1e-2)  # there is nothing to hold it against
    oofs.add(4)
    assert race.score(5) == pytest.approx(2.5, rel=1e-2)


def test_what_is_taken_up_again_is_what_was_added(tmp_path: Path) -> None:
    stored = store(tmp_path / "run", *HALVES)
    lay_down(stored, 0, np.arange(60.0), np.arange(60.0))
    first, second = Oofs(stored.run, stored.data), Oofs(stored.run, stored.data)
    first.add(0)
    (stored.run.search / "oof" / "0000.npy").unlink()
    second.read(0)
    np.testing.assert_array_equal(first.outputs[0], second.outputs[0])
    assert first.scores == second.scores
    assert not (stored.run.search / "oof" / "0000.npy").exists()


def test_rows_scored_in_several_repeats_are_averaged(tmp_path: Path) -> None:
    thirds = [list(range(60)), list(range(60, ROWS))]
    stored = store(tmp_path / "run", *HALVES, *thirds, repeats=2)
    lay_down(stored, 0, np.full(60, 10.0), np.full(60, 20.0), np.full(60, 30.0), np.full(60, 50.0))
    oofs = Oofs(stored.run, stored.data)
    oofs.add(0)
    assert oofs.outputs[0][[0, 1, 60, 61], 0].tolist() == [20.0, 25.0, 30.0, 35.0]


def test_rows_that_no_fold_scores_are_nan_and_enter_no_score(tmp_path: Path) -> None:
    stored = store(tmp_path / "run", list(range(60, 90)), list(range(90, ROWS)))
    y = stored.data.target
    lay_down(stored, 0, y[60:90] + 2, y[90:] + 4)
    oofs = Oofs(stored.run, stored.data)
    assert oofs.add(0) == pytest.approx(3.0, rel=1e-3)
    assert np.isnan(oofs.outputs[0][:60]).all()
    assert oofs.scored.tolist() == list(range(60, ROWS))
    assert oofs.on_scored_rows()[0].shape == (60, 1)
    assert np.isfinite(oofs.on_scored_rows()[0]).all()
    np.testing.assert_array_equal(oofs.target(), y[60:])


def test_weights_of_the_scored_rows_enter_the_score(tmp_path: Path) -> None:
    stored = store(tmp_path / "run", list(range(30, 60)), list(range(60, 90)), weights=True)
    y = stored.data.target
    lay_down(stored, 0, y[30:60] + 4, y[60:90])
    oofs = Oofs(stored.run, stored.data)
    assert oofs.add(0) == pytest.approx(1.0, rel=1e-2)  # errors of 4 with weight 1 beside errors of 0 with weight 3
    assert oofs.weight() is not None and set(oofs.weight()) == {0.5, 1.5}  # type: ignore[arg-type]


def test_a_rare_class_is_scored_at_the_threshold_that_suits_the_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=600)
    frame = pd.DataFrame({"x": x, "y": np.where(rng.random(600) < 1 / (1 + np.exp(3 - 1.5 * x)), "b", "a")})
    stored = store_run(tmp_path / "run", frame, "y", metric="f1")
    chances = [1 / (1 + np.exp(3 - 1.5 * x[rows])) for rows in stored.data.folds]
    lay_down(stored, 0, *(np.column_stack([1 - each, each]) for each in chances))
    oofs = Oofs(stored.run, stored.data)

    score = oofs.add(0)

    plain = get_metric("f1").score(stored.data.target, oofs.outputs[0])
    assert oofs.thresholds[0] < 0.45
    assert score > plain + 0.05
    assert get_metric("f1").score(stored.data.target, oofs.judged(0, oofs.scored)) == score


def test_the_best_is_the_earliest_of_equals_and_never_one_without_a_score(tmp_path: Path) -> None:
    stored = store(tmp_path / "run", *HALVES)
    oofs = Oofs(stored.run, stored.data)
    assert oofs.best is None
    oofs.scores = {5: 2.0, 1: float("nan"), 3: 1.5, 4: 1.5, 0: float("inf")}
    assert oofs.best == 3


def test_models_that_are_constant_in_each_fold_are_no_choice_for_an_ensemble(tmp_path: Path) -> None:
    """Their level differs from fold to fold, so that the joined column varies."""
    stored = store(tmp_path / "run", *HALVES)
    lay_down(stored, 0, np.full(60, 1.0), np.full(60, 2.0))
    oofs = Oofs(stored.run, stored.data)
    oofs.add(0)
    assert list(oofs.candidates()) == [0]  # there is nothing else
    lay_down(stored, 1, np.arange(60.0), np.full(60, 2.0))
    oofs.add(1)
    assert list(oofs.candidates()) == [1]
    assert list(oofs.on_scored_rows()) == [0, 1]


def test_trials_run_through_a_whole_stored_data_set(tmp_path: Path) -> None:
    stored = store_run(tmp_path / "run", make_multiclass_table(), "kind")
    oofs, _ = stored.complete(stored.spec(0, "dummy"), stored.spec(1, "linear"))
    assert oofs.best == 1
    assert oofs.scores[0] == pytest.approx(np.log(3), abs=0.05)
    metric = get_metric("log_loss")
    assert oofs.scores[1] == metric.score(stored.data.target, oofs.outputs[1])
    np.testing.assert_allclose(oofs.outputs[1].sum(axis=1), 1, atol=1e-5)


def test_a_metric_of_probabilities_compares_models_by_what_they_know_not_by_how_boldly_they_say_it(
    tmp_path: Path,
) -> None:
    """Temperature 1 / 3: the same order of classes, said so timidly that the log loss suffers."""
    rng = np.random.default_rng(0)
    rows = 600
    truth = rng.integers(0, 3, rows)
    margins = 4.0 * np.eye(3)[truth] + rng.normal(0, 1.5, (rows, 3))
    kind = np.array(["ash", "elm", "oak"])[truth]
    frame = pd.DataFrame({"a": margins[:, 0], "b": margins[:, 1], "kind": kind})
    for metric, calibrated in (("log_loss", True), ("accuracy", False)):
        stored = store_run(tmp_path / metric, frame, "kind", metric=metric, split={"folds": 3, "repeats": 1})
        oofs = Oofs(stored.run, stored.data)
        timid = np.exp(margins / 3) / np.exp(margins / 3).sum(axis=1, keepdims=True)
        lay_down(stored, 7, *(timid[scored] for scored in stored.data.folds))
        oofs.add(7)
        assert oofs.calibrators[7].is_identity == (not calibrated)
        if calibrated:
            assert oofs.calibrators[7].slope > 1.5
            raw = float(-np.log(timid[np.arange(rows), truth]).mean())
            assert oofs.scores[7] < 0.9 * raw
            assert Race(stored.run, stored.data, oofs, wanted=True).score(7) < 0.95 * raw  # its first fold alone
            again = Oofs(stored.run, stored.data)
            again.read(7)
            assert np.array_equal(again.outputs[7], oofs.outputs[7])


def test_of_large_outputs_the_scored_rows_are_read_from_the_disk_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oof, "MAPPED_BYTES", 0)
    stored = store(tmp_path / "run", HALVES[0])
    lay_down(stored, 1, stored.data.target[0::2] + 1)
    oofs = Oofs(stored.run, stored.data)
    oofs.add(1)
    known = oofs.on_scored_rows()[1]
    assert isinstance(known, np.memmap) and isinstance(oofs.outputs[1], np.memmap)
    np.testing.assert_array_equal(known, oofs.outputs[1][oofs.scored])
