"""One fold of one configuration: what it leaves behind, and which rows it may stop early on."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.candidates import Candidate, FitContext
from automl.data import Split
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.metrics import get_metric
from automl.search import trial
from automl.search.data import SearchData, fold_folder, open_data
from automl.search.trial import (
    MAX_STOP_ROWS,
    NonFiniteError,
    TrialResult,
    check_outputs,
    choose_stop_rows,
    fold_seed,
    run_fold,
)
from automl.space import Params, SearchSpace
from automl.task import Task, TaskKind
from tests.unit.search.runs import StoredRun, make_multiclass_table, make_regression_table, store_run

BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"), metric="log_loss")
MULTICLASS = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"), metric="log_loss")
REGRESSION = Task(kind=TaskKind.REGRESSION, target="y", metric="rmse")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    return store_run(tmp_path_factory.mktemp("trial") / "run", make_multiclass_table(), "kind", seed=4)


def rows_data(task: Task, target: Array, groups: Array | None = None, times: Array | None = None) -> SearchData:
    """What `choose_stop_rows` looks at, and nothing else."""
    data = SearchData.__new__(SearchData)
    data.task, data.target, data.groups, data.times = task, target, groups, times
    return data


# ---- a fold ----


@pytest.mark.parametrize(
    ("make_table", "target", "task"),
    [(make_multiclass_table, "kind", TaskKind.MULTICLASS), (make_regression_table, "price", TaskKind.REGRESSION)],
)
def test_a_fold_leaves_its_model_its_transformer_and_its_predictions(
    tmp_path: Path, make_table: Any, target: str, task: TaskKind
) -> None:
    stored = store_run(tmp_path / "run", make_table(), target)
    assert stored.data.task.kind is task
    record = run_fold(stored.payload(stored.spec(3, "linear"), 1))
    place = fold_folder(stored.run.path, 3, 1)
    assert place.name == "0003-1"
    there = {path.name for path in place.iterdir()}
    assert there == {"model", "transform.npz", "oof.npy", "golden.npy", "fold.json"}
    oof = np.load(place / "oof.npy", allow_pickle=False)
    rows = stored.split.folds[1]
    assert oof.dtype == np.float32
    assert oof.shape == (len(rows), stored.data.task.n_outputs)
    assert record["score"] == get_metric(stored.data.task.metric).score(stored.data.target[rows], oof)
    assert np.load(place / "golden.npy", allow_pickle=False).shape == (len(stored.data.golden), oof.shape[1])
    assert json.loads((place / "fold.json").read_text()) == record
    assert record["seconds"] >= record["fit_seconds"] + record["prepare_seconds"] > 0
    assert record["predict_row_seconds"] >= 0


def test_what_one_row_takes_is_measured_in_the_fold_that_stands_for_all(
    stored: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(number: int, fold: int) -> float | None:
        seconds: float | None = run_fold(stored.payload(stored.spec(number, "linear"), fold))["row_seconds"]
        return seconds

    assert (measure(40, 0) or 0.0) > 0
    assert measure(40, 1) is None
    last = len(stored.split.folds) - 1
    monkeypatch.setattr(SearchData, "chief_fold", last)  # as where rows have times
    assert measure(41, 0) is None
    assert (measure(41, last) or 0.0) > 0


def test_a_linear_model_is_better_than_a_constant(stored: StoredRun) -> None:
    linear = run_fold(stored.payload(stored.spec(20, "linear"), 0))
    constant = run_fold(stored.payload(stored.spec(21, "dummy"), 0))
    assert linear["score"] < 0.5 * constant["score"]


def test_a_finished_fold_is_not_run_again(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = stored.payload(stored.spec(22, "dummy"), 0)
    first = run_fold(payload)
    monkeypatch.setattr(trial, "get_fold_matrices", None)
    assert run_fold(payload) == first


def test_what_another_configuration_left_under_the_same_number_is_not_taken(stored: StoredRun) -> None:
    """A power cut may take the line that gave the number to the first."""
    constant = run_fold(stored.payload(stored.spec(25, "dummy"), 0))
    linear = run_fold(stored.payload(stored.spec(25, "linear"), 0))
    assert linear["score"] < constant["score"]
    assert json.loads((fold_folder(stored.run.path, 25, 0) / "fold.json").read_text(encoding="utf-8")) == linear


def test_a_fold_killed_in_the_middle_is_run_again_and_its_remains_are_gone(stored: StoredRun) -> None:
    payload = stored.payload(stored.spec(23, "dummy"), 0)
    first = run_fold(payload)
    place = fold_folder(stored.run.path, 23, 0)
    (place / "fold.json").unlink()
    (place / "oof.npy").write_bytes(b"torn")
    again = run_fold(payload)
    assert again["score"] == first["score"]
    assert np.load(place / "oof.npy", allow_pickle=False).shape == (len(stored.split.folds[0]), 3)
    assert [path.name for path in place.parent.iterdir() if path.name.startswith(".")] == []


def test_two_runs_of_a_fold_give_the_same_bytes(stored: StoredRun) -> None:
    for number in (24, 25):
        run_fold(stored.payload(dataclasses.replace(stored.spec(24, "linear"), number=number), 2))
    ours, theirs = (fold_folder(stored.run.path, number, 2) for number in (24, 25))
    for name in ("oof.npy", "golden.npy", "transform.npz"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


class Recorder:
    """A family that notes what it is given and predicts what it is told to."""

    title = "Recorder"
    needs = Needs()
    cost = 1.0
    pool = "core"

    def __init__(self, outputs: FloatArray) -> None:
        self.outputs = outputs
        self.context: FitContext | None = None
        self.fitted: tuple[FloatArray, Array, Array | None] | None = None

    def unsupported(self, task: Task, shape: Shape) -> str:
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace()

    def build(self, params: Params, context: FitContext) -> Recorder:
        self.context = context
        return self

    def load(self, folder: Path) -> Recorder:
        return self

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        self.fitted = matrix, target, weight

    def predict(self, matrix: FloatArray) -> FloatArray:
        return np.repeat(self.outputs[None], len(matrix), axis=0)

    def save(self, folder: Path) -> None:
        (folder / "model.json").write_text("{}", encoding="ascii")


def lay_in(monkeypatch: pytest.MonkeyPatch, outputs: list[float]) -> Recorder:
    """Put a `Recorder` in the place of the linear models."""
    recorder = Recorder(np.array(outputs, dtype=np.float32))
    plugin: Candidate = recorder
    monkeypatch.setitem(trial.candidates._loaded, "linear", plugin)
    return recorder


def test_a_model_is_told_its_deadline_its_seed_and_its_own_rows(
    stored: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = stored.spec(30, "linear")
    recorder = lay_in(monkeypatch, [0.2, 0.3, 0.5])
    began = time.monotonic()
    run_fold(stored.payload(spec, 1, seconds=7.5, threads=3))
    assert recorder.context is not None and recorder.fitted is not None
    assert 7.5 <= recorder.context.deadline - began < 9
    assert (recorder.context.threads, recorder.context.seed) == (3, fold_seed(4, 1))
    train = stored.split.trains[1]
    matrix, target, weight = recorder.fitted
    assert len(matrix) == len(train)
    np.testing.assert_array_equal(target, stored.data.target[train])
    assert weight is None
    assert set(recorder.context.stop_rows) < set(range(len(train)))


def test_without_a_time_limit_there_is_no_deadline(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = stored.spec(31, "linear")
    recorder = lay_in(monkeypatch, [0.2, 0.3, 0.5])
    run_fold(stored.payload(spec, 0))
    assert recorder.context is not None
    assert recorder.context.deadline == float("inf")


def test_weights_reach_the_model_and_the_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_regression_table()
    table["w"] = np.where(np.arange(len(table)) % 2, 1.0, 3.0)
    stored = store_run(tmp_path / "run", table, "price", data={"weight": "w"}, metric="mae")
    spec = stored.spec(0, "linear")
    recorder = lay_in(monkeypatch, [0.0])
    record = run_fold(stored.payload(spec, 0))
    assert recorder.fitted is not None
    assert set(np.asarray(recorder.fitted[2])) == {0.5, 1.5}
    rows = stored.split.folds[0]
    assert stored.data.weight is not None
    expected = np.average(np.abs(stored.data.target[rows]), weights=stored.data.weight[rows])
    assert record["score"] == pytest.approx(expected)


def test_preprocessing_is_told_the_groups_and_the_weights_of_its_rows(tmp_path: Path) -> None:
    """Twenty rows a customer, all of one answer, and two customers a street: it tells nothing of a new customer's, and
    a model that learns it from rows of the same customer is worse than a constant."""
    rng = np.random.default_rng(0)
    customer = np.repeat(np.arange(60), 20)
    answer = rng.permutation(np.arange(60) % 3 > 0)[customer]
    street = rng.integers(0, 30, 60)[customer]
    table = pd.DataFrame(
        {
            "customer": [f"c{number}" for number in customer],
            "street": [f"s{number}" for number in street],
            "x": answer + rng.normal(0, 1, 1200),
            "w": np.where(np.arange(1200) % 2, 1.0, 3.0),
            "answer": np.where(answer, "yes", "no"),
        }
    )
    stored = store_run(tmp_path / "run", table, "answer", data={"group": "customer", "weight": "w"}, metric="log_loss")
    assert "street" in stored.data.table.layout.categories

    facts = stored.data.fit_rows(stored.data.trains[1], seed=5)
    spec = stored.spec(0, "linear", preprocess__encode="target")
    scores = [run_fold(stored.payload(spec, fold))["score"] for fold in range(len(stored.split))]

    assert facts.groups is not None
    np.testing.assert_array_equal(facts.groups, stored.data.groups[stored.data.trains[1]])
    np.testing.assert_array_equal(facts.weight, stored.data.weight[stored.data.trains[1]])
    assert np.mean(scores) < 0.6  # 0.64 is a constant's


def test_a_fold_whose_score_is_not_defined_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ROC AUC of rows of one class; NaN would be no JSON."""
    table = make_multiclass_table(100)
    table["kind"] = np.where(np.arange(100) < 90, np.where(np.arange(100) % 2, "ash", "oak"), "oak")
    split = Split(folds=(np.arange(90, 100), np.arange(0, 90)), trains=(np.arange(0, 90), np.arange(10, 100)))
    stored = store_run(tmp_path / "run", table, "kind", split, metric="roc_auc")
    spec = stored.spec(0, "dummy")
    first = run_fold(stored.payload(spec, 0))
    assert first["score"] is None
    assert run_fold(stored.payload(spec, 0)) == first
    assert run_fold(stored.payload(spec, 1))["score"] == 0.5
    json.dumps(first, allow_nan=False)


