"""The model folder: what is loaded answers as what was saved, and anything else is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from automl.ensemble import artifact, bag
from automl.ensemble.artifact import find_model_folder, load_predictor, restore_model, save_model
from automl.ensemble.bag import load_bag, load_fold
from automl.ensemble.golden import check_golden, golden_frame, golden_records
from automl.errors import ArtifactError, AutoMLError, EngineError, UsageError
from automl.files import read_json, sha256, write_json
from automl.predictor import Predictor
from automl.run import Run
from automl.schema import Column, Role, Schema
from automl.search.calibration import IDENTITY, Calibrator
from automl.search.data import fold_folder
from automl.search.trial import TrialResult
from automl.task import Task, TaskKind
from tests.unit.search.runs import StoredRun, make_multiclass_table, make_regression_table, store_run

WORDS = ["good", "bad", "food", "wine", "the", "was", "and", "never"]
CALIBRATOR = Calibrator(slope=1.3)
WEIGHTS = {2: 0.75, 1: 0.25}
FACTS = {"run": "run", "out_of_fold_score": 0.5, "threshold": 0.5}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredRun, dict[int, TrialResult]]:
    """A constant, a linear model and naive Bayes, all folds done."""
    stored = store_run(tmp_path_factory.mktemp("artifact") / "run", make_multiclass_table(), "kind")
    _, records = stored.complete(*(stored.spec(at, name) for at, name in enumerate(("dummy", "linear", "naive_bayes"))))
    return stored, records.results


@pytest.fixture(scope="module")
def model(trained: tuple[StoredRun, dict[int, TrialResult]]) -> Path:
    """A model folder; tests that change it take a copy."""
    stored, results = trained
    save(stored, results)
    return stored.run.model


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    return shutil.copytree(model, tmp_path / "model")


def save(stored: StoredRun, results: dict[int, TrialResult], weights: dict[int, float] | None = None) -> None:
    save_model(stored.run, stored.data, stored.schema, results, weights or WEIGHTS, CALIBRATOR, FACTS)


def forge(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Change a JSON file and its checksum with it, as one would who wants to be believed."""
    record = change(read_json(folder / name))
    write_json(folder / name, record)
    accept(folder, name)


def accept(folder: Path, name: str) -> None:
    manifest = read_json(folder / "manifest.json")
    manifest["files"][name] = {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size}
    write_json(folder / "manifest.json", manifest)


# ---- the same answers ----


def test_a_loaded_model_answers_as_its_members_did_when_they_were_trained(
    trained: tuple[StoredRun, dict[int, TrialResult]], model: Path
) -> None:
    """Each fold's models, read from disk, give the rows of their fold what they gave them in the worker."""
    stored, _ = trained
    record = read_json(model / "ensemble.json")
    for fold, rows in enumerate(stored.split.folds):
        oofs = {trial: np.load(fold_folder(stored.run.path, trial, fold) / "oof.npy") for trial in WEIGHTS}
        expected = CALIBRATOR.apply((0.75 * oofs[2] + 0.25 * oofs[1]).astype(np.float32))
        bag_model = load_fold(stored.run.path, record, stored.schema, stored.data.task, fold)
        found = bag_model.predict_table(stored.data.table.take(rows))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_member_is_calibrated_before_it_is_mixed(trained: tuple[StoredRun, dict[int, TrialResult]]) -> None:
    stored, results = trained
    bold = Calibrator(slope=2.5)
    save_model(stored.run, stored.data, stored.schema, results, WEIGHTS, CALIBRATOR, FACTS, parts={2: bold})
    record = read_json(stored.run.model / "ensemble.json")
    rows = stored.split.folds[0]
    oofs = {trial: np.load(fold_folder(stored.run.path, trial, 0) / "oof.npy") for trial in WEIGHTS}
    expected = CALIBRATOR.apply((0.75 * bold.apply(oofs[2]) + 0.25 * oofs[1]).astype(np.float32))
    one = load_fold(stored.run.path, record, stored.schema, stored.data.task, 0)
    np.testing.assert_allclose(one.predict_table(stored.data.table.take(rows)), expected, atol=1e-6)
    load_predictor(stored.run.path)  # its golden rows agree
    save(stored, results)


