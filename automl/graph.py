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
        inputs: name → dtype ("float32", "float64" or "str"), each of shape (n, 1).
        constants: name → array.
        outputs: name → (name of the value, dtype, columns; 0 for a flat one).
    """

    def __init__(self) -> None:
        self.inputs: dict[str, str] = {}
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self.outputs: dict[str, tuple[str, str, int]] = {}
        self._known: dict[str, tuple[str, ...]] = {}

    def input(self, name: str, dtype: str) -> str:
        """Declare an input column (n, 1)."""
        self.inputs[name] = dtype
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
        """The value as "float32", "float64", "int64" or "bool"."""
        return self.add("Cast", value, to=dtype)

    def concat(self, values: list[str]) -> str:
        """Columns beside each other."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=1)

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


def _key(op: str, names: tuple[str, ...], attributes: dict[str, Any], outputs: int) -> str:
    spelled = []
    for name in sorted(attributes):
        value = attributes[name]
        if isinstance(value, np.ndarray):
            value = (str(value.dtype), value.shape, hashlib.blake2b(value.tobytes(), digest_size=10).hexdigest())
        spelled.append((name, value))
    return repr((op, names, spelled, outputs))
