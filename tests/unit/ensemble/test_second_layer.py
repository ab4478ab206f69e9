"""A second layer over the members: learned from out-of-fold outputs, kept only where it helps, the same in a graph."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.ensemble import second_layer
from automl.ensemble.artifact import load_predictor
from automl.ensemble.bag import BagModel
from automl.ensemble.build import EnsembleBuilder
from automl.ensemble.second_layer import (
    CHECK_FOLDS,
    MIN_ROWS,
    SecondLayer,
    find_layer,
    fit_layer,
    is_wanted,
    join_members,
    read_layer,
)
from automl.errors import ArtifactError
from automl.evaluate.evidence import read_evidence
from automl.evaluate.honest import correct_score
from automl.events import Decision
from automl.export._model import build_model
from automl.files import read_json
from automl.graph import Graph
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.search.calibration import IDENTITY
from automl.task import Task, TaskKind
from tests.unit.ensemble.test_artifact import forge
from tests.unit.search.runs import StoredRun, make_multiclass_table, store_run

KINDS = Task(kind=TaskKind.MULTICLASS, target="kind", metric="log_loss", classes=("ash", "elm", "oak"))
PRICE = Task(kind=TaskKind.REGRESSION, target="price", metric="rmse", classes=())
HALVES = {0: 0.5, 1: 0.5}


def make_timid(rows: int, seed: int) -> tuple[dict[int, FloatArray], Array]:
    """Two models that each see half of what tells three classes apart: together they should be bolder than either."""
    rng = np.random.default_rng(seed)
    clues = rng.normal(0, 1.2, (2, rows, 3))
    chances = np.exp(clues.sum(axis=0))
    chances /= chances.sum(axis=1, keepdims=True)
    y = (chances.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    alone = np.exp(clues)
    return dict(enumerate((alone / alone.sum(axis=2, keepdims=True)).astype(np.float32))), y


def test_models_that_know_different_things_are_added_up_and_not_averaged() -> None:
    outputs, y = make_timid(2_000, 0)
    metric = get_metric("log_loss")
    found = find_layer(KINDS, metric, outputs, y, HALVES)
    assert found is not None and found.score < found.without
    assert min(found.layer.slopes) > 0.7  # 1 and 1 is true, a half and a half the mean
    fresh, truth = make_timid(5_000, 1)
    joined, mean = (join_members(fresh, HALVES, IDENTITY, layer) for layer in (found.layer, None))
    assert metric.score(truth, joined) < 0.9 * metric.score(truth, mean)


@pytest.mark.parametrize("seed", range(4))
def test_where_the_mean_is_already_right_it_stays_nearly_so(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet((1, 1, 1), 1_000)
    y = (chances.cumsum(axis=1) > rng.random((1_000, 1))).argmax(axis=1)
    both = dict.fromkeys((0, 1), chances.astype(np.float32))
    layer = fit_layer(both, y, HALVES)
    assert np.abs(layer.join(list(both.values())) - chances).max() < 0.03


def test_a_gain_that_may_be_luck_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, y = make_timid(2_000, 0)
    metric = get_metric("log_loss")
    assert find_layer(KINDS, metric, outputs, y, HALVES) is not None
    monkeypatch.setattr(second_layer, "SURE", 1e6)
    assert find_layer(KINDS, metric, outputs, y, HALVES) is None
    monkeypatch.setattr(second_layer, "SURE", 0.5)
    monkeypatch.setattr(second_layer, "LEAST_GAIN", 0.9)
    assert find_layer(KINDS, metric, outputs, y, HALVES) is None


def test_where_the_time_is_over_there_is_none() -> None:
    outputs, y = make_timid(2_000, 0)
    assert find_layer(KINDS, get_metric("log_loss"), outputs, y, HALVES, deadline=time.monotonic()) is None


def test_few_rows_leave_the_weights_nearly_where_the_selection_put_them() -> None:
    outputs, y = make_timid(60, 0)
    weights = {0: 0.8, 1: 0.2}
    assert fit_layer(outputs, y, weights).slopes == pytest.approx((0.8, 0.2), abs=0.1)


def test_a_row_that_weighs_nothing_teaches_nothing() -> None:
    outputs, y = make_timid(600, 2)
    weight = np.concatenate([np.ones(300), np.zeros(300)])
    first = {trial: part[:300] for trial, part in outputs.items()}
    alone, all_rows = fit_layer(first, y[:300], HALVES), fit_layer(outputs, y, HALVES, weight=weight)
    assert all_rows.slopes != alone.slopes  # the pull is by rows; but both go by the same ones
    garbled = {trial: np.concatenate([part[:300], part[300:][::-1]]) for trial, part in outputs.items()}
    assert fit_layer(garbled, y, HALVES, weight=weight).slopes == pytest.approx(all_rows.slopes, abs=1e-4)


@pytest.mark.parametrize(
    ("task", "metric", "members", "rows", "wanted"),
    [
        (KINDS, "log_loss", 2, MIN_ROWS, True),
        (KINDS, "log_loss", 1, MIN_ROWS, False),
        (KINDS, "log_loss", 2, MIN_ROWS - 1, False),
        (KINDS, "accuracy", 2, MIN_ROWS, False),
        (PRICE, "rmse", 2, MIN_ROWS, False),
    ],
)
def test_a_second_layer_is_for_several_members_and_metrics_that_see_it(
    task: Task, metric: str, members: int, rows: int, wanted: bool
) -> None:
    assert is_wanted(task, get_metric(metric), members, rows) is wanted


@given(units=st.lists(st.integers(0, 12), min_size=1, max_size=80), seed=st.integers(0, 99))
def test_rows_of_one_group_are_judged_together(units: list[int], seed: int) -> None:
    parts = second_layer._deal(len(units), np.array(units), seed)
    assert all(len(set(parts[np.array(units) == unit].tolist())) == 1 for unit in set(units))
    counts = np.bincount([parts[units.index(unit)] for unit in set(units)], minlength=CHECK_FOLDS)
    assert counts.max() - counts.min() <= 1


@given(
    slopes=st.lists(st.floats(0, 3), min_size=1, max_size=4),
    shifts=st.lists(st.floats(-2, 2), min_size=2, max_size=4),
    seed=st.integers(0, 99),
)
def test_a_graph_joins_as_numpy_does(slopes: list[float], shifts: list[float], seed: int) -> None:
    import onnxruntime

    rng, layer = np.random.default_rng(seed), SecondLayer(tuple(slopes), tuple(shifts))
    width = len(shifts)
    parts = [rng.dirichlet(np.full(width, 0.2), 7).astype(np.float32) for _ in slopes]
    graph = Graph()
    names = [graph.cast(graph.input(f"p{at}", "float32", (width,)), "float64") for at in range(len(parts))]
    graph.output("joined", graph.cast(layer.to_graph(graph, names), "float32"), "float32", width)
    session = onnxruntime.InferenceSession(
        build_model(graph, name="layer", facts={}).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (answer,) = session.run(None, {f"p{at}": part for at, part in enumerate(parts)})
    np.testing.assert_allclose(answer, layer.join(parts), rtol=1e-6, atol=1e-7)


def test_a_layer_that_does_not_fit_its_members_is_refused() -> None:
    record: dict[str, Any] = {"members": [{}, {}], "layer": {"slopes": [0.5, 0.5], "shifts": [0, 0, 0]}}
    assert read_layer(record, KINDS) == SecondLayer((0.5, 0.5), (0.0, 0.0, 0.0))
    assert read_layer({"members": [{}, {}]}, KINDS) is None
    for name in ("slopes", "shifts"):
        bad = {**record, "layer": {**record["layer"], name: [1.0]}}
        with pytest.raises(ValueError, match="does not fit the members"):
            read_layer(bad, KINDS)


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    """Whose kinds are now and then mistaken, so that models differ."""
    return store_run(tmp_path / "run", make_mistaken(), "kind", split={"folds": 2, "repeats": 1})


def make_mistaken() -> pd.DataFrame:
    table = make_multiclass_table(240)
    table.loc[::6, "kind"] = table["kind"].sample(frac=1, random_state=3).to_numpy()[::6]
    return table


def begin(stored: StoredRun, oofs: Any, records: Any) -> EnsembleBuilder:
    return EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 1.0,
    )  # fmt: skip


def test_the_deployed_model_is_joined_by_the_layer_and_so_is_its_evidence(
    stored: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_layer, "SURE", -1e9)  # whatever it gains
    monkeypatch.setattr(second_layer, "LEAST_GAIN", -1e9)
    monkeypatch.setattr(second_layer, "PULL", 3.0)
    oofs, records = stored.complete(
        *(stored.spec(at, name) for at, name in enumerate(("linear", "nearest_neighbors", "extra_trees")))
    )
    builder = begin(stored, oofs, records)
    builder.update()
    assert len(builder.weights) > 1
    mean_score, weights = builder.score, builder.weights
    refitted = Decision(topic="model", text="models of all rows", reason="")
    told, *others = builder.finish(refitted)
    assert others == [refitted]
    assert isinstance(told, Decision) and "second layer" in told.text
    assert builder.score is not None and mean_score is not None and builder.score < mean_score
    predictor = load_predictor(stored.run.path)  # holds its golden rows against its answers
    assert isinstance(predictor.model, BagModel) and predictor.model.layer == builder.layer
    assert predictor.manifest["out_of_fold_score"] == builder.score

    evidence = read_evidence(str(stored.run.path))
    assert evidence.layer == builder.layer and builder.blend is not None
    np.testing.assert_array_equal(evidence.blend, builder.blend)
    honest = correct_score(evidence, seed=0, seconds=None, rounds=10, max_members=5, bootstraps=5)
    assert honest.raw_score == pytest.approx(builder.score) and honest.optimism > 0

    again = begin(stored, oofs, records)  # a session that goes on holds mean against mean
    again.update()
    assert (again.weights, again.score) == (weights, mean_score)
    assert list(again.finish(refitted, deadline=0.0)) == [refitted]  # the layer was found, and needs no time any more
    assert (again.layer, again.score) == (builder.layer, builder.score)
    assert again.blend is not None
    np.testing.assert_array_equal(again.blend, builder.blend)
    predictor = load_predictor(stored.run.path)
    assert isinstance(predictor.model, BagModel) and predictor.model.layer == builder.layer
    assert predictor.manifest["out_of_fold_score"] == builder.score


def test_a_model_whose_layer_is_damaged_is_refused(stored: StoredRun) -> None:
    oofs, records = stored.complete(stored.spec(0, "linear"))
    begin(stored, oofs, records).update()
    layer = {"slopes": [1.0, 1.0], "shifts": [0.0]}
    forge(stored.run.model, "ensemble.json", lambda record: {**record, "layer": layer})
    with pytest.raises(ArtifactError, match="does not fit the members"):
        load_predictor(stored.run.path)


def test_a_recipe_can_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_layer, "SURE", -1e9)
    monkeypatch.setattr(second_layer, "LEAST_GAIN", -1e9)
    changes: dict[str, Any] = {"split": {"folds": 2, "repeats": 1}, "ensemble": {"second_layer": False}}
    stored = store_run(tmp_path / "run", make_mistaken(), "kind", **changes)
    names = ("linear", "nearest_neighbors", "extra_trees")
    builder = begin(stored, *stored.complete(*(stored.spec(at, name) for at, name in enumerate(names))))
    builder.update()
    assert len(builder.weights) > 1
    assert builder.add_second_layer() is None
    assert "layer" not in read_json(stored.run.ensemble_path)