def test_a_loaded_model_is_the_mean_of_its_folds(
    trained: tuple[StoredRun, dict[int, TrialResult]], model: Path
) -> None:
    stored, _ = trained
    record = {**read_json(model / "ensemble.json"), "calibrator": IDENTITY.to_json()}
    folds = range(len(stored.split))
    each = [load_fold(stored.run.path, record, stored.schema, stored.data.task, fold) for fold in folds]
    whole = load_bag(model, record, stored.schema, stored.data.task)
    mean = np.mean([one.predict_table(stored.data.table) for one in each], axis=0)
    np.testing.assert_allclose(whole.predict_table(stored.data.table), mean, atol=1e-6)


def test_raw_text_unseen_levels_and_gaps_are_predicted(tmp_path: Path) -> None:
    stored = store_run(tmp_path / "run", make_regression_table(), "price")
    _, records = stored.complete(stored.spec(0, "linear"))
    save(stored, records.results, {0: 1.0})
    predictor = load_predictor(stored.run.path)
    typed = pd.DataFrame({"size": [50.0, 51.5, np.nan], "city": ["Wien", "Bonn", None], "when": ["2021-03-01"] * 3})
    texts = pd.DataFrame(
        {"when": ["2021-03-01"] * 3, "size": ["50.0", "51.5", ""], "city": ["Wien", "Bonn", ""], "x": 1}
    )
    found = predictor.predict(typed)
    np.testing.assert_array_equal(predictor.predict(texts), found)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert found[0] == pytest.approx(70_000, rel=0.2)


def test_the_number_of_rows_at_once_changes_nothing(
    trained: tuple[StoredRun, dict[int, TrialResult]], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, _ = trained
    predictor = load_predictor(model)
    frame = stored.dataset.frame
    whole = predictor.predict_outputs(frame)
    monkeypatch.setattr(bag, "CHUNK_ROWS", 7)
    np.testing.assert_allclose(predictor.predict_outputs(frame), whole, atol=1e-6)
    assert predictor.predict_outputs(frame.iloc[:0]).shape == (0, 3)
    np.testing.assert_allclose(predictor.predict_outputs(frame.iloc[[11]]), whole[[11]], atol=1e-6)


def test_long_texts_are_read_fewer_at_once_and_answered_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"said": [" ".join(rng.choice(WORDS, rng.integers(4, 40))) for _ in range(90)]})
    frame["y"] = np.where(frame["said"].str.count("good") > frame["said"].str.count("bad"), "yes", "no")
    stored = store_run(tmp_path / "run", frame, "y")
    _, records = stored.complete(stored.spec(0, "tfidf_linear", preprocess__words=1, preprocess__chars="none"))
    save(stored, records.results, {0: 1.0})
    predictor = load_predictor(stored.run.path)
    whole = predictor.predict_outputs(frame)
    table = stored.data.table
    assert len(list(bag.cut_rows(table))) == 1
    monkeypatch.setattr(bag, "TEXT_CHUNK_BYTES", 800)
    parts = list(bag.cut_rows(table))
    assert [row for rows in parts for row in range(90)[rows]] == list(range(90))
    assert all(table.texts[0].sizes()[rows].sum() <= 800 for rows in parts) and 8 < len(parts) < 90
    np.testing.assert_array_equal(predictor.predict_outputs(frame), whole)
    monkeypatch.setattr(bag, "TEXT_CHUNK_BYTES", 1)
    assert len(list(bag.cut_rows(table))) == 90  # a row is read however long its text is


def test_the_manifest_says_what_is_in_the_model_and_what_made_it(model: Path) -> None:
    manifest = load_predictor(model).manifest
    there = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == there - {"manifest.json"}
    assert manifest["out_of_fold_score"] == 0.5
    assert {"scikit-learn", "numpy", "pandas"} <= set(manifest["versions"])


def test_nothing_in_the_model_is_a_pickle(model: Path) -> None:
    for path in model.rglob("*"):
        if path.is_file():
            assert path.suffix in {".json", ".npz", ".npy", ".skops", ".txt", ".ubj", ".keras"}
            assert not path.read_bytes().startswith(b"\x80")


def test_a_model_is_found_by_its_run_and_by_itself(model: Path, tmp_path: Path) -> None:
    assert find_model_folder(model.parent) == find_model_folder(model) == model
    with pytest.raises(UsageError, match="neither a run folder nor a model"):
        find_model_folder(tmp_path)
    with pytest.raises(UsageError, match="has no model yet") as caught:
        load_predictor(Run.create(tmp_path / "run", data_name="t", record={}).path)
    assert caught.value.hint == f"automl resume {tmp_path / 'run'}"


