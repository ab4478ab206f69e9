"""A convolutional network over words: patterns of two to four words, the strongest of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._text_nets import NEEDS, Size, TextNetEstimator, Weights, net_space, net_unsupported
from automl.graph import Graph
from automl.matrix import FloatArray, Shape
from automl.space import Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_text_cnn"
WIDTHS = (2, 3, 4)


class TextCNN:
    """Kim 2014 (doi:10.3115/v1/D14-1181)."""

    title = "Keras TextCNN"
    needs = NEEDS
    cost = 20.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return net_unsupported(task, shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return net_space(task, shape, units=96)

    def build(self, params: Params, context: FitContext) -> Estimator:
        return TextNetEstimator(NAME, Convolutions(), params, context)

    def load(self, folder: Path) -> Estimator:
        return TextNetEstimator.load(NAME, Convolutions(), folder)


class Convolutions:
    """Filters of several widths, each pooled by its maximum."""

    def shapes(self, size: Size) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for width in WIDTHS:
            found[f"filters_{width}/0"] = (width, size.embedding, size.units)
            found[f"filters_{width}/1"] = (size.units,)
        return found

    def pooled_width(self, size: Size) -> int:
        return len(WIDTHS) * size.units

    def cells_per_row(self, size: Size) -> int:
        return size.length * max(size.units, size.embedding)

    def build(self, keras: Any, words: Any, mask: Any, size: Size, dropout: float) -> Any:
        layers, ops = keras.layers, keras.ops
        padded = ops.pad(words, [[0, 0], [0, max(WIDTHS)], [0, 0]])  # every text ends in a pattern of no words
        maxima = [
            ops.max(layers.Conv1D(size.units, width, activation="relu", name=f"filters_{width}")(padded), axis=1)
            for width in WIDTHS
        ]
        return layers.Concatenate()(maxima)

    def forward(self, weights: Weights, words: FloatArray, mask: FloatArray, size: Size) -> FloatArray:
        padded = np.pad(words, ((0, 0), (0, max(WIDTHS)), (0, 0)))
        maxima = []
        for width in WIDTHS:
            kernel, bias = weights[f"filters_{width}/0"], weights[f"filters_{width}/1"]
            count = padded.shape[1] - width + 1
            sums = sum(padded[:, at : at + count] @ kernel[at] for at in range(width)) + bias
            maxima.append(np.maximum(sums, 0.0).max(axis=1))
        return np.concatenate(maxima, axis=1)

    def to_graph(self, graph: Graph, weights: Weights, words: str, mask: str, size: Size) -> str:
        first = graph.add("Gather", words, np.zeros(max(WIDTHS), dtype=np.int64), axis=1)
        padded = graph.add("Concat", words, graph.add("Mul", first, np.float32(0)), axis=1)
        maxima = []
        for width in WIDTHS:
            kernel, count = weights[f"filters_{width}/0"], size.length + max(WIDTHS) - width + 1
            sums = ""
            for at in range(width):
                part = graph.add("MatMul", graph.add("Gather", padded, np.arange(at, at + count), axis=1), kernel[at])
                sums = graph.add("Add", sums, part) if sums else part
            bent = graph.add("Relu", graph.add("Add", sums, weights[f"filters_{width}/1"]))
            maxima.append(graph.add("ReduceMax", bent, np.array([1], dtype=np.int64), keepdims=0))
        return graph.concat(maxima)


plugin: Candidate = TextCNN()
