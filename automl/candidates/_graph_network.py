"""The layers of the networks in a graph, step for step as their forward passes in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from automl.graph import Graph
from automl.matrix import FloatArray

ONE_HOT = 9  # codes up to here become columns of their own, as in `_mlp`


def perceptron_to_graph(graph: Graph, plan: Any, weights: Mapping[str, FloatArray], matrix: str) -> str:
    """`Architecture.forward`, (n, outputs) float32."""
    values = graph.concat([*_periodic(graph, plan, weights, matrix), *codes_to_graph(graph, plan, weights, matrix)])
    for at in range(len(plan.hidden) + 1):
        values = graph.add("Add", graph.add("MatMul", values, weights[f"kernel_{at}"]), weights[f"bias_{at}"])
        if at == len(plan.hidden):
            break
        bent = activate_in_graph(graph, plan.activation, values)
        if f"bend_{at}" in weights:  # x + a·(act(x) − x)
            away = graph.add("Mul", weights[f"bend_{at}"], graph.add("Sub", bent, values))
            bent = graph.add("Add", values, away)
        values = bent
    return values


def tabm_to_graph(graph: Graph, plan: Any, weights: Mapping[str, FloatArray], matrix: str) -> str:
    """`TabMNetwork.forward`, (n, members, outputs) float32."""
    seen = graph.concat([*_piecewise(graph, plan, weights, matrix), *codes_to_graph(graph, plan, weights, matrix)])
    values = graph.add("Mul", graph.add("Unsqueeze", seen, np.array([1], dtype=np.int64)), weights["view"])
    for at in range(plan.blocks):
        values = graph.add("Add", graph.add("MatMul", values, weights[f"kernel_{at}"]), weights[f"bias_{at}"])
        values = graph.add("Relu", values)
    return graph.add("Add", _by_column(graph, values, weights["head_kernel"]), weights["head_bias"])


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


def _piecewise(graph: Graph, plan: Any, weights: Mapping[str, FloatArray], matrix: str) -> list[str]:
    """Numbers clipped smoothly, each as its shares of the intervals, mapped linearly, beside a linear term."""
    if not plan.numbers:
        return []
    x = clip_smoothly_in_graph(graph, graph.columns(matrix, plan.numbers))
    if not plan.bins:
        return [x]
    edges = weights["edges"]
    wide = _widen(graph, x)
    shares = graph.add("Mul", graph.add("Sub", wide, edges[:, :-1]), interval_rates(edges))
    shares = graph.clip(shares, np.float32(0), np.float32(1))
    steps = _by_column(graph, shares, weights["steps"])
    sloped = graph.add("Add", steps, graph.add("Mul", wide, weights["slope"]))
    return [_flatten(graph, graph.add("Add", sloped, weights["shift"]), weights["shift"].size)]


def interval_rates(edges: FloatArray) -> FloatArray:
    """1 / width (m, bins) of each interval between edges (m, bins + 1); 0 for those that have none."""
    widths = np.diff(edges, axis=1)
    return np.divide(np.float32(1.0), widths, out=np.zeros_like(widths), where=widths > 1e-6)


def _widen(graph: Graph, x: str) -> str:
    return graph.add("Unsqueeze", x, np.array([2], dtype=np.int64))


def _by_column(graph: Graph, values: str, kernels: FloatArray) -> str:
    """(n, m, a) times (m, a, b), a product of matrices for each column m: (n, m, b)."""
    product = graph.add("MatMul", graph.add("Transpose", values, perm=[1, 0, 2]), kernels)
    return graph.add("Transpose", product, perm=[1, 0, 2])


def _flatten(graph: Graph, values: str, width: int) -> str:
    return graph.add("Reshape", values, np.array([-1, width], dtype=np.int64))
