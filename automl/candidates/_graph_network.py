"""The layers of the networks in a graph, step for step as their forward passes in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from automl.candidates._columns import ONE_HOT
from automl.graph import Graph
from automl.matrix import FloatArray


def perceptron_to_graph(graph: Graph, plan: Any, weights: Mapping[str, FloatArray], matrix: str) -> str:
    """`Architecture.forward`, (n, outputs) float32."""
    values = graph.concat([*_periodic(graph, plan, weights, matrix), *codes_to_graph(graph, plan, weights, matrix)])
    for at in range(len(plan.hidden) + 1):
        values = graph.add("Add", graph.add("MatMul", values, weights[f"kernel_{at}"]), weights[f"bias_{at}"])
        if at == len(plan.hidden):
            break
        bent = activate_in_graph(graph, plan.activation, values)
        away = graph.add("Mul", weights[f"bend_{at}"], graph.add("Sub", bent, values))
        values = graph.add("Add", values, away)  # x + a·(act(x) − x)
    return values


def clip_smoothly_in_graph(graph: Graph, x: str) -> str:
    """x / √(1 + (x/3)²) with NaN as 0, float32."""
    x = graph.clip(graph.replace_nan(x, np.float32(0)), np.float32(-1e6), np.float32(1e6))
    third = graph.add("Div", x, np.float32(3))
    return graph.add("Div", x, graph.add("Sqrt", graph.add("Add", np.float32(1), graph.add("Mul", third, third))))


def codes_to_graph(graph: Graph, plan: Any, weights: Mapping[str, FloatArray], matrix: str) -> list[str]:
    """Each code column as its row of an embedding, or as indicators where codes are few: (n, w) float32."""
    parts = []
    for at, (column, codes) in enumerate(zip(plan.categories, plan.cardinalities, strict=True)):
        table = weights[f"embedding_{at}"] if codes > ONE_HOT else np.eye(codes, dtype=np.float32)
        code = graph.replace_nan(graph.add("Gather", matrix, np.int64(column), axis=1), np.float32(0))
        index = graph.cast(graph.clip(code, np.float32(0), np.float32(codes - 1)), "int64")
        parts.append(graph.add("Gather", table, index, axis=0))
    return parts


def activate_in_graph(graph: Graph, name: str, values: str) -> str:
    """`_mlp.activate`, of any shape, float32."""
    if name == "relu":
        return graph.add("Relu", values)
    if name == "silu":
        return graph.add("Mul", values, graph.add("Sigmoid", values))
    if name == "mish":
        return graph.add("Mul", values, graph.add("Tanh", graph.add("Softplus", values)))
    return graph.add("Selu", values)


def _periodic(graph: Graph, plan: Any, weights: Mapping[str, FloatArray], matrix: str) -> list[str]:
    """Numbers clipped smoothly and, beside them, their periodic embedding."""
    if not plan.numbers:
        return []
    x = clip_smoothly_in_graph(graph, graph.columns(matrix, plan.numbers))
    if not plan.frequencies:
        return [x]
    turns = graph.add("Add", graph.add("Mul", _widen(graph, x), weights["frequency"]), weights["phase"])
    waves = graph.add("Cos", graph.add("Mul", np.float32(2 * np.pi), turns))  # (n, m, f)
    shifted = graph.add("Add", _by_column(graph, waves, weights["mix"]), weights["shift"])
    return [x, _flatten(graph, shifted, weights["shift"].size)]


def _widen(graph: Graph, x: str) -> str:
    return graph.add("Unsqueeze", x, np.array([2], dtype=np.int64))


def _by_column(graph: Graph, values: str, kernels: FloatArray) -> str:
    """(n, m, a) times (m, a, b), a product of matrices for each column m: (n, m, b)."""
    product = graph.add("MatMul", graph.add("Transpose", values, perm=[1, 0, 2]), kernels)
    return graph.add("Transpose", product, perm=[1, 0, 2])


def _flatten(graph: Graph, values: str, width: int) -> str:
    return graph.add("Reshape", values, np.array([-1, width], dtype=np.int64))


def tabm_to_graph(graph: Graph, plan: Any, weights: Mapping[str, FloatArray], matrix: str) -> str:
    """`TabMNetwork.forward`, (n, members, outputs) float32."""
    parts = [_piecewise(graph, plan, weights, matrix)] if plan.numbers else []
    values = graph.concat([*parts, *codes_to_graph(graph, plan, weights, matrix)])
    each = graph.add("Unsqueeze", values, np.array([0], dtype=np.int64))
    each = graph.add("Mul", each, weights["view"][:, None, :])  # (members, n, inputs)
    for at in range(plan.blocks):
        each = graph.add(
            "Relu", graph.add("Add", graph.add("MatMul", each, weights[f"kernel_{at}"]), weights[f"bias_{at}"])
        )
    scores = graph.add("Add", graph.add("MatMul", each, weights["head_kernel"]), weights["head_bias"][:, None, :])
    return graph.add("Transpose", scores, perm=[1, 0, 2])


def _piecewise(graph: Graph, plan: Any, weights: Mapping[str, FloatArray], matrix: str) -> str:
    x = clip_smoothly_in_graph(graph, graph.columns(matrix, plan.numbers))
    if not plan.bins:
        return x
    edges, wide = weights["edges"], _widen(graph, x)
    widths = np.diff(edges, axis=1)
    rates = np.divide(np.float32(1.0), widths, out=np.zeros_like(widths), where=widths > 1e-6)
    shares = graph.add("Mul", graph.add("Sub", wide, np.ascontiguousarray(edges[:, :-1])), rates)
    steps = _by_column(graph, graph.clip(shares, np.float32(0), np.float32(1)), weights["steps"])
    embedded = graph.add("Add", graph.add("Add", steps, graph.add("Mul", wide, weights["slope"])), weights["shift"])
    return _flatten(graph, embedded, weights["shift"].size)
