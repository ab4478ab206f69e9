"""Texts answer the same in ONNX Runtime, fed by tokens.py alone, as in numpy: n-grams, themes, words and networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.candidates import FitContext
from automl.candidates._text_nets import TextNetEstimator
from automl.candidates.keras_text_bag import Bag
from automl.candidates.keras_text_cnn import Convolutions
from automl.candidates.keras_text_gru import Recurrent
from automl.candidates.keras_text_transformer import Attention
from automl.export._model import build_model
from automl.export._prepare import Prepare
from automl.export._signature import make_signature
from automl.export._tensorflow import build_function
from automl.graph import Graph, NoGraphError, SparseNames
from automl.matrix import Feature, Needs
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import TableEncoder
from automl.preprocess.tokens import MAX_TEXT_CHARACTERS
from automl.schema import MAX_TEXT_CHARACTERS as SCHEMA_CHARACTERS
from automl.schema import Column, Role, Schema
from automl.task import Task, TaskKind

WORDS = ["good", "bad", "fine", "服务", "很好", "it's", "the", "THE", "café", "food!", "<b>so</b>", "&amp;", "3.5"]
WORDS += ["😀😀"]
STRANGE = [
    None,
    "",
    "  ",
    "!!!",
    "\u670d\u52a1\u5f88\u597d\u5403",
    "\u00c9\u00c9 \ufb01ne \u03a3",
    "zzz qqq",
    "a" * 30_000,
    "good",
]
TASK = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"), metric="log_loss")
NEEDS = {
    "sparse": Needs(scaled=True, text="sparse"),
    "dense": Needs(missing=True, text="dense"),
    "tokens": Needs(scaled=True, text="tokens"),
}
CHOICES: list[tuple[str, dict[str, Any]]] = [
    ("sparse", {}),
    ("sparse", {"words": 0, "chars": "across 1-6", "idf": False, "others": 0.3}),
    ("sparse", {"words": 3, "chars": "none", "sublinear": False, "max_df": 0.3, "min_df": 5}),
    ("sparse", {"words": 3, "chars": "none", "stop_words": 50}),
    ("dense", {"text_components": 16}),
    ("dense", {"text_components": 0}),
    ("tokens", {"word_min_df": 2}),
]
NETS = [(Bag(), 0), (Bag(), 1), (Convolutions(), 1), (Recurrent(), 1), (Attention(), 2)]


def make_rows(rows: int = 120) -> tuple[Schema, pd.DataFrame]:
    """Two columns of texts and a number."""
    rng = np.random.default_rng(2)
    texts = [[" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(rows)] for _ in range(2)]
    columns = tuple(Column(name=name, role=Role.TEXT) for name in ("title", "body"))
    schema = Schema(columns=(*columns, Column(name="price", role=Role.NUMBER)))
    return schema, pd.DataFrame({"title": texts[0], "body": texts[1], "price": rng.normal(size=rows)})


def answer(graph: Graph, schema: Schema, frame: pd.DataFrame) -> np.ndarray:
    """The last output of raw rows, prepared as an export prepares them."""
    import onnxruntime

    class Asked:
        threshold = 0.5
        task = TASK

    asked = Asked()
    asked.schema = schema  # type: ignore[attr-defined]
    model = build_model(graph, name="test", facts={}).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    arrays = Prepare(make_signature(asked, graph))(rows)  # type: ignore[arg-type]
    return np.asarray(session.run(None, {entry.name: arrays[entry.name] for entry in session.get_inputs()})[-1])


@pytest.mark.parametrize(("family", "given"), CHOICES, ids=[f"{name}-{given}" for name, given in CHOICES])
def test_texts_make_the_same_matrix_in_a_graph(family: str, given: dict[str, Any]) -> None:
    schema, frame = make_rows()
    encoder = TableEncoder(schema)
    table = encoder.encode(schema.parse(frame))
    params = plan_space(NEEDS[family], table.layout).complete(given)
    transformer = Transformer(NEEDS[family], params, encoder.layout)
    transformer.fit(table, FitRows(task=TASK, target=np.arange(len(frame)) % 3, seed=0))
    strange = pd.DataFrame({"title": STRANGE, "body": STRANGE[::-1], "price": 0.5})
    for asked in (frame, strange, frame.iloc[:1]):
        expected = transformer.transform(encoder.encode(schema.parse(asked)))
        graph = Graph()
        matrix = transformer.to_graph(graph, encoder.to_graph(graph))
        if isinstance(matrix, SparseNames):
            weights = np.random.default_rng(1).normal(size=(expected.shape[1], 3)).astype(np.float32)
            expected, matrix = expected @ weights, matrix.multiply(graph, weights)
        graph.output("matrix", matrix, "float32", expected.shape[1])
        found = answer(graph, schema, asked)
        if family == "dense":  # trees split there: not even the last bit may differ
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("net", "layers"), NETS, ids=lambda given: type(given).__name__)
def test_a_network_over_words_answers_the_same_in_a_graph(net: Any, layers: int) -> None:
    rng = np.random.default_rng(4)
    places = tuple(Feature(name=f"token {at}", source="t", cardinality=20, token=True) for at in range(9))
    features = (Feature(name="price", source="price"), *places)
    context = FitContext(task=TASK, features=features, seed=1, stop_rows=np.zeros(0, dtype=np.int64))
    params = {"embedding": 8, "units": 12, "layers": layers, "epochs": 2, "dropout": 0.1, "word_dropout": 0.0}
    estimator = TextNetEstimator("net", net, params, context)
    estimator.weights = {
        name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in estimator._shapes().items()
    }
    numbers = rng.integers(1, 20, (40, 9))
    numbers[np.arange(9)[None, :] >= rng.integers(0, 10, 40)[:, None]] = 0
    matrix = np.column_stack([rng.normal(size=40), numbers]).astype(np.float32)
    assert (matrix[:, 1:].sum(axis=1) == 0).any()
    graph = Graph()
    given = graph.input("matrix", "float32", (10,))
    graph.output("outputs", estimator.to_graph(graph, given), "float64", 3)
    import onnxruntime

    model = build_model(graph, name="test", facts={}).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"matrix": matrix})[0], estimator.predict(matrix), atol=2e-6)
    _, serve = build_function(graph, narrow=False)
    np.testing.assert_allclose(serve(matrix)["outputs"], estimator.predict(matrix), atol=2e-6)


def test_an_operator_that_tensorflow_lacks_is_refused_before_it_traces() -> None:
    graph = Graph()
    graph.output("outputs", graph.add("Einsum", graph.input("x", "float32"), equation="ij->ij"), "float32", 1)
    with pytest.raises(NoGraphError, match="Einsum"):
        build_function(graph, narrow=False)


def test_a_text_is_cut_where_the_schema_says() -> None:
    assert MAX_TEXT_CHARACTERS == SCHEMA_CHARACTERS