# ---- what is refused ----


def remove(folder: Path) -> None:
    next(path for path in sorted(folder.rglob("*")) if path.suffix == ".npz").unlink()


def add(folder: Path) -> None:
    (folder / "members" / "extra.json").write_text("{}", encoding="ascii")


def flip_a_bit(folder: Path) -> None:
    path = next(path for path in sorted(folder.rglob("*")) if path.suffix == ".npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(folder: Path) -> None:
    path = folder / "schema.json"
    path.write_bytes(path.read_bytes()[:-1])


def link_a_file(folder: Path) -> None:
    path = folder / "schema.json"
    path.rename(folder.parent / "schema.json")
    path.symlink_to(folder.parent / "schema.json")


def link_a_folder(folder: Path) -> None:
    (folder / "members").rename(folder.parent / "members")
    (folder / "members").symlink_to(folder.parent / "members")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (remove, "is missing"),
        (add, "extra.json does not belong to the model"),
        (flip_a_bit, "has changed since it was written"),
        (cut, "schema.json has changed since it was written"),
        (link_a_file, "schema.json has changed since it was written"),
        (link_a_folder, "is missing"),
    ],
)
def test_a_folder_that_is_not_what_was_written_is_refused(
    copy: Path, harm: Callable[[Path], None], message: str
) -> None:
    load_predictor(copy)
    harm(copy)
    with pytest.raises(ArtifactError, match=message) as caught:
        load_predictor(copy)
    assert caught.value.exit_code == 6
    assert caught.value.hint


def test_a_model_that_answers_its_golden_rows_otherwise_is_refused(copy: Path) -> None:
    def change(record: Any) -> Any:
        first = record["outputs"][0]
        return {**record, "outputs": [[first[0] + 2e-4, first[1] - 2e-4, first[2]], *record["outputs"][1:]]}

    forge(copy, "golden.json", change)
    with pytest.raises(ArtifactError, match=r"answers its own test rows differently .* \(by 2.0e-04\)"):
        load_predictor(copy)


def test_a_model_whose_parts_were_changed_is_refused_even_with_the_right_checksums(copy: Path) -> None:
    forge(copy, "ensemble.json", lambda record: {**record, "calibrator": {"slope": 1.0, "shift": 0.0}})
    with pytest.raises(ArtifactError, match="answers its own test rows differently"):
        load_predictor(copy)


def test_golden_rows_that_say_nothing_prove_nothing(copy: Path) -> None:
    forge(copy, "golden.json", lambda record: {**record, "outputs": [[float(0)] * 3] * len(record["outputs"])})
    text = (copy / "golden.json").read_text(encoding="utf-8").replace("0.0", "NaN", 1)
    (copy / "golden.json").write_text(text, encoding="utf-8")
    accept(copy, "golden.json")
    with pytest.raises(ArtifactError):
        load_predictor(copy)


def test_another_format_and_another_librarys_version_are_refused_with_the_way_out(copy: Path) -> None:
    manifest = read_json(copy / "manifest.json")
    write_json(copy / "manifest.json", {**manifest, "format_version": 2})
    with pytest.raises(ArtifactError, match="has the model format 2, this automl reads 1"):
        load_predictor(copy)
    write_json(copy / "manifest.json", {**manifest, "versions": {**manifest["versions"], "scikit-learn": "0.1.5"}})
    with pytest.raises(ArtifactError, match=r"was written with scikit-learn 0\.1\.5") as caught:
        load_predictor(copy)
    assert caught.value.hint == "pip install 'scikit-learn==0.1.5'"


@pytest.mark.parametrize("name", ["schema.json", "task.json", "ensemble.json", "golden.json", "manifest.json"])
@pytest.mark.parametrize(
    "content",
    ["", "nonsense", "null", "[]", "{}", "7", '{"columns": 5}', '{"members": [{"folds": 1}]}', '{"members": []}',
     '{"rows": [{}], "outputs": [[1]]}', '{"rows": 1, "outputs": 2}', '{"kind": "none"}', "[" * 100_000, "\x00\xff"],
    ids=range(14),
)  # fmt: skip
def test_a_forged_file_is_refused_whatever_it_holds(copy: Path, name: str, content: str) -> None:
    (copy / name).write_text(content, encoding="latin-1")
    if name != "manifest.json":
        accept(copy, name)
    with pytest.raises(ArtifactError) as caught:
        load_predictor(copy)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": "high"},
        {"versions": None},
        {"versions": {"scikit-learn": 5}},
        {"files": []},
        {"files": None},
        {"format_version": None},
    ],
    ids=str,
)
def test_a_manifest_with_nonsense_in_it_is_refused(copy: Path, change: dict[str, Any]) -> None:
    write_json(copy / "manifest.json", {**read_json(copy / "manifest.json"), **change})
    with pytest.raises(ArtifactError):
        load_predictor(copy)


