"""Texts in a graph: n-grams and words enter as keys, which `tokens.py` makes; vocabulary and weights are inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from automl.graph import TREES, Graph, SparseNames
from automl.matrix import Array
from automl.preprocess.table import TableNames
from automl.preprocess.tokens import Kind

Block = tuple[str, Kind, int, Array, Array]  # column, kind, n, keys (v,) uint64, weights (v,) float32
MARK = 1  # the key that stands between the words of two columns


def weigh_in_graph(graph: Graph, table: TableNames, blocks: Sequence[Block], *, sublinear: bool) -> SparseNames:
    """`TextPart._weigh`: weighted n-grams, the rows of each column's words and of its characters of length 1."""
    made: list[tuple[str, str, int]] = []
    for group in _group(blocks):
        parts = []
        for column, kind, n, keys, weights in group:
            places, counts = _look_up(graph, column, kind, n, keys)
            counts = graph.cast(counts, "float64")
            if sublinear:
                counts = graph.add("Add", graph.add("Log", counts), np.float64(1))
            weight = graph.add("Gather", np.append(weights, np.float32(0)).astype(np.float32), places, axis=0)
            parts.append((places, graph.add("Mul", counts, graph.cast(weight, "float64")), len(keys)))
        squares = [graph.total(graph.add("Mul", value, value), 1) for _, value, _ in parts]
        norm = graph.add("Sqrt", squares[0] if len(squares) == 1 else graph.total(graph.concat(squares), 1))
        norm = graph.add("Where", graph.add("Equal", norm, np.float64(0)), np.float64(1), norm)
        made += [
            (places, graph.cast(graph.add("Div", value, norm), "float32"), width) for places, value, width in parts
        ]
    return SparseNames(rows=table.numbers, front="", blocks=tuple(made))


def _group(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks of one column and kind, in their order; those without any n-gram are left out."""
    for name in dict.fromkeys((column, kind) for column, kind, *_ in blocks):
        group = [block for block in blocks if block[:2] == name and len(block[3])]
        if group:
            yield group


def _look_up(graph: Graph, column: str, kind: Kind, n: int, keys: Array) -> tuple[str, str]:
    """Places of a row's n-grams in the vocabulary (its length for an unknown one), and how often each stands there."""
    name = f"{column} [{kind} {n}]"
    source: dict[str, Any] = {"column": column, "kind": "ngrams", "unit": kind, "n": n}
    found = graph.input(f"{name} keys", "int64", (name,), {**source, "part": "keys"})
    counts = graph.input(f"{name} counts", "float32", (name,), {**source, "part": "counts"})
    return _number(graph, found, keys, np.arange(len(keys)), len(keys)), counts


def _number(graph: Graph, found: str, keys: Array, numbers: Array, otherwise: int) -> str:
    return graph.add(
        "LabelEncoder",
        found,
        domain=TREES,
        keys_int64s=np.ascontiguousarray(keys, dtype=np.uint64).view(np.int64).tolist(),
        values_int64s=[int(number) for number in numbers],
        default_int64=otherwise,
    )


def number_words_in_graph(
    graph: Graph, columns: Sequence[str], keys: Array, length: int, codes: tuple[int, int, int]
) -> str:
    """`TextPart._number_tokens`, (n, length) float32.

    Args:
        codes: numbers of no word, of an unknown one and of what stands between two columns; words follow.
    """
    name = f"{columns[0] if len(columns) == 1 else '(texts)'} [words]"
    source = {"column": columns[0], "columns": list(columns), "kind": "words"}
    found = graph.input(name, "int64", (name,), source)
    pad, unknown, between = codes
    every = np.concatenate([np.array([0, MARK], dtype=np.uint64), keys])
    numbers = np.concatenate([[pad, between], np.arange(len(keys)) + max(codes) + 1])
    place = _number(graph, found, every, numbers, unknown)
    count = graph.add("Shape", place, start=0, end=1)
    shape = graph.add("Concat", count, np.array([length], dtype=np.int64), axis=0)
    empty = graph.add("Expand", np.full((1, 1), pad, dtype=np.int64), shape)
    whole = graph.add("Concat", place, empty, axis=1)
    return graph.cast(graph.columns(whole, np.arange(length)), "float32")
