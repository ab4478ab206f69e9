"""A graph of `automl.graph` run by TensorFlow's operators: how the whole ensemble becomes a SavedModel or LiteRT.

LiteRT knows neither texts nor float64: there categories enter as codes, and what was float64 is computed in float32.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl.graph import Graph, Node, NoGraphError
from automl.matrix import Array

CHUNK_ROWS = 100
LARGEST = np.float32(np.finfo(np.float32).max)
MAX_CODE = 31  # sets of codes are kept as so many flags each


@contextlib.contextmanager
def start_tensorflow() -> Iterator[Any]:
    """The module `tensorflow`; what its C++ parts write to stderr is dropped meanwhile."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow

        yield tensorflow
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Runner:
    """Runs a graph on tensors.

    Args:
        narrow: compute in float32 what the graph computes in float64, and take categories as int64 codes.

    Raises:
        NoGraphError: if the graph holds an operator that has no form here; it is named.
    """

    def __init__(self, graph: Graph, *, narrow: bool) -> None:
        import tensorflow as tf

        unknown = sorted({node.op for node in graph.nodes} - _OPERATORS.keys() - {"LabelEncoder", "TreeEnsemble"})
        if unknown:  # told here, for TensorFlow packs what is raised while it traces into an error of its own
            raise NoGraphError(f"TensorFlow has no form of the operator {unknown[0]} here")
        self.tf = tf
        self.graph = graph
        self.narrow = narrow
        self.tables: dict[int, Any] = {}
        self.constants: dict[str, Any] = {}
        if not narrow:
            self.tables = {at: self._table(node) for at, node in enumerate(graph.nodes) if node.op == "LabelEncoder"}

    def dtype(self, name: str) -> Any:
        """TensorFlow's type for one of ours."""
        tf = self.tf
        wide = tf.float32 if self.narrow else tf.float64
        kinds = {"float32": tf.float32, "float64": wide, "int64": tf.int64, "bool": tf.bool, "str": tf.string}
        kinds |= {"uint8": tf.uint8, "int32": tf.int32}
        return kinds[name]

    def _table(self, node: Node) -> Any:
        tf = self.tf
        texts = node.attributes.get("keys_strings")
        keys = tf.constant(node.attributes["keys_int64s"], tf.int64) if texts is None else tf.constant(texts, tf.string)
        values = tf.constant(node.attributes["values_int64s"], tf.int64)
        fill = tf.lookup.KeyValueTensorInitializer(keys, values)
        return tf.lookup.StaticHashTable(fill, node.attributes["default_int64"])

    def __call__(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """Outputs by name."""
        tf = self.tf
        values = dict(feeds)
        for name, array in self.graph.constants.items():
            if array.dtype == np.float64 and self.narrow:
                array = array.astype(np.float32)
            values[name] = tf.constant(array.tolist() if array.dtype == object else array)
        for at, node in enumerate(self.graph.nodes):
            arguments = [values[name] for name in node.inputs]
            if node.op == "LabelEncoder":
                made = arguments[0] if self.narrow else self.tables[at].lookup(arguments[0])
            elif node.op == "TreeEnsemble":
                made = self._trees(arguments[0], node.attributes)
            else:
                made = _OPERATORS[node.op](self, arguments, node.attributes)
            outputs = made if isinstance(made, tuple) else (made,)
            values.update(zip(node.outputs, outputs, strict=True))
        return {name: values[name] for name in self.graph.outputs}

    def _trees(self, matrix: Any, attributes: dict[str, Any]) -> Any:
        """All trees a level at a time: (rows, trees) places move down until each stands on a leaf."""
        tf = self.tf
        walk = _Walk(attributes)
        arrays = {name: tf.constant(array) for name, array in walk.arrays.items()}
        rows = tf.shape(matrix)[0]
        at = tf.tile(tf.constant(walk.roots[None, :]), tf.stack([rows, 1]))

        def step(left: Any, at: Any) -> tuple[Any, Any]:
            x = tf.gather(matrix, tf.gather(arrays["feature"], at), batch_dims=1)
            split = tf.gather(arrays["split"], at)
            passed = tf.where(tf.gather(arrays["below"], at), x < split, x <= split)
            if walk.has_sets:
                code = tf.cast(tf.clip_by_value(tf.where(x == x, x, 0.0), 0.0, float(MAX_CODE)), tf.int32)
                inside = tf.gather(tf.constant(walk.sets), tf.gather(arrays["set"], at) * (MAX_CODE + 1) + code) > 0
                passed = tf.where(tf.gather(arrays["is_set"], at), inside, passed)
            passed = tf.where(x != x, tf.gather(arrays["missing"], at), passed)
            return left - 1, tf.where(passed, tf.gather(arrays["yes"], at), tf.gather(arrays["no"], at))

        _, at = tf.while_loop(lambda left, _: left > 0, step, (tf.constant(walk.depth), at))
        return tf.matmul(tf.gather(arrays["value"], at), tf.constant(walk.spread))


class _Walk:
    """Inner nodes and leaves in one numbering; a leaf leads to itself."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        inner = len(attributes["nodes_featureids"])
        leaves = len(attributes["leaf_targetids"])
        own = np.arange(inner, inner + leaves, dtype=np.int32)

        def children(side: str) -> Array:
            ids, leaf = (np.asarray(attributes[f"nodes_{side}{what}"]) for what in ("nodeids", "leafs"))
            return np.concatenate([np.where(leaf == 1, ids + inner, ids).astype(np.int32), own])

        def widened(values: Any, dtype: Any) -> Array:
            return np.concatenate([np.asarray(values, dtype=dtype), np.zeros(leaves, dtype=dtype)])

        modes = attributes["nodes_modes"]
        number = np.zeros(inner, dtype=np.int32)
        self.has_sets = bool((modes == 6).any())
        if self.has_sets:
            number[modes == 6] = np.arange((modes == 6).sum(), dtype=np.int32)
            self.sets = np.concatenate([_as_flags(part) for part in _split_sets(attributes["membership_values"])])
        self.roots = np.asarray(attributes["tree_roots"], dtype=np.int32)
        self.arrays = {
            "feature": widened(attributes["nodes_featureids"], np.int32),
            "split": widened(attributes["nodes_splits"], np.float32),
            "below": widened(modes == 1, bool),
            "is_set": widened(modes == 6, bool),
            "set": widened(number, np.int32),
            "missing": widened(attributes["nodes_missing_value_tracks_true"], bool),
            "yes": children("true"),
            "no": children("false"),
            "value": np.concatenate([np.zeros(inner, dtype=np.float32), attributes["leaf_weights"]]),
        }
        ends, self.depth = self._descend(inner)
        targets = np.asarray(attributes["leaf_targetids"])[ends - inner]
        self.spread = np.eye(attributes["n_targets"], dtype=np.float32)[targets]  # (trees, targets)

    def _descend(self, inner: int) -> tuple[Array, int]:
        """A leaf of each tree, and the depth of the deepest."""
        first = self.roots
        while (first < inner).any():
            first = self.arrays["yes"][first]
        level, depth = np.unique(self.roots), 0
        while len(level := level[level < inner]):
            level = np.unique(np.concatenate([self.arrays["yes"][level], self.arrays["no"][level]]))
            depth += 1
        return first, depth


def _split_sets(values: Array) -> list[Array]:
    ends = np.nonzero(np.isnan(values))[0]
    starts = np.concatenate([[0], ends[:-1] + 1])
    return [values[start:end] for start, end in zip(starts, ends, strict=True)]


def _as_flags(codes: Array) -> Array:
    if len(codes) and codes.max() > MAX_CODE:
        raise NoGraphError(f"A split by a set of codes beyond {MAX_CODE} has no form in TensorFlow here")
    flags = np.zeros(MAX_CODE + 1, dtype=np.int32)
    flags[codes.astype(np.int64)] = 1
    return flags


Operator = Callable[[Runner, Sequence[Any], dict[str, Any]], Any]


def _plain(name: str) -> Operator:
    def run(runner: Runner, x: Sequence[Any], _: dict[str, Any]) -> Any:
        found = runner.tf
        for part in name.split("."):
            found = getattr(found, part)
        return found(*x)

    return run


def _gather(runner: Runner, x: Sequence[Any], a: dict[str, Any]) -> Any:
    tf = runner.tf
    size = tf.cast(tf.shape(x[0])[a.get("axis", 0)], x[1].dtype)
    return tf.gather(x[0], tf.where(x[1] < 0, x[1] + size, x[1]), axis=a.get("axis", 0))


def _reduce(name: str) -> Operator:
    def run(runner: Runner, x: Sequence[Any], a: dict[str, Any]) -> Any:
        axis = runner.tf.get_static_value(x[1]).tolist()
        return getattr(runner.tf, name)(x[0], axis=axis, keepdims=bool(a["keepdims"]))

    return run


def _top(runner: Runner, x: Sequence[Any], _: dict[str, Any]) -> tuple[Any, Any]:
    tf = runner.tf
    values, places = tf.math.top_k(-x[0], int(tf.get_static_value(x[1])[0]))
    return -values, tf.cast(places, tf.int64)


def _scatter(runner: Runner, x: Sequence[Any], a: dict[str, Any]) -> Any:
    tf = runner.tf
    rows = tf.broadcast_to(tf.range(tf.shape(x[1], tf.int64)[0])[:, None], tf.shape(x[1]))
    put = tf.tensor_scatter_nd_add if a.get("reduction") == "add" else tf.tensor_scatter_nd_update
    return put(x[0], tf.stack([rows, x[1]], axis=-1), x[2])


def _convolve(runner: Runner, x: Sequence[Any], a: dict[str, Any]) -> Any:
    """TensorFlow's own order on a processor is (n, h, w, c)."""
    tf = runner.tf
    top, left, bottom, right = a["pads"]
    maps = tf.pad(tf.transpose(x[0], _TO_NHWC), [[0, 0], [top, bottom], [left, right], [0, 0]])
    if a["group"] == 1:
        found = tf.nn.conv2d(maps, tf.transpose(x[1], [2, 3, 1, 0]), 1, "VALID")
    else:  # one group a channel
        found = tf.nn.depthwise_conv2d(maps, tf.transpose(x[1], [2, 3, 0, 1]), [1, 1, 1, 1], "VALID")
    return tf.transpose(found, _TO_NCHW)


def _pool(runner: Runner, x: Sequence[Any], a: dict[str, Any]) -> Any:
    tf = runner.tf
    top, left, bottom, right = a["pads"]
    edges = [[0, 0], [top, bottom], [left, right], [0, 0]]
    maps = tf.pad(tf.transpose(x[0], _TO_NHWC), edges, constant_values=-float("inf"))
    return tf.transpose(tf.nn.max_pool2d(maps, a["kernel_shape"], a["strides"], "VALID"), _TO_NCHW)


def _gru(runner: Runner, x: Sequence[Any], a: dict[str, Any]) -> Any:
    """Of words (t, n, d) in both directions the last states (2, n, h), twice: nobody takes the states of each step."""
    tf, units = runner.tf, a["hidden_size"]
    words, given, recurrent, bias, lengths = x
    ends = []
    for side in (0, 1):
        turned = tf.reverse_sequence(words, lengths, seq_axis=0, batch_axis=1) if side else words
        inputs = tf.tensordot(turned, tf.transpose(given[side]), 1) + bias[side, : 3 * units]
        kernel, shift = tf.transpose(recurrent[side]), bias[side, 3 * units :]
        ends.append(_run_gru(tf, inputs, kernel, shift, lengths, units))
    both = tf.stack(ends)
    return both, both


def _run_gru(tf: Any, inputs: Any, kernel: Any, shift: Any, lengths: Any, units: int) -> Any:
    def step(at: Any, state: Any) -> tuple[Any, Any]:
        own, now = tf.matmul(state, kernel) + shift, inputs[at]
        keep = tf.sigmoid(now[:, :units] + own[:, :units])
        reset = tf.sigmoid(now[:, units : 2 * units] + own[:, units : 2 * units])
        fresh = tf.tanh(now[:, 2 * units :] + reset * own[:, 2 * units :])
        moved = keep * state + (1.0 - keep) * fresh
        return at + 1, tf.where((at < lengths)[:, None], moved, state)

    start = tf.zeros([tf.shape(inputs)[1], units], inputs.dtype)
    return tf.while_loop(lambda at, _: at < tf.shape(inputs)[0], step, (0, start))[1]


_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


_OPERATORS: dict[str, Operator] = {
    **{name: _plain(f"math.{name.lower()}") for name in ("Abs", "Sign", "Exp", "Log", "Sqrt", "Floor", "Cos", "Pow")},
    **{name: _plain(f"math.{name.lower()}") for name in ("Less", "Greater", "Equal", "Sigmoid", "Tanh", "Softplus")},
    **{name: _plain(f"nn.{name.lower()}") for name in ("Relu", "Selu")},
    "GRU": _gru,
    "Add": _plain("math.add"),
    "Sum": lambda run, given, _: run.tf.add_n(given),
    "Sub": _plain("math.subtract"),
    "Mul": _plain("math.multiply"),
    "Div": _plain("math.divide"),
    "Neg": _plain("math.negative"),
    "Max": _plain("math.maximum"),
    "LessOrEqual": _plain("math.less_equal"),
    "GreaterOrEqual": _plain("math.greater_equal"),
    "Not": _plain("math.logical_not"),
    "MatMul": _plain("linalg.matmul"),
    "Identity": _plain("identity"),
    "Where": _plain("where"),
    "Cast": lambda r, x, a: r.tf.cast(x[0], r.dtype(a["to"])),
    "Concat": lambda r, x, a: r.tf.concat(list(x), axis=a["axis"]),
    "Gather": _gather,
    "IsNaN": lambda r, x, a: x[0] != x[0],
    "IsInf": lambda r, x, a: r.tf.abs(x[0]) > r.tf.cast(LARGEST, x[0].dtype),
    "Softmax": lambda r, x, a: r.tf.nn.softmax(x[0], axis=a["axis"]),
    "Transpose": lambda r, x, a: r.tf.transpose(x[0], a["perm"]),
    "Unsqueeze": lambda r, x, a: r.tf.expand_dims(x[0], int(r.tf.get_static_value(x[1])[0])),
    "Reshape": lambda r, x, a: r.tf.reshape(x[0], x[1]),
    "ReduceSum": _reduce("reduce_sum"),
    "ReduceMax": _reduce("reduce_max"),
    "Shape": lambda r, x, a: r.tf.cast(r.tf.shape(x[0])[a["start"] : a["end"]], r.tf.int64),
    "Expand": lambda r, x, a: r.tf.broadcast_to(x[0], x[1]),
    "ArgMax": lambda r, x, a: r.tf.argmax(x[0], axis=a["axis"]),
    "TopK": _top,
    "ScatterElements": _scatter,  # along the columns
    "Conv": _convolve,
    "MaxPool": _pool,
    "Atan": lambda r, x, a: r.tf.math.atan2(x[0], r.tf.ones_like(x[0])),  # which LiteRT has
    "Round": _plain("math.round"),
}


def build_function(graph: Graph, *, narrow: bool) -> tuple[Any, Any]:
    """A `tf.Module` that holds what the graph needs, and its `tf.function` of the raw columns."""
    import tensorflow as tf

    module = tf.Module()
    runner = Runner(graph, narrow=narrow)
    module.tables = list(runner.tables.values())
    names = {f"input_{at}": column for at, column in enumerate(graph.inputs)}
    specs = {}
    for key, column in names.items():
        kind = graph.inputs[column]
        dtype = tf.int64 if narrow and kind == "str" else runner.dtype(kind)
        shape = [None, *(side if isinstance(side, int) else None for side in graph.shapes[column])]
        specs[key] = tf.TensorSpec(shape, dtype, name=column if not narrow and _is_plain(column) else key)

    @tf.function(input_signature=[specs[key] for key in names])  # type: ignore[untyped-decorator]
    def serve(*tensors: Any) -> Any:
        return runner(dict(zip(names.values(), tensors, strict=True)))

    module.serve = serve
    return module, serve


def _is_plain(name: str) -> bool:
    return name.isidentifier() and name.isascii()


def answer_rows(kind: str, path: Path, rows: list[dict[str, Any]]) -> Array:
    """Outputs (n, k) of raw rows by TensorFlow's own loader, or by LiteRT's interpreter."""
    from automl.export._prepare import Prepare

    folder = path if kind == "savedmodel" else path.parent
    signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
    prepare = Prepare(signature)
    answer = _saved_model(path, signature) if kind == "savedmodel" else _litert(path, signature)
    parts = [answer(prepare(rows[at : at + CHUNK_ROWS])) for at in range(0, len(rows), CHUNK_ROWS)]
    return np.concatenate(parts)


def _saved_model(path: Path, signature: dict[str, Any]) -> Callable[[dict[str, Array]], Array]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path / "1"))
    serve = loaded.signatures["serving_default"]
    names = {entry["name"]: entry["tensor"] for entry in signature["inputs"]}
    last = signature["outputs"][-1]["name"]

    def answer(arrays: dict[str, Array]) -> Array:
        feeds = {
            names[name]: tf.constant(array.tolist() if array.dtype == object else array)
            for name, array in arrays.items()
        }
        found: Array = serve(**feeds)[last].numpy()
        return found

    return answer


def _litert(path: Path, signature: dict[str, Any]) -> Callable[[dict[str, Array]], Array]:
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(path)).get_signature_runner("serving_default")
    names = {entry["name"]: entry for entry in signature["inputs"]}
    last = signature["outputs"][-1]["name"]

    def answer(arrays: dict[str, Array]) -> Array:
        feeds = {}
        for name, array in arrays.items():
            entry = names[name]
            if "codes" in entry:
                codes, unseen = entry["codes"], entry["unseen"]
                array = np.array([codes.get(text, unseen) for text in array[:, 0]], dtype=np.int64)[:, None]
            if array.dtype != np.uint8:
                array = array.astype(np.int64 if "codes" in entry else np.float32)
            feeds[entry["tensor"]] = array
        found: Array = runner(**feeds)[last]
        return found

    return answer