@pytest.mark.parametrize("candidate", ["no_such_family", "keras_mlp", "xgboost", "../linear", None])
def test_members_of_another_family_than_they_say_are_refused(copy: Path, candidate: Any) -> None:
    def change(record: Any) -> Any:
        return {**record, "members": [{**member, "candidate": candidate} for member in record["members"]]}

    forge(copy, "ensemble.json", change)
    with pytest.raises(AutoMLError):
        load_predictor(copy)


def test_files_outside_the_folder_are_never_read(copy: Path) -> None:
    outside = copy.parent / "transform.npz"
    shutil.copyfile(next(copy.glob("transforms/*.npz")), outside)

    def change(record: Any) -> Any:
        for member in record["members"]:
            for fold in member["folds"]:
                fold["transform"] = "../transform.npz"
        return record

    forge(copy, "ensemble.json", change)
    with pytest.raises(ArtifactError, match="outside"):
        load_predictor(copy)


# ---- replacing a model ----


def fresh(trained: tuple[StoredRun, dict[int, TrialResult]], tmp_path: Path) -> StoredRun:
    """The trained run in a folder of its own, without a model."""
    copy = trained[0].copy_to(tmp_path / "run")
    shutil.rmtree(copy.run.model, ignore_errors=True)
    return copy


def fresh_with_model(trained: tuple[StoredRun, dict[int, TrialResult]], tmp_path: Path) -> tuple[StoredRun, np.ndarray]:
    """A run that has deployed its first configuration, and what that answers."""
    stored = fresh(trained, tmp_path)
    save(stored, trained[1], {1: 1.0})
    return stored, answer(load_predictor(stored.run.path), stored)


def answer(predictor: Predictor, stored: StoredRun) -> np.ndarray:
    return predictor.predict_outputs(stored.dataset.frame.iloc[:20])


