"""A dataflow graph in ONNX operators, built node by node as plain records: who builds needs no ONNX library."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np

from automl.errors import AutoMLError
from automl.matrix import Array

TREES = "ai.onnx.ml"
Value = str | Array | np.generic  # the name of a node's output, or a constant


class NoGraphError(AutoMLError):
    """A model has no faithful form as a graph; the message says which part and why."""

    exit_code = 8

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "--refit leaves such members out; --format skops keeps the model whole")


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """One operator. `attributes` are ints, floats, texts, lists of these, or arrays."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    domain: str = ""


class Graph:
    """Nodes in the order in which they run. Equal nodes and equal constants are kept once.

    Every method that adds nodes returns the name of the value that comes out. Numbers keep the dtype of their
    operands, as ONNX converts nothing by itself: a constant must be given in the dtype of what it meets.

    Attributes:
        inputs: name → dtype ("float32", "float64", "int64", "uint8" or "str"), each of shape (n, 1) unless said.
        shapes: name → shape of an input without its rows; a text stands for a length that differs from call to call.
        sources: name → what an input is made of, where it is no column's plain cells; see `input`.
        constants: name → array.
        outputs: name → (name of the value, dtype, columns; 0 for a flat one).
    """

    def __init__(self) -> None:
        self.inputs: dict[str, str] = {}
        self.shapes: dict[str, tuple[int | str, ...]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self.outputs: dict[str, tuple[str, str, int]] = {}
        self._known: dict[str, tuple[str, ...]] = {}

    def input(
        self,
        name: str,
        dtype: str,
        shape: tuple[int | str, ...] = (1,),
        source: dict[str, Any] | None = None,
    ) -> str:
        """Declare an input (n, …), a column (n, 1) unless `shape` says otherwise.

        Args:
            source: the column it is made of and how, for whoever feeds the graph: an entry of signature.json.
        """
        self.inputs[name] = dtype
        self.shapes[name] = shape
        if source is not None:
            self.sources[name] = source
        return name

    def output(self, name: str, value: str, dtype: str, columns: int) -> None:
        """Declare an output (n, columns), or (n,) with 0 columns."""
        node = Node("Identity", (value,), (name,), {})
        self.nodes.append(node)
        self.outputs[name] = (name, dtype, columns)

    def constant(self, array: Array | np.generic) -> str:
        """The name of a constant."""
        value = np.asarray(array)
        if not value.flags.c_contiguous:
            value = np.ascontiguousarray(value)
        text = json.dumps(value.tolist()).encode() if value.dtype == object else value.tobytes()
        digest = hashlib.blake2b(text, digest_size=10)
        digest.update(f"{value.dtype}{value.shape}".encode())
        name = f"/c{digest.hexdigest()}"
        self.constants.setdefault(name, value)
        return name

    def add(self, op: str, *inputs: Value, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """One operator; the first of its outputs."""
        return self.add_many(op, *inputs, domain=domain, outputs=outputs, **attributes)[0]

    def add_many(
        self, op: str, *inputs: Value, domain: str = "", outputs: int = 1, **attributes: Any
    ) -> tuple[str, ...]:
        """One operator with several outputs."""
        names = tuple(value if isinstance(value, str) else self.constant(value) for value in inputs)
        key = _key(op, names, attributes, outputs)
        if key not in self._known:
            made = tuple(f"/v{len(self.nodes)}.{at}" for at in range(outputs))
            self.nodes.append(Node(op, names, made, attributes, domain))
            self._known[key] = made
        return self._known[key]

    def cast(self, value: Value, dtype: str) -> str:
        """The value as "float32", "float64", "int32", "int64" or "bool"."""
        return self.add("Cast", value, to=dtype)

    def concat(self, values: list[str]) -> str:
        """Columns beside each other."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=1)

    def sum(self, values: list[str]) -> str:
        """One after the other, element by element; a node for all of them, as each node costs a single row its time."""
        return values[0] if len(values) == 1 else self.add("Sum", *values)

    def columns(self, value: str, places: Any) -> str:
        """These columns of (n, m), in this order."""
        return self.add("Gather", value, np.asarray(places, dtype=np.int64), axis=1)

    def clip(self, value: str, low: Value, high: Value) -> str:
        """Pulled into [low, high], column by column; NaN stays NaN."""
        raised = self.add("Where", self.add("Less", value, low), low, value)
        return self.add("Where", self.add("Greater", raised, high), high, raised)

    def replace_nan(self, value: str, by: Value) -> str:
        """`by` where the value is NaN."""
        return self.add("Where", self.add("IsNaN", value), by, value)

    def total(self, value: str, axis: int, *, keep: bool = True) -> str:
        """Sum along an axis."""
        return self.add("ReduceSum", value, np.array([axis], dtype=np.int64), keepdims=int(keep))

    def rows_like(self, value: str, row: Array) -> str:
        """The same row (m,) for every row of `value` (n, …)."""
        count = self.add("Shape", value, start=0, end=1)
        shape = self.add("Concat", count, np.array([len(row)], dtype=np.int64), axis=0)
        return self.add("Expand", row[None, :], shape)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SparseNames:
    """A wide matrix (n, m) in a graph, most of it zeros: columns in front, then blocks of which a row has few.

    Attributes:
        rows: any value of n rows.
        front: the first columns (n, w) float32; empty if there are none.
        blocks: each the names of places (n, s) int64 and values (n, s) float32, and its width: what stands at place
            `width` is no column of it. The same place does not stand twice in a row.
    """

    rows: str
    front: str
    blocks: tuple[tuple[str, str, int], ...]

    def multiply(self, graph: Graph, weights: Array, *, front: bool = True, exact: bool = False) -> str:
        """The product with `weights` (m, c) float32: (n, c) float32.

        Args:
            front: False if the weights have no rows for the columns in front.
            exact: sum in float64, so that the result is the same to the last bit wherever that is done.
        """
        widths = [width for _, _, width in self.blocks]
        start = len(weights) - sum(widths)
        parts = [graph.add("MatMul", self.front, weights[:start])] if front and start and self.front else []
        for places, values, width in self.blocks:
            table = np.concatenate([weights[start : start + width], np.zeros_like(weights[:1])])
            parts.append(_multiply_block(graph, places, values, table, exact=exact))
            start += width
        total = parts[0] if parts else graph.rows_like(self.rows, np.zeros(weights.shape[1], dtype=np.float32))
        for part in parts[1:]:
            total = graph.add("Add", total, part)
        return graph.cast(total, "float32") if exact else total


# A block is laid out in full where it is at most so many times as wide as what it is multiplied with; else the rows of
# the weights are picked.
FULL = 64


def _multiply_block(graph: Graph, places: str, values: str, array: Array, *, exact: bool) -> str:
    height, columns = array.shape
    table: Value = array if columns > 1 else np.ascontiguousarray(array[:, 0])
    if exact:  # kept as float32, for that weighs half
        table, values = graph.cast(table, "float64"), graph.cast(values, "float64")
    if columns > 1 and height <= FULL * columns:
        count = graph.add("Shape", places, start=0, end=1)
        shape = graph.add("Concat", count, np.array([height], dtype=np.int64), axis=0)
        empty = graph.add("Expand", np.zeros((1, 1), dtype=np.float64 if exact else np.float32), shape)
        return graph.add("MatMul", graph.add("ScatterElements", empty, places, values, axis=1), table)
    if columns == 1:
        picked = graph.add("Gather", table, places, axis=0)
        return graph.total(graph.add("Mul", values, picked), 1)
    picked = graph.add("Gather", table, places, axis=0)
    row = graph.add("Unsqueeze", values, np.array([1], dtype=np.int64))
    return graph.total(graph.add("MatMul", row, picked), 1, keep=False)


def _key(op: str, names: tuple[str, ...], attributes: dict[str, Any], outputs: int) -> str:
    spelled = []
    for name in sorted(attributes):
        value = attributes[name]
        if isinstance(value, np.ndarray):
            value = (str(value.dtype), value.shape, hashlib.blake2b(value.tobytes(), digest_size=10).hexdigest())
        spelled.append((name, value))
    return repr((op, names, spelled, outputs))
