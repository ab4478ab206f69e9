"""A student learns what its ensemble says, and is a model like any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.cli.main import run as run_command
from automl.ensemble.artifact import load_predictor
from automl.ensemble.build import EnsembleBuilder
from automl.ensemble.distill import Distilled, _soften, distill
from automl.errors import EngineError, SearchError, UsageError
from automl.files import read_json
from automl.predictor import Predictor
from tests.unit.export.models import make_table, store_model
from tests.unit.monitor.conftest import finish
from tests.unit.search.runs import StoredRun, store_run


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    return store_model(tmp_path_factory.mktemp("distill") / "run")


def _quiet(_: str) -> None:
    pass


def test_the_student_is_a_model_folder_that_predicts(stored: StoredRun, tmp_path: Path) -> None:
    result = distill(stored.run, "linear", tmp_path / "student", keep=0.5, tell=_quiet)
    student: Predictor = load_predictor(tmp_path / "student")
    assert (student.threshold, len(read_json(tmp_path / "student" / "ensemble.json")["members"])) == (0.45, 1)
    table = make_table()
    right = (student.predict(table) == table["bought"].to_numpy()).mean()
    assert right > 0.8
    assert 0.5 < result.kept < 1.5
    assert student.manifest["distilled"]["student"] == result.student


def test_a_student_that_keeps_too_little_is_not_written(stored: StoredRun, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"dummy keeps -?[0-9.]+% .* less than 99.0%"):
        distill(stored.run, "dummy", tmp_path / "student", keep=0.99, tell=_quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_before_anything_is_learned(stored: StoredRun, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n")
    told: list[str] = []
    with pytest.raises(EngineError, match=r"Cannot write .*: Not a directory"):
        distill(stored.run, "linear", tmp_path / "table.csv" / "student", keep=0.5, tell=told.append)
    assert told == []


def test_a_refusal_leaves_no_folder_behind(stored: StoredRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["distill", str(stored.run.path), "--to", "lineer"]) == 2
    assert "'linear'" in capsys.readouterr().err
    assert not (stored.run.path / "distilled").exists()


def test_a_family_that_cannot_learn_this_is_refused(tmp_path: Path) -> None:
    run = store_model(tmp_path / "run", kind="regression").run
    with pytest.raises(UsageError, match="naive_bayes cannot learn this"):
        distill(run, "naive_bayes", tmp_path / "student", keep=0.5, tell=_quiet)


def test_kept_is_a_share_of_the_gain_over_a_constant() -> None:
    scores = {"teacher": 0.9, "student": 0.85, "constant": 0.5}
    assert Distilled(candidate="linear", metric="roc_auc", **scores).kept == pytest.approx(0.875)
    errors = {"teacher": 2.0, "student": 3.0, "constant": 6.0}
    assert Distilled(candidate="linear", metric="rmse", **errors).kept == pytest.approx(0.75)


def test_a_row_stands_once_a_likely_class_with_its_share_as_weight(stored: StoredRun) -> None:
    """Half truth, half teacher; a class of less than 2% is left out."""
    teacher = np.zeros((len(stored.data.target), 2), dtype=np.float32)
    teacher[:3] = [[0.4, 0.6], [0.99, 0.01], [0.01, 0.99]]
    truth = stored.data.target[:3]
    places, classes, weight = _soften(stored.data, np.arange(3), teacher)
    shares = 0.5 * teacher[:3] + 0.5 * np.eye(2)[truth]
    expected = {
        (row, label): shares[row, label] for row in range(3) for label in range(2) if shares[row, label] >= 0.02
    }
    found = dict(zip(zip(places.tolist(), classes.tolist(), strict=True), weight.tolist(), strict=True))
    scale = sum(expected.values()) / len(expected)
    assert found == pytest.approx({place: share / scale for place, share in expected.items()})


def test_of_later_and_later_rows_the_first_block_has_no_student_and_a_holdout_has_none_at_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"a": rng.normal(size=400), "when": pd.date_range("2020-01-01", periods=400)})
    frame["y"] = frame.a + rng.normal(size=400)
    in_order = store_run(tmp_path / "in_order", frame.astype({"when": "str"}), "y", data={"time": "when"})
    finish(in_order, "linear")
    found = distill(in_order.run, "linear", tmp_path / "student", keep=0.5, tell=_quiet)
    assert found.kept == pytest.approx(1.0, abs=0.2)

    held_out = store_run(tmp_path / "held_out", frame, "y", split={"folds": 1}, data={"drop": ["when"]})
    oofs, records = held_out.complete(held_out.spec(0, "linear"))
    EnsembleBuilder(
        held_out.run, held_out.data, held_out.schema, held_out.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 1.0,
    ).update()  # fmt: skip
    with pytest.raises(UsageError, match="scored on a single fold"):
        distill(held_out.run, "linear", tmp_path / "none", keep=0.5, tell=_quiet)


def test_both_are_judged_at_the_threshold_at_which_they_answer(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"a": rng.normal(size=1_500), "b": rng.normal(size=1_500)})
    frame["rare"] = np.where(rng.random(1_500) < 1 / (1 + np.exp(4 - 2 * frame.a)), "yes", "no")
    run = store_run(tmp_path / "run", frame, "rare", split={"folds": 3, "repeats": 1}, metric="f1")
    finish(run, "linear")
    threshold = read_json(run.run.model / "manifest.json")["threshold"]
    assert threshold < 0.45
    found = distill(run.run, "linear", tmp_path / "student", keep=0.5, tell=_quiet)
    assert found.teacher == pytest.approx(read_json(run.run.model / "manifest.json")["out_of_fold_score"], abs=0.03)
    assert found.student > found.teacher - 0.1


def test_answers_that_were_cleared_away_are_told_as_that(stored: StoredRun, tmp_path: Path) -> None:
    copy = stored.copy_to(tmp_path / "copy")
    shutil.rmtree(copy.run.search)
    with pytest.raises(UsageError, match="no longer holds what the models of its folds said"):
        distill(copy.run, "linear", tmp_path / "student", keep=0.5, tell=_quiet)


def test_a_student_of_values_knows_its_own_intervals(tmp_path: Path) -> None:
    stored = store_model(tmp_path / "run", kind="regression")
    distill(stored.run, "linear", tmp_path / "student", keep=0.5, tell=lambda _: None)
    intervals = load_predictor(tmp_path / "student").find_intervals()
    assert intervals.rows == len(stored.data.target)