def test_a_new_model_takes_the_place_of_the_old_and_leaves_nothing_beside(
    trained: tuple[StoredRun, dict[int, TrialResult]], tmp_path: Path
) -> None:
    stored = fresh(trained, tmp_path)
    save(stored, trained[1], {1: 1.0})
    first = answer(load_predictor(stored.run.path), stored)
    save(stored, trained[1], {2: 1.0})
    second = answer(load_predictor(stored.run.path), stored)
    assert np.abs(first - second).max() > 1e-3
    members = {path.name.split("-")[0] for path in (stored.run.model / "members").iterdir()}
    assert members == {"0002"}
    assert [path.name for path in stored.run.path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_during_the_swap_leaves_one_whole_model(
    trained: tuple[StoredRun, dict[int, TrialResult]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Where two folders cannot change places at once: the old one until both renames are done, then the new one."""
    monkeypatch.setattr(artifact, "exchange", lambda one, other: False)
    stored, old = fresh_with_model(trained, tmp_path)
    read, done, swapping = Path.rename, list[Path](), artifact._swap

    class Killed(BaseException):
        pass

    def rename(self: Path, target: Path) -> Path:
        if len(done) == renames:
            raise Killed
        done.append(self)
        return read(self, target)

    def swap(own: Path, place: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename)
            swapping(own, place)
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(artifact, "_swap", swap)
        with pytest.raises(Killed):
            save(stored, trained[1], {2: 1.0})
    restore_model(stored.run)
    found = answer(load_predictor(stored.run.path), stored)
    assert np.array_equal(found, old) is (renames < 2)
    save(stored, trained[1], {2: 1.0})
    assert not np.array_equal(answer(load_predictor(stored.run.path), stored), old)


def test_a_better_model_takes_the_place_of_the_old_one_at_once(
    trained: tuple[StoredRun, dict[int, TrialResult]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, old = fresh_with_model(trained, tmp_path)
    renamed: list[Path] = []
    monkeypatch.setattr(Path, "rename", lambda self, target: renamed.append(self))
    save(stored, trained[1], {2: 1.0})
    assert renamed == []  # else there would be a moment without a model
    assert not np.array_equal(answer(load_predictor(stored.run.path), stored), old)
    assert [path.name for path in stored.run.path.glob(".model*")] == []


def test_a_model_takes_the_place_of_a_link_and_leaves_the_version_that_it_leads_to(tmp_path: Path) -> None:
    for name in ("versions/0001/model", "own"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "manifest.json").write_text(name)
    (tmp_path / "model").symlink_to("versions/0001/model")
    artifact._swap(tmp_path / "own", tmp_path / "model")
    assert not (tmp_path / "model").is_symlink()
    assert (tmp_path / "model/manifest.json").read_text() == "own"
    assert (tmp_path / "versions/0001/model/manifest.json").read_text() == "versions/0001/model"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "versions"]


def test_restoring_does_nothing_where_there_is_nothing_to_restore(
    trained: tuple[StoredRun, dict[int, TrialResult]], tmp_path: Path
) -> None:
    stored = fresh(trained, tmp_path)
    restore_model(stored.run)
    assert not stored.run.model.exists()
    save(stored, trained[1], {1: 1.0})
    (stored.run.path / ".model.old").mkdir()
    restore_model(stored.run)
    load_predictor(stored.run.path)


def test_a_full_disk_leaves_the_old_model(
    trained: tuple[StoredRun, dict[int, TrialResult]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, before = fresh_with_model(trained, tmp_path)

    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", fill)
    monkeypatch.setattr(shutil, "copyfile", fill)
    with pytest.raises(EngineError, match="The disk is full"):
        save(stored, trained[1], {2: 1.0})
    np.testing.assert_array_equal(answer(load_predictor(stored.run.path), stored), before)
    assert [path.name for path in stored.run.path.iterdir() if path.name.startswith(".")] == []


def test_a_file_system_without_links_gets_copies(
    trained: tuple[StoredRun, dict[int, TrialResult]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    stored = fresh(trained, tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    save(stored, trained[1])
    assert all(path.stat().st_nlink == 1 for path in stored.run.model.rglob("*") if path.is_file())
    load_predictor(stored.run.path)


# ---- golden rows ----


def test_golden_rows_read_back_from_json_as_they_were() -> None:
    roles = (Role.NUMBER, Role.CATEGORY, Role.DATE, Role.TEXT)
    schema = Schema(tuple(Column(name=str(role), role=role) for role in roles))
    frame = pd.DataFrame(
        {
            "number": [1.5, np.nan, -1e300],
            "category": np.array(["a", None, "a value never seen"], dtype=object),
            "date": np.array(["2024-02-29T13:45:00.000001", "NaT", "1700-01-01"], dtype="datetime64[us]"),
            "text": np.array(["größe\n", "", None], dtype=object),
        }
    )
    records = golden_records(frame, schema)
    assert records[1] == {"number": None, "category": None, "date": None, "text": ""}
    pd.testing.assert_frame_equal(golden_frame(schema, json.loads(json.dumps(records, allow_nan=False))), frame)


@pytest.mark.parametrize(
    ("role", "moved_rows", "by", "passes"),
    [
        (Role.NUMBER, 0, 0.0, True),
        (Role.NUMBER, 1, 0.002, False),
        (Role.TEXT, 2, 0.002, True),  # a tree at a number that linear algebra made
        (Role.TEXT, 6, 0.002, False),
        (Role.TEXT, 1, 0.1, False),
        (Role.TEXT, 1, float("nan"), False),
    ],
)
def test_answers_may_move_a_little_only_where_linear_algebra_makes_the_numbers(
    role: Role, moved_rows: int, by: float, passes: bool
) -> None:
    schema = Schema((Column(name="c", role=role),))
    task = Task(kind=TaskKind.BINARY, target="y", classes=("a", "b"))
    outputs = np.full((16, 2), 0.5, dtype=np.float32)
    answers = outputs.copy()
    answers[:moved_rows] += by
    model = SimpleNamespace(predict=lambda frame: answers)
    predictor = Predictor(schema, task, cast(Any, model))
    golden = {"rows": [{"c": 1.0 if role is Role.NUMBER else "x"}] * 16, "outputs": outputs.tolist()}
    if passes:
        check_golden(Path("model"), predictor, golden)
        return
    with pytest.raises(ArtifactError, match="answers its own test rows differently"):
        check_golden(Path("model"), predictor, golden)
