"""The ONNX graph with 8-bit weights, the smallest of them zero: as small as it gets without losing what it knows."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.bag import BagModel
from automl.errors import ConstraintError
from automl.export import Facts, Format, Source
from automl.export._forms import KEEP, Build, Form, build_plain, measure_forms
from automl.export.onnx import FILE, predict_rows
from automl.export.onnx import plugin as onnx_format
from automl.files import write_bytes
from automl.graph import Graph, Node
from automl.matrix import Array, FloatArray
from automl.predictor import Predictor

REQUIRES = ("onnx", "onnxruntime")
EXTRA = "onnx"
SHARES = (0.5, 0.7, 0.9)  # of a kernel's weights that are made zero
LEAST_VALUES = 512  # smaller constants stay as they are


class OnnxSmall:
    """Weights as 8-bit integers that the runtime widens as it loads, so that a row takes as long as before; then those
    of the least size in each kernel of a network as zeros (magnitude pruning, Han et al. 2015, arXiv:1506.02626), which
    weigh nothing once the file is packed. The smallest packed form that keeps its score is written."""

    title = "an ONNX graph of few and small weights"
    executes = False
    from_graph = True
    proof = "score"

    def write(self, source: Source, folder: Path) -> Facts:
        facts = onnx_format.write(source, folder)
        builds = list_steps(source.predictor)
        forms = measure_forms(source, builds)
        kept = [form for form in forms[1:] if form.kept >= KEEP and form.packed_bytes < forms[0].packed_bytes]
        if not kept:
            raise ConstraintError(_explain(forms), hint="automl export RUN --format onnx --max-size 500KB cuts models")
        taken = min(kept, key=lambda form: form.packed_bytes)
        write_bytes(folder / FILE, builds[taken.name](source.predictor))
        return dataclasses.replace(
            facts,
            summary=f"One ONNX graph that takes the raw columns, in its form {taken.name!r}.",
            limits=(
                *facts.limits,
                f"It keeps {taken.kept:.1%} of the gain; single answers differ, see manifest.json.",
                "Zeros pay once the file is packed: in an archive, or in the layer of an image.",
            ),
            proof=f"Its out-of-fold score is {taken.score:.5g}, {forms[0].score:.5g} with all weights.",
            notes={**facts.notes, "forms": [dataclasses.asdict(form) for form in forms], "taken": taken.name},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return predict_rows(folder, rows, FILE)


def list_steps(predictor: Predictor) -> dict[str, Build]:
    """Name → how the form is made; pruning only where there is a network."""
    steps: dict[str, Build] = {"float32": build_plain, "8-bit": _build_small}
    if any(_kernels(fold.estimator) for member in _members(predictor) for fold in member.folds):
        for share in SHARES:
            steps[f"8-bit, {share:.0%} zero"] = _pruned(share)
    return steps


def _build_small(predictor: Predictor) -> bytes:
    return build_plain(predictor, lambda graph: store_small(graph, find_embeddings(predictor)))


def _pruned(share: float) -> Build:
    return lambda predictor: _build_small(prune(predictor, share))


def find_embeddings(predictor: Predictor) -> set[str]:
    """Names of the constants that are weights of networks, and not what a column is looked up by."""
    names, scratch = set[str](), Graph()  # a constant's name follows from its content
    for member in _members(predictor):
        for fold in member.folds:
            names |= {scratch.constant(fold.estimator.weights[key]) for key in _kernels(fold.estimator)}
    return names


def _explain(forms: list[Form]) -> str:
    least = min(forms[1:], key=lambda form: form.packed_bytes)
    if least.packed_bytes >= forms[0].packed_bytes:
        return "There is nothing to save: the model is made of trees, or is small"
    best = max(forms[1:], key=lambda form: form.kept)
    return f"The best smaller form, {best.name!r}, keeps {best.kept:.1%} of the gain, and {KEEP:.0%} are demanded"


def _members(predictor: Predictor) -> Any:
    assert isinstance(predictor.model, BagModel)
    return predictor.model.members


def _kernels(estimator: Any) -> list[Any]:
    """Keys of a network's weights that are kernels or embeddings; none of any other model."""
    weights = getattr(estimator, "weights", None)
    pairs = weights.items() if isinstance(weights, dict) else enumerate(weights) if isinstance(weights, list) else ()
    return [key for key, values in pairs if values.ndim > 1 and values.size >= LEAST_VALUES]


def prune(predictor: Predictor, share: float) -> Predictor:
    """The same model, this share of each kernel's weights zero, those of the least size."""
    model = predictor.model
    assert isinstance(model, BagModel)
    members = []
    for member in model.members:
        folds = []
        for fold in member.folds:
            keys = _kernels(fold.estimator)
            if keys:
                estimator = copy.copy(fold.estimator)
                estimator.weights = copy.copy(estimator.weights)  # type: ignore[attr-defined]
                for key in keys:
                    estimator.weights[key] = _cut(estimator.weights[key], share)  # type: ignore[attr-defined]
                fold = dataclasses.replace(fold, estimator=estimator)
            folds.append(fold)
        members.append(dataclasses.replace(member, folds=tuple(folds)))
    return dataclasses.replace(predictor, model=dataclasses.replace(model, members=tuple(members)))


def _cut(values: FloatArray, share: float) -> FloatArray:
    size = np.abs(values)
    return np.where(size <= np.quantile(size, share), np.float32(0), values).astype(np.float32)


def store_small(graph: Graph, embeddings: set[str]) -> None:
    """Keep large constants as int8: those of products, with a scale for each column or filter, and of look-ups
    `embeddings`, with one for each row."""
    used: dict[str, set[tuple[str, int]]] = {}
    for node in graph.nodes:
        for place, name in enumerate(node.inputs):
            used.setdefault(name, set()).add((node.op, place))
    first: list[Node] = []
    for name, places in used.items():
        array = graph.constants.get(name)
        if array is None or array.dtype != np.float32 or array.ndim < 2 or array.size < LEAST_VALUES:
            continue
        operators = {op for op, _ in places}
        if operators == {"MatMul"} and {place for _, place in places} == {1}:
            axis = array.ndim - 1
        elif operators == {"Conv"} or (operators == {"Gather"} and name in embeddings):
            axis = 0
        else:
            continue
        whole, scale = _round(array, axis)
        inputs = (graph.constant(whole), graph.constant(scale))
        first.append(Node("DequantizeLinear", inputs, (f"{name}.wide",), {"axis": axis}))
    wide = {node.outputs[0].removesuffix(".wide"): node.outputs[0] for node in first}
    graph.nodes[:] = [
        *first,
        *(dataclasses.replace(n, inputs=tuple(wide.get(name, name) for name in n.inputs)) for n in graph.nodes),
    ]
    for name in wide:
        del graph.constants[name]


def _round(array: FloatArray, axis: int) -> tuple[Array, FloatArray]:
    others = tuple(at for at in range(array.ndim) if at != axis)
    scale = (np.abs(array).max(axis=others, keepdims=True) / np.float32(127)).astype(np.float32)
    scale[scale == 0] = 1.0
    return np.rint(array / scale).astype(np.int8), scale.reshape(-1)


plugin: Format = OnnxSmall()
