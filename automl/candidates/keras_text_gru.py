"""A bidirectional gated recurrent network: the text read forwards and backwards, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._text_nets import NEEDS, Size, TextNetEstimator, Weights, net_space, net_unsupported, sigmoid
from automl.graph import Graph
from automl.matrix import FloatArray, Shape
from automl.space import Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_text_gru"
DIRECTIONS = ("forwards", "backwards")


class TextGRU:
    """Cho et al. 2014 (doi:10.3115/v1/D14-1179)."""

    title = "Keras bidirectional GRU"
    needs = NEEDS
    cost = 60.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return net_unsupported(task, shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return net_space(task, shape, units=48)

    def build(self, params: Params, context: FitContext) -> Estimator:
        return TextNetEstimator(NAME, Recurrent(), params, context)

    def load(self, folder: Path) -> Estimator:
        return TextNetEstimator.load(NAME, Recurrent(), folder)


class Recurrent:
    """The last states of both directions."""

    def shapes(self, size: Size) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for name in DIRECTIONS:
            found[f"{name}/0"] = (size.embedding, 3 * size.units)
            found[f"{name}/1"] = (size.units, 3 * size.units)
            found[f"{name}/2"] = (2, 3 * size.units)
        return found

    def pooled_width(self, size: Size) -> int:
        return 2 * size.units

    def cells_per_row(self, size: Size) -> int:
        return size.length * max(3 * size.units, size.embedding)

    def build(self, keras: Any, words: Any, mask: Any, size: Size, dropout: float) -> Any:
        there = mask > 0.5
        ends = [
            keras.layers.GRU(size.units, go_backwards=name == "backwards", use_cudnn=False, name=name)(
                words, mask=there
            )
            for name in DIRECTIONS
        ]
        return keras.layers.Concatenate()(ends)

    def forward(self, weights: Weights, words: FloatArray, mask: FloatArray, size: Size) -> FloatArray:
        ends = []
        for name in DIRECTIONS:
            turn = slice(None, None, -1 if name == "backwards" else 1)
            kernels = tuple(weights[f"{name}/{place}"] for place in range(3))
            ends.append(_run(words[:, turn], mask[:, turn], kernels, size.units))
        return np.concatenate(ends, axis=1)

    def to_graph(self, graph: Graph, weights: Weights, words: str, mask: str, size: Size) -> str:
        """The operator GRU, whose gates stand in Keras' order and whose reset comes after the product, too."""
        turned = graph.add("Transpose", words, perm=[1, 0, 2])
        lengths = graph.cast(graph.total(mask, 1, keep=False), "int32")
        kernels = [np.stack([weights[f"{name}/{place}"] for name in DIRECTIONS]) for place in range(3)]
        given, recurrent = (np.ascontiguousarray(kernel.transpose(0, 2, 1)) for kernel in kernels[:2])
        options: dict[str, Any] = {"hidden_size": size.units, "direction": "bidirectional", "linear_before_reset": 1}
        bias = kernels[2].reshape(2, -1)
        ends = graph.add_many("GRU", turned, given, recurrent, bias, lengths, outputs=2, **options)[1]
        rows = graph.add("Transpose", ends, perm=[1, 0, 2])
        flat = graph.add("Reshape", rows, np.array([-1, 2 * size.units], dtype=np.int64))
        there = graph.add("Greater", graph.total(mask, 1), np.float32(0))  # an empty text has no last state
        return graph.add("Where", there, flat, np.float32(0))


def _run(words: FloatArray, mask: FloatArray, kernels: tuple[FloatArray, ...], units: int) -> FloatArray:
    kernel, recurrent, bias = kernels
    state = np.zeros((len(words), units), dtype=np.float32)
    given = words @ kernel + bias[0]
    for at in range(words.shape[1]):
        own = state @ recurrent + bias[1]
        x = given[:, at]
        keep = sigmoid(x[:, :units] + own[:, :units])
        reset = sigmoid(x[:, units : 2 * units] + own[:, units : 2 * units])
        fresh = np.tanh(x[:, 2 * units :] + reset * own[:, 2 * units :])
        state = np.where(mask[:, at, None] > 0.5, keep * state + (1.0 - keep) * fresh, state)
    return state


plugin: Candidate = TextGRU()