def test_a_model_that_predicts_nonsense_leaves_nothing(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = stored.spec(32, "linear")
    lay_in(monkeypatch, [np.nan, 0.5, 0.5])
    with pytest.raises(NonFiniteError, match=f"non-finite predictions in {len(stored.split.folds[0])} rows"):
        run_fold(stored.payload(spec, 0))
    assert not fold_folder(stored.run.path, 32, 0).exists()


def test_a_model_that_cannot_be_saved_leaves_nothing(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = stored.spec(33, "linear")
    recorder = lay_in(monkeypatch, [0.2, 0.3, 0.5])

    def refuse(folder: Path) -> None:
        raise OSError("no")

    monkeypatch.setattr(recorder, "save", refuse)
    with pytest.raises(OSError, match="no"):
        run_fold(stored.payload(spec, 0))
    place = fold_folder(stored.run.path, 33, 0)
    assert list(place.parent.glob("*0033-0*")) == []


# ---- rows to stop on ----


def test_stop_rows_are_a_stratified_part_of_the_training_rows() -> None:
    target = np.repeat([0, 1], [900, 100])
    train = np.arange(0, 1000, 2)
    rows = choose_stop_rows(rows_data(BINARY, target), train, seed=1)
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all()
    assert np.bincount(target[train[rows]]).tolist() == [68, 8]  # 15% of 450 and of 50, by rounding to even


def test_stop_rows_are_never_more_than_early_stopping_needs() -> None:
    rows = choose_stop_rows(rows_data(REGRESSION, np.arange(100_000.0)), np.arange(100_000), seed=1)
    assert len(rows) == MAX_STOP_ROWS == len(np.unique(rows))


def test_stop_rows_of_values_are_a_plain_draw_that_follows_the_seed() -> None:
    data = rows_data(REGRESSION, np.arange(200.0))
    first, same, other = (choose_stop_rows(data, np.arange(200), seed) for seed in (1, 1, 2))
    assert len(first) == 30
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_few_rows_are_all_trained_on() -> None:
    assert len(choose_stop_rows(rows_data(REGRESSION, np.arange(39.0)), np.arange(39), seed=0)) == 0
    many_classes = dataclasses.replace(MULTICLASS, classes=tuple("abcdefgh"))
    assert len(choose_stop_rows(rows_data(many_classes, np.arange(100) % 8), np.arange(100), seed=0)) == 0


def test_stop_rows_are_whole_groups() -> None:
    groups = np.arange(300) // 6
    train = np.arange(60, 300)
    rows = choose_stop_rows(rows_data(BINARY, np.arange(300) % 2, groups=groups), train, seed=3)
    stop, rest = set(groups[train[rows]]), set(groups[np.delete(train, rows)])
    assert not stop & rest
    assert 36 <= len(rows) <= 42  # 15% of 240 rows is 36: at least these, at most one group more


def test_a_group_of_half_of_the_rows_is_not_given_away() -> None:
    groups = np.repeat([0, 1], [50, 50])
    assert len(choose_stop_rows(rows_data(BINARY, np.arange(100) % 2, groups=groups), np.arange(100), seed=3)) == 0


def test_stop_rows_are_drawn_from_the_groups_beside_a_large_one() -> None:
    groups = np.concatenate([np.zeros(600, dtype=np.int64), 1 + np.arange(400) // 10])
    for seed in range(10):
        rows = choose_stop_rows(rows_data(BINARY, np.arange(1000) % 2, groups=groups), np.arange(1000), seed)
        assert 150 <= len(rows) <= 160
        assert groups[rows].min() > 0


def test_small_groups_may_all_be_stop_rows_and_never_half_of_all() -> None:
    groups = np.repeat([0, 1, 2], [900, 60, 40])
    rows = choose_stop_rows(rows_data(BINARY, np.arange(1000) % 2, groups=groups), np.arange(1000), seed=3)
    assert rows.tolist() == list(range(900, 1000))
    rng = np.random.default_rng(0)
    for seed in range(50):
        groups = rng.choice(6, 200, p=rng.dirichlet(np.ones(6)))
        rows = choose_stop_rows(rows_data(BINARY, np.arange(200) % 2, groups=groups), np.arange(200), seed)
        assert len(rows) < 100
        assert rows.dtype == np.int64
        assert not set(groups[rows]) & set(np.delete(groups, rows))


def test_stop_rows_are_the_latest_where_time_matters() -> None:
    times = np.random.default_rng(0).permutation(100).astype(float)
    train = np.nonzero(times < 80)[0]
    rows = choose_stop_rows(rows_data(REGRESSION, np.arange(100.0), times=times), train, seed=0)
    assert sorted(times[train[rows]]) == list(range(68, 80))


def test_stop_rows_of_a_stored_run_are_never_scored(stored: StoredRun) -> None:
    for fold, (train, scored) in enumerate(zip(stored.split.trains, stored.split.folds, strict=True)):
        rows = choose_stop_rows(stored.data, train, fold_seed(4, fold))
        assert len(rows) > 0
        assert not set(train[rows]) & set(scored)


# ---- predictions ----


def test_probabilities_are_scaled_to_sum_to_1() -> None:
    found = check_outputs(np.array([[0.5, 0.3], [1.0 + 5e-6, -5e-6]], dtype=np.float32), BINARY)
    np.testing.assert_allclose(found, [[0.625, 0.375], [1.0, 0.0]], atol=1e-6)
    assert found.dtype == np.float32


def test_values_pass_as_float32() -> None:
    found = check_outputs(np.array([[1.5], [-2.0]]), REGRESSION)
    assert found.dtype == np.float32
    assert found.tolist() == [[1.5], [-2.0]]


@pytest.mark.parametrize("task", [BINARY, REGRESSION])
def test_no_rows_are_fine(task: Task) -> None:
    assert check_outputs(np.zeros((0, task.n_outputs), dtype=np.float32), task).shape == (0, task.n_outputs)


@pytest.mark.parametrize(
    ("task", "outputs", "message"),
    [
        (BINARY, [[0.5, np.nan], [0.5, 0.5]], "non-finite predictions in 1 rows"),
        (REGRESSION, [[np.inf], [-np.inf], [0.0]], "non-finite predictions in 2 rows"),
        (BINARY, [[1.2, -0.2]], "probabilities outside 0 to 1"),
        (BINARY, [[0.0, 0.0]], "probabilities that are all zero"),
    ],
)
def test_predictions_of_no_use_are_refused(task: Task, outputs: list[list[float]], message: str) -> None:
    with pytest.raises(NonFiniteError, match=message):
        check_outputs(np.array(outputs, dtype=np.float32), task)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_predictions_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"not \(n, 2\)"):
        check_outputs(np.full(shape, 0.5, dtype=np.float32), BINARY)


# ---- the rest ----


def test_a_result_reads_back_from_its_json() -> None:
    result = TrialResult(
        trial=1, candidate="linear", label="linear", params={"model.C": 1.0}, origin="tpe", status="ok", score=0.5,
        fold_scores=(0.25, 0.75), fold_seconds=(1.0, 2.0), reason="größe",
    )  # fmt: skip
    assert TrialResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_a_seed_of_a_fold_follows_from_the_runs_seed_and_the_fold() -> None:
    assert fold_seed(1, 0) == fold_seed(1, 0)
    assert len({fold_seed(seed, fold) for seed in range(5) for fold in range(5)}) == 25
    assert all(0 <= fold_seed(seed, 9) < 2**31 - 1 for seed in range(50))


def test_a_runs_arrays_are_opened_once_a_process(stored: StoredRun, tmp_path: Path) -> None:
    first = open_data(str(stored.run.path))
    assert open_data(str(stored.run.path)) is first
    other = store_run(tmp_path / "run", make_regression_table(), "price")
    assert open_data(str(other.run.path)).task.kind is TaskKind.REGRESSION
    assert open_data(str(stored.run.path)).task.kind is TaskKind.MULTICLASS
