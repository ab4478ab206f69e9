"""The preprocessing of every choice answers the same in ONNX Runtime as in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.graph import Graph
from automl.matrix import Needs
from automl.prepare import load
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import TableEncoder
from automl.recipe import Recipe
from automl.schema import Role, Schema
from tests.unit.export.models import make_table

NEEDS = {
    "trees": Needs(missing=True),
    "native": Needs(missing=True, categories="native"),
    "linear": Needs(scaled=True),
    "network": Needs(scaled=True, categories="embed"),
}
CHOICES: list[tuple[str, dict[str, Any]]] = [
    ("trees", {}),
    ("trees", {"encode": "target", "rare": 30}),
    ("trees", {"encode": "ordinal"}),
    ("trees", {"combine": "both"}),
    ("native", {"combine": "numbers"}),
    ("native", {"combine": "categories"}),
    ("native", {}),
    ("linear", {}),
    ("linear", {"scale": "robust", "clip": True, "impute": "mean", "encode": "one_hot", "rare": 45}),
    ("linear", {"scale": "quantile", "reduce": "select", "keep": 0.5}),
    ("linear", {"scale": "power", "reduce": "pca", "keep": 0.5}),
    ("linear", {"scale": "quantile", "clip": True}),
    ("network", {"scale": "power", "rare": 45}),
]


def make_inputs(schema: Schema, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """A typed frame as a graph takes it."""
    arrays = {}
    for column in schema.features:
        cells = frame[column.name].to_numpy()
        if column.role is Role.DATE:
            seconds = cells.astype("datetime64[s]")
            value = np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64)).astype(np.float64)
        elif column.role is Role.NUMBER:
            value = cells.astype(np.float64 if column.offset else np.float32)
        else:
            value = np.array(["" if cell is None else cell for cell in cells], dtype=object)
        arrays[column.name] = value[:, None]
    return arrays


def plant(schema: Schema, frame: pd.DataFrame) -> pd.DataFrame:
    """Holes, values never seen, huge numbers, and days of other centuries."""
    rng = np.random.default_rng(3)
    hard = frame.copy()
    for column in schema.features:
        cells = hard[column.name].to_numpy(copy=True)
        if column.role is Role.NUMBER:
            at = rng.random(len(cells)) < 0.3
            cells[at] = rng.choice([np.nan, 1e30, -1e30, 3e38, 0.0, 1e-30], at.sum())
        elif column.role is Role.DATE:
            days = ["NaT", "1899-12-31", "1970-01-01", "1969-12-31T23:59:59", "2000-02-29", "2100-03-01", "0004-02-29"]
            cells[: len(days)] = np.array(days, dtype="datetime64[us]")
        else:
            cells[rng.random(len(cells)) < 0.2] = "never seen"
            cells[rng.random(len(cells)) < 0.2] = None
        hard[column.name] = cells
    return hard


@pytest.fixture(scope="module")
def dataset() -> Any:
    return load(make_table(), target="bought", recipe=Recipe())


def test_the_table_has_a_column_of_every_kind(dataset: Any) -> None:
    roles = {column.name: column.role for column in dataset.schema.features}
    assert set(roles.values()) == {Role.NUMBER, Role.CATEGORY, Role.DATE}
    assert dataset.schema["account"].offset > 1e9
    assert set(dataset.schema["member"].levels) == {"True", "False"}


@pytest.mark.parametrize(("family", "given"), CHOICES, ids=[f"{name}-{given}" for name, given in CHOICES])
def test_a_plan_makes_the_same_matrix_in_a_graph(dataset: Any, family: str, given: dict[str, Any]) -> None:
    import onnxruntime

    from automl.export._model import build_model

    encoder = TableEncoder(dataset.schema)
    needs = NEEDS[family]
    params = plan_space(needs, encoder.layout).complete(given)
    transformer = Transformer(needs, params, encoder.layout)
    transformer.fit(encoder.encode(dataset.frame), FitRows(task=dataset.task, target=dataset.target, seed=0))
    for part in transformer.parts:
        if part.kind == "combine":  # a product, a ratio and a difference, whatever the fit has chosen
            with_categories = given["combine"] != "numbers"
            assert len(part.state["counts"]) == 2 * with_categories
            assert len(part.state["means"]) == with_categories
            part.state["triples"] = np.array([[0, 1, 0], [0, 1, 1], [1, 0, 1], [1, 0, 2]])
    graph = Graph()
    matrix = transformer.to_graph(graph, encoder.to_graph(graph))
    graph.output("matrix", matrix, "float32", len(transformer.features()))
    model = build_model(graph, name="test", facts={}).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for frame in (dataset.frame, plant(dataset.schema, dataset.frame), dataset.frame.iloc[:1]):
        expected = transformer.transform(encoder.encode(frame))
        feeds = {name: array for name, array in make_inputs(dataset.schema, frame).items() if name in graph.inputs}
        found = session.run(None, feeds)[0]
        if needs.missing:  # trees: not even the last bit may differ
            np.testing.assert_array_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_equal_nodes_and_constants_are_kept_once() -> None:
    graph = Graph()
    x = graph.input("x", "float32")
    assert graph.add("IsNaN", x) == graph.add("IsNaN", x)
    assert graph.constant(np.float32(1)) == graph.constant(np.array(1, np.float32))
    assert graph.constant(np.float32(0)) != graph.constant(np.float64(0))
    assert len(graph.nodes) == 1
