"""A small Transformer encoder, trained from scratch: token and position embedding, self-attention, mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._targets import softmax
from automl.candidates._text_nets import NEEDS, Size, TextNetEstimator, Weights, net_space, net_unsupported
from automl.graph import Graph
from automl.matrix import FloatArray, Shape
from automl.space import Int, Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_text_transformer"
HEADS = 4
EPSILON = 1e-5


class TextTransformer:
    """Vaswani et al. 2017 (arXiv:1706.03762), normalised before each step (Xiong et al. 2020, arXiv:2002.04745)."""

    title = "Keras Transformer"
    needs = NEEDS
    cost = 60.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return net_unsupported(task, shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return net_space(task, shape, units=128, rate=1e-3) | SearchSpace({"layers": Int(1, 3, 1)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        return TextNetEstimator(NAME, Attention(), params, context)

    def load(self, folder: Path) -> Estimator:
        return TextNetEstimator.load(NAME, Attention(), folder)


def _head_width(size: Size) -> int:
    return max(4, size.embedding // HEADS)


class Attention:
    """Blocks of self-attention and a two-layer network, each added to what it was given."""

    def shapes(self, size: Size) -> dict[str, tuple[int, ...]]:
        wide, head = size.embedding, _head_width(size)
        found: dict[str, tuple[int, ...]] = {"positions/0": (size.length, wide)}
        for block in range(size.layers):
            shapes: dict[str, list[tuple[int, ...]]] = {
                f"norm_a{block}": [(wide,), (wide,)],
                f"attention_{block}": [*[(wide, HEADS, head), (HEADS, head)] * 3, (HEADS, head, wide), (wide,)],
                f"norm_b{block}": [(wide,), (wide,)],
                f"up_{block}": [(wide, size.units), (size.units,)],
                f"down_{block}": [(size.units, wide), (wide,)],
            }
            found |= {f"{name}/{at}": shape for name, listed in shapes.items() for at, shape in enumerate(listed)}
        return found | {"norm_end/0": (wide,), "norm_end/1": (wide,)}

    def pooled_width(self, size: Size) -> int:
        return size.embedding

    def cells_per_row(self, size: Size) -> int:
        return size.length * max(HEADS * size.length, size.units, size.embedding)

    def build(self, keras: Any, words: Any, mask: Any, size: Size, dropout: float) -> Any:
        layers, ops = keras.layers, keras.ops
        numbers = ops.cast(ops.cumsum(ops.ones_like(mask), axis=1) - 1.0, "int32")
        place = layers.Embedding(size.length, size.embedding, name="positions")(numbers)
        x = words * float(np.sqrt(size.embedding)) + place
        seen = ops.expand_dims(mask > 0.5, 1)
        for block in range(size.layers):
            normal = layers.LayerNormalization(epsilon=EPSILON, name=f"norm_a{block}")(x)
            attention = layers.MultiHeadAttention(
                HEADS, _head_width(size), dropout=0.5 * dropout, name=f"attention_{block}", flash_attention=False
            )
            x = x + attention(normal, normal, attention_mask=seen)
            normal = layers.LayerNormalization(epsilon=EPSILON, name=f"norm_b{block}")(x)
            inner = layers.Dense(size.units, activation="relu", name=f"up_{block}")(normal)
            x = x + layers.Dense(size.embedding, name=f"down_{block}")(layers.Dropout(0.5 * dropout)(inner))
        x = layers.LayerNormalization(epsilon=EPSILON, name="norm_end")(x)
        weight = ops.expand_dims(mask, -1)
        return ops.sum(x * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1.0)

    def forward(self, weights: Weights, words: FloatArray, mask: FloatArray, size: Size) -> FloatArray:
        x = words * np.float32(np.sqrt(size.embedding)) + weights["positions/0"][: words.shape[1]]
        for block in range(size.layers):
            x = x + _attend(weights, f"attention_{block}", _normalize(weights, f"norm_a{block}", x), mask)
            inner = _normalize(weights, f"norm_b{block}", x) @ weights[f"up_{block}/0"] + weights[f"up_{block}/1"]
            x = x + np.maximum(inner, 0.0) @ weights[f"down_{block}/0"] + weights[f"down_{block}/1"]
        x = _normalize(weights, "norm_end", x) * mask[:, :, None]
        return np.asarray(x.sum(axis=1) / np.maximum(mask.sum(axis=1, keepdims=True), 1.0), dtype=np.float32)

    def to_graph(self, graph: Graph, weights: Weights, words: str, mask: str, size: Size) -> str:
        x = graph.add("Mul", words, np.float32(np.sqrt(size.embedding)))
        x = graph.add("Add", x, weights["positions/0"][: size.length])
        for block in range(size.layers):
            normal = _normalize_in_graph(graph, weights, f"norm_a{block}", x)
            x = graph.add("Add", x, _attend_in_graph(graph, weights, f"attention_{block}", normal, mask, size.length))
            normal = _normalize_in_graph(graph, weights, f"norm_b{block}", x)
            inner = graph.add("Relu", _apply_in_graph(graph, weights, f"up_{block}", normal))
            x = graph.add("Add", x, _apply_in_graph(graph, weights, f"down_{block}", inner))
        wide = graph.add("Unsqueeze", mask, np.array([2], dtype=np.int64))
        x = graph.add("Mul", _normalize_in_graph(graph, weights, "norm_end", x), wide)
        count = graph.add("Max", graph.total(mask, 1), np.float32(1))
        return graph.add("Div", graph.total(x, 1, keep=False), count)


def _normalize(weights: Weights, name: str, x: FloatArray) -> FloatArray:
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    return np.asarray(centred / spread * weights[f"{name}/0"] + weights[f"{name}/1"], dtype=np.float32)


def _attend(weights: Weights, name: str, x: FloatArray, mask: FloatArray) -> FloatArray:
    query, key, value = (
        np.tensordot(x, weights[f"{name}/{at}"], axes=1) + weights[f"{name}/{at + 1}"] for at in (0, 2, 4)
    )
    scores = np.einsum("nqhd,nkhd->nhqk", query, key, optimize=True) / np.float32(np.sqrt(query.shape[-1]))
    scores = np.where(mask[:, None, None, :] > 0.5, scores, -1e9)
    shares = np.asarray(softmax(scores.reshape(-1, scores.shape[-1])).reshape(scores.shape), dtype=np.float32)
    mixed = np.einsum("nhqk,nkhd->nqhd", shares, value, optimize=True)
    return np.asarray(np.tensordot(mixed, weights[f"{name}/6"], axes=2) + weights[f"{name}/7"], dtype=np.float32)


def _apply_in_graph(graph: Graph, weights: Weights, name: str, x: str) -> str:
    return graph.add("Add", graph.add("MatMul", x, weights[f"{name}/0"]), weights[f"{name}/1"])


def _normalize_in_graph(graph: Graph, weights: Weights, name: str, x: str) -> str:
    share = np.float32(1 / len(weights[f"{name}/0"]))
    centred = graph.add("Sub", x, graph.add("Mul", graph.total(x, 2), share))
    variance = graph.add("Mul", graph.total(graph.add("Mul", centred, centred), 2), share)
    spread = graph.add("Sqrt", graph.add("Add", variance, np.float32(EPSILON)))
    scaled = graph.add("Mul", graph.add("Div", centred, spread), weights[f"{name}/0"])
    return graph.add("Add", scaled, weights[f"{name}/1"])


def _attend_in_graph(graph: Graph, weights: Weights, name: str, x: str, mask: str, length: int) -> str:
    wide, heads, head = weights[f"{name}/0"].shape
    split = np.array([-1, length, heads, head], dtype=np.int64)
    parts = []
    for at, turn in ((0, [0, 2, 1, 3]), (2, [0, 2, 3, 1]), (4, [0, 2, 1, 3])):  # queries, keys as columns, values
        kernel, bias = weights[f"{name}/{at}"].reshape(wide, -1), weights[f"{name}/{at + 1}"].reshape(-1)
        flat = graph.add("Add", graph.add("MatMul", x, kernel), bias)
        parts.append(graph.add("Transpose", graph.add("Reshape", flat, split), perm=turn))
    scores = graph.add("Div", graph.add("MatMul", parts[0], parts[1]), np.float32(np.sqrt(head)))
    there = graph.add("Reshape", graph.add("Greater", mask, np.float32(0.5)), np.array([-1, 1, 1, length]))
    shares = graph.add("Softmax", graph.add("Where", there, scores, np.float32(-1e9)), axis=3)
    mixed = graph.add("Transpose", graph.add("MatMul", shares, parts[2]), perm=[0, 2, 1, 3])
    flat = graph.add("Reshape", mixed, np.array([-1, length, heads * head], dtype=np.int64))
    product = graph.add("MatMul", flat, weights[f"{name}/6"].reshape(heads * head, -1))
    return graph.add("Add", product, weights[f"{name}/7"])


plugin: Candidate = TextTransformer()
