"""An embedding bag with n-grams, in the manner of fastText: the mean of word and word-pair vectors, then one layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._text_nets import NEEDS, Size, TextNetEstimator, Weights, net_space, net_unsupported
from automl.graph import Graph
from automl.matrix import FloatArray, Shape
from automl.space import Choice, Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_text_bag"


class TextBag:
    """Joulin et al. 2017 (arXiv:1607.01759); a pair's vector is made by one small layer from its two words', which
    needs no hashing buckets. With `layers` 0 it is Embedding → mean → Dense."""

    title = "Keras embedding bag"
    needs = NEEDS
    cost = 12.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return net_unsupported(task, shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return net_space(task, shape, units=64, rate=5e-3) | SearchSpace({"layers": Choice((0, 1), 1)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        return TextNetEstimator(NAME, Bag(), params, context)

    def load(self, folder: Path) -> Estimator:
        return TextNetEstimator.load(NAME, Bag(), folder)


class Bag:
    """Mean of the words, and mean of the pairs."""

    def shapes(self, size: Size) -> dict[str, tuple[int, ...]]:
        if not size.layers:
            return {}
        return {"pairs/0": (2, size.embedding, size.units), "pairs/1": (size.units,)}

    def pooled_width(self, size: Size) -> int:
        return size.embedding + (size.units if size.layers else 0)

    def cells_per_row(self, size: Size) -> int:
        return size.length * max(size.units, size.embedding)

    def build(self, keras: Any, words: Any, mask: Any, size: Size, dropout: float) -> Any:
        ops = keras.ops
        count = ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)
        mean = ops.sum(words, axis=1) / count
        if not size.layers:
            return mean
        pairs = keras.layers.Conv1D(size.units, 2, activation="relu", name="pairs")(words)
        both = ops.expand_dims(mask[:, 1:], -1)  # a pair is there if its second word is
        return keras.layers.Concatenate()([mean, ops.sum(pairs * both, axis=1) / count])

    def forward(self, weights: Weights, words: FloatArray, mask: FloatArray, size: Size) -> FloatArray:
        count = np.maximum(mask.sum(axis=1, keepdims=True), 1.0)
        mean = words.sum(axis=1) / count
        if not size.layers:
            return np.asarray(mean)
        kernel, bias = weights["pairs/0"], weights["pairs/1"]
        pairs = np.maximum(words[:, :-1] @ kernel[0] + words[:, 1:] @ kernel[1] + bias, 0.0)
        return np.concatenate([mean, (pairs * mask[:, 1:, None]).sum(axis=1) / count], axis=1)

    def to_graph(self, graph: Graph, weights: Weights, words: str, mask: str, size: Size) -> str:
        count = graph.add("Max", graph.total(mask, 1), np.float32(1))
        mean = graph.add("Div", graph.total(words, 1, keep=False), count)
        if not size.layers:
            return mean
        before, after = (graph.add("Gather", words, np.arange(size.length - 1) + shift, axis=1) for shift in (0, 1))
        kernel = weights["pairs/0"]
        pairs = graph.add("Add", graph.add("MatMul", before, kernel[0]), graph.add("MatMul", after, kernel[1]))
        pairs = graph.add("Relu", graph.add("Add", pairs, weights["pairs/1"]))
        there = graph.add("Unsqueeze", graph.columns(mask, np.arange(1, size.length)), np.array([2], dtype=np.int64))
        total = graph.total(graph.add("Mul", pairs, there), 1, keep=False)
        return graph.concat([mean, graph.add("Div", total, count)])


plugin: Candidate = TextBag()
