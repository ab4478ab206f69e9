"""Scikit-learn's linear models, kernel machines and Gaussian naive Bayes in a graph, computed in float64."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from automl.graph import Graph
from automl.matrix import Array


def linear_to_graph(graph: Graph, matrix: str, model: Any) -> str:
    """`decision_function`, or `predict` of a value, as (n, c) float64; (n, 1) for two classes."""
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    product = graph.add("MatMul", graph.cast(matrix, "float64"), weights)
    return graph.add("Add", product, np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64)))


def kernel_to_graph(graph: Graph, matrix: str, model: Any) -> str:
    """The same of a support vector machine with a Gaussian kernel."""
    vectors = np.asarray(model.support_vectors_, dtype=np.float64)
    squared = squared_distances(graph, matrix, vectors)
    similar = graph.add("Exp", graph.add("Mul", squared, np.float64(-model._gamma)))
    counts = getattr(model, "n_support_", None)
    if counts is None or not hasattr(model, "classes_") or len(model.classes_) == 2:
        dual = np.asarray(model.dual_coef_, dtype=np.float64).T
        return graph.add("Add", graph.add("MatMul", similar, dual), np.asarray(model.intercept_, dtype=np.float64))
    pairs = graph.add("MatMul", similar, _pair_weights(np.asarray(model.dual_coef_), counts))
    pairs = graph.add("Add", pairs, np.asarray(model.intercept_, dtype=np.float64))
    return _votes(graph, pairs, len(model.classes_))


def _pair_weights(dual: Array, counts: Array) -> Array:
    """(vectors, pairs): each pair of classes is told apart by the vectors of the two."""
    ends = np.concatenate([[0], np.cumsum(counts)])
    pairs = list(itertools.combinations(range(len(counts)), 2))
    weights = np.zeros((dual.shape[1], len(pairs)), dtype=np.float64)
    for at, (first, second) in enumerate(pairs):
        own, other = slice(ends[first], ends[first + 1]), slice(ends[second], ends[second + 1])
        weights[own, at] = dual[second - 1, own]
        weights[other, at] = dual[first, other]
    return weights


def _votes(graph: Graph, pairs: str, classes: int) -> str:
    """One margin a class: how many pairs it wins, and by how much, as scikit-learn's one-versus-rest shape."""
    signs = np.zeros((len(list(itertools.combinations(range(classes), 2))), classes), dtype=np.float64)
    for at, (first, second) in enumerate(itertools.combinations(range(classes), 2)):
        signs[at, first], signs[at, second] = 1.0, -1.0
    won = graph.cast(graph.add("Not", graph.add("Less", pairs, np.float64(0))), "float64")
    lost = graph.add("Sub", np.float64(1), won)
    votes = graph.add(
        "Add", graph.add("MatMul", won, (signs > 0).astype(float)), graph.add("MatMul", lost, (signs < 0).astype(float))
    )
    sums = graph.add("MatMul", pairs, signs)
    room = graph.add("Mul", np.float64(3), graph.add("Add", graph.add("Abs", sums), np.float64(1)))
    return graph.add("Add", votes, graph.add("Div", sums, room))


def squared_distances(graph: Graph, matrix: str, rows: Array) -> str:
    """(n, r) float64 squared distances to `rows` (r, m) float64."""
    x = graph.cast(matrix, "float64")
    own = graph.total(graph.add("Mul", x, x), 1)
    cross = graph.add("MatMul", x, np.ascontiguousarray(-2.0 * rows.T))
    total = graph.add("Add", graph.add("Add", own, cross), (rows**2).sum(axis=1))
    return graph.add("Max", total, np.float64(0))


def gaussian_to_graph(graph: Graph, matrix: str, model: Any) -> str:
    """`predict_joint_log_proba` less its largest, (n, c) float64."""
    variance = np.asarray(model.var_, dtype=np.float64)
    means = np.asarray(model.theta_, dtype=np.float64)
    start = np.log(model.class_prior_) - 0.5 * np.log(2.0 * np.pi * variance).sum(axis=1)
    x = graph.add("Unsqueeze", graph.cast(matrix, "float64"), np.array([1], dtype=np.int64))
    away = graph.add("Sub", x, means)
    squares = graph.add("Div", graph.add("Mul", away, away), variance)
    likelihoods = graph.add("Sub", start, graph.add("Mul", np.float64(0.5), graph.total(squares, 2, keep=False)))
    highest = graph.add("ReduceMax", likelihoods, np.array([1], dtype=np.int64), keepdims=1)
    return graph.add("Sub", likelihoods, highest)
