"""Pictures answer the same in ONNX Runtime, from uint8 pixels, as in numpy and in Keras: descriptors and nets."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from automl.candidates import FitContext
from automl.candidates._pictures import PictureFamily
from automl.export._model import build_model
from automl.graph import Graph
from automl.matrix import Array, Feature, Needs
from automl.preprocess.image import KINDS
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import Layout, Table, TableNames
from automl.task import Task, TaskKind

TASK = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"), metric="log_loss")
SHAPES = [(8, 8, 1), (100, 70, 3), (8, 96, 3), (60, 12, 1)]


def draw_pictures(shape: tuple[int, int, int], rows: int = 40) -> Array:
    """Smooth and noisy ones, one black, one white."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (rows, *shape))
    noise[: rows // 2] = np.linspace(0, 255, shape[1])[None, None, :, None] * rng.random((rows // 2, shape[0], 1, 1))
    noise[0], noise[1] = 0, 255
    return noise.astype(np.uint8)


def run(graph: Graph, output: str, dtype: str, columns: int, pictures: Array) -> Array:
    import onnxruntime

    graph.output("out", output, dtype, columns)
    model = build_model(graph, name="test", facts={}).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"pictures": pictures})[0])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_descriptors_are_the_same_in_a_graph(kind: str, shape: tuple[int, int, int]) -> None:
    pictures = draw_pictures(shape)
    layout = Layout(numbers=(), categories=(), levels=(), dates=(), pictures=("pictures",), picture_shapes=(shape,))
    none = np.empty((len(pictures), 0), np.float32)
    table = Table(layout=layout, numbers=none, categories=none, dates=none, pictures=(pictures,))
    needs = Needs(scaled=True)
    params = plan_space(needs, layout, len(table)).complete({"pictures": kind, "components": 32, "filters": 200})
    transformer = Transformer(needs, params, layout)
    transformer.fit(table, FitRows(task=TASK, target=np.arange(len(table)) % 3, seed=0))
    expected = transformer.transform(table)
    graph = Graph()
    names = TableNames("", "", "", ((graph.input("pictures", "uint8", shape), shape),))
    found = run(graph, transformer.to_graph(graph, names), "float32", expected.shape[1], pictures)
    np.testing.assert_allclose(found, expected, atol=2e-4 * float(np.abs(expected).max()))


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("dense", (8, 8, 1)), ("plain", (130, 70, 3)), ("residual", (33, 20, 3)), ("separable", (33, 20, 3))],
    ids=lambda given: str(given),
)
def test_a_net_is_the_same_in_a_graph(kind: str, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(3)
    family = PictureFamily("net", "net", kind, cost=1.0, width=(4, 8, 16), blocks=1, rate=1e-3)
    features = (Feature(name="p", source="p", shape=shape),)
    context = FitContext(task=TASK, features=features, seed=1, stop_rows=np.zeros(0, dtype=np.int64))
    params = {"width": 8, "side": 64, "blocks": 2, "flip": True, "dropout": 0.1, "epochs": 1}
    estimator: Any = family.build(params, context)
    import keras

    model = estimator.net.build_keras(keras, dropout=0.0, augment=None)
    estimator.weights = [
        (rng.random(values.shape) if (values == 1).all() else rng.normal(0, 0.3, values.shape)).astype(np.float32)
        for values in model.get_weights()
    ]
    pictures = draw_pictures(shape, 10)
    expected = estimator.predict(pictures.reshape(10, -1))
    assert pickle.loads(pickle.dumps(estimator))._predict is None  # what TensorFlow compiled does not travel
    graph = Graph()
    outputs = estimator.to_graph(graph, graph.input("pictures", "uint8", shape))
    np.testing.assert_allclose(run(graph, outputs, "float64", 3, pictures), expected, atol=1e-5)
