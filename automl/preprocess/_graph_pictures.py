"""Pictures in a graph: the descriptors of `descriptors.py`, step for step, from uint8 pixels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from automl.graph import Graph
from automl.matrix import Array
from automl.preprocess.descriptors import ORIENTATIONS, THRESHOLD, WORKING_SIDE, cut_fields

Shape = tuple[int, int, int]
State = Mapping[str, Array]


def describe_in_graph(graph: Graph, kind: str, pictures: str, shape: Shape, state: State, grid: int) -> str:
    """`ImagePart._describe` of (n, h, w, c) uint8, as (n, m) float32."""
    values = graph.cast(pictures, "float32")
    if kind == "pixels":
        return graph.add("Div", _flat(graph, values, (shape[0] * shape[1] * shape[2],)), np.float32(255))
    if kind == "colors":
        return _colors(graph, values, shape)
    return _gradients(graph, values, shape) if kind == "gradients" else _filters(graph, values, shape, state, grid)


def shrink_in_graph(graph: Graph, values: str, shape: Shape, factor: int) -> tuple[str, Shape]:
    """Means over blocks of factor × factor of (n, h, w, c) float32, and the shape of what comes out."""
    if factor <= 1:
        return values, shape
    high, wide, channels = shape[0] // factor, shape[1] // factor, shape[2]
    cut = _window(graph, values, range(high * factor), range(wide * factor))
    blocks = _flat(graph, cut, (high, factor, wide, factor, channels))
    total = graph.total(graph.total(blocks, 4, keep=False), 2, keep=False)
    return graph.add("Div", total, np.float32(factor * factor)), (high, wide, channels)


def _flat(graph: Graph, values: str, shape: tuple[int, ...]) -> str:
    return graph.add("Reshape", values, np.array([-1, *shape], dtype=np.int64))


def _window(graph: Graph, values: str, rows: range, columns: range) -> str:
    """These rows and columns of (n, h, w, …)."""
    cut = graph.add("Gather", values, np.array(rows, dtype=np.int64), axis=1)
    return graph.add("Gather", cut, np.array(columns, dtype=np.int64), axis=2)


def _count(graph: Graph, places: str, values: str, width: int) -> str:
    """(n, width) float32: for each place (n, s) int64 its values (n, s) added up."""
    rows = graph.add("Shape", places, start=0, end=1)
    shape = graph.add("Concat", rows, np.array([width], dtype=np.int64), axis=0)
    empty = graph.add("Expand", np.zeros((1, 1), dtype=np.float32), shape)
    return graph.add("ScatterElements", empty, places, values, axis=1, reduction="add")


def _colors(graph: Graph, values: str, shape: Shape) -> str:
    h, w, c = shape
    bins = 4 if c == 3 else 16
    whole = graph.cast(graph.add("Floor", graph.add("Div", values, np.float32(256 // bins))), "int64")
    powers = np.array([bins**at for at in range(c - 1, -1, -1)], dtype=np.int64)
    codes = _flat(graph, graph.total(graph.add("Mul", whole, powers), 3, keep=False), (h * w,))
    ones = graph.cast(graph.add("GreaterOrEqual", codes, np.int64(0)), "float32")
    counts = _count(graph, codes, ones, bins**c)
    parts = [graph.add("Sqrt", graph.add("Div", counts, np.float32(h * w)))]
    scaled = graph.add("Div", values, np.float32(255))
    for (top, bottom), (left, right) in itertools.product(cut_fields(h, 3), cut_fields(w, 3)):
        size = np.float32((min(bottom, h) - top) * (min(right, w) - left))
        field = _window(graph, scaled, range(top, min(bottom, h)), range(left, min(right, w)))
        mean = graph.add("Div", _sum_places(graph, field, keep=True), size)
        away = graph.add("Sub", field, mean)
        spread = graph.add("Sqrt", graph.add("Div", _sum_places(graph, graph.add("Mul", away, away)), size))
        parts += [_flat(graph, mean, (c,)), spread]
    return graph.concat(parts)


def _sum_places(graph: Graph, values: str, *, keep: bool = False) -> str:
    return graph.add("ReduceSum", values, np.array([1, 2], dtype=np.int64), keepdims=int(keep))


def _slope(graph: Graph, values: str, length: int, axis: int) -> str:
    """`np.gradient` along an axis of (n, h, w)."""
    places = np.arange(length)
    after, before = np.minimum(places + 1, length - 1), np.maximum(places - 1, 0)
    rise = graph.add(
        "Sub", graph.add("Gather", values, after, axis=axis), graph.add("Gather", values, before, axis=axis)
    )
    share = (1 / (after - before)).astype(np.float32)
    return graph.add("Mul", rise, share[:, None] if axis == 1 else share)


def _gradients(graph: Graph, values: str, shape: Shape) -> str:
    h, w, c = shape
    side = max(2, round(max(h, w) / 8))
    high, wide = max(1, h // side), max(1, w // side)
    inner = (min(h, high * side), min(w, wide * side))
    grey = graph.add("Sqrt", graph.add("Div", graph.total(values, 3, keep=False), np.float32(c)))
    down, right = (
        _window(graph, _slope(graph, grey, (h, w)[axis], axis + 1), range(inner[0]), range(inner[1])) for axis in (0, 1)
    )
    size = graph.add("Sqrt", graph.add("Add", graph.add("Mul", down, down), graph.add("Mul", right, right)))
    # directions have no sign: half a turn more is the same one, so that the arc tangent of the quotient does
    angle = graph.replace_nan(graph.add("Atan", graph.add("Div", down, right)), np.float32(0))
    turn = graph.add("Add", graph.add("Mul", angle, np.float32(ORIENTATIONS / np.pi)), np.float32(ORIENTATIONS))
    low = graph.add("Floor", turn)
    upper = graph.add("Sub", turn, low)
    first, second = (_rest(graph, graph.add("Add", low, np.float32(step))) for step in (0, 1))
    cells = (np.arange(inner[0]) // side)[:, None] * wide + np.arange(inner[1]) // side
    count, votes = inner[0] * inner[1], ""
    for bin_, share in ((first, graph.add("Sub", np.float32(1), upper)), (second, upper)):
        places = _flat(graph, graph.add("Add", bin_, (cells * ORIENTATIONS).astype(np.int64)), (count,))
        weight = _flat(graph, graph.add("Mul", size, share), (count,))
        own = _count(graph, places, weight, high * wide * ORIENTATIONS)
        votes = graph.add("Add", votes, own) if votes else own
    return _blocks(graph, _flat(graph, votes, (high, wide, ORIENTATIONS)), high, wide)


def _rest(graph: Graph, values: str) -> str:
    """What is left of whole float32 values divided by the number of orientations, int64."""
    times = graph.add("Floor", graph.add("Div", values, np.float32(ORIENTATIONS)))
    return graph.cast(graph.add("Sub", values, graph.add("Mul", times, np.float32(ORIENTATIONS))), "int64")


def _blocks(graph: Graph, cells: str, high: int, wide: int) -> str:
    """`descriptors._normalize_blocks`."""
    if high < 2 or wide < 2:
        count, width = high * wide, ORIENTATIONS
        blocks = _flat(graph, cells, (count, width))
    else:
        count, width = (high - 1) * (wide - 1), 4 * ORIENTATIONS
        parts = [_window(graph, cells, range(a, high - 1 + a), range(b, wide - 1 + b)) for a in (0, 1) for b in (0, 1)]
        blocks = _flat(graph, graph.add("Concat", *parts, axis=3), (count, width))
    blocks = _unit(graph, blocks)
    cut = graph.add("Where", graph.add("Greater", blocks, np.float32(0.2)), np.float32(0.2), blocks)
    return _flat(graph, _unit(graph, cut), (count * width,))


def _unit(graph: Graph, blocks: str) -> str:
    squares = graph.total(graph.add("Mul", blocks, blocks), 2)
    return graph.add("Div", blocks, graph.add("Sqrt", graph.add("Add", squares, np.float32(1e-3))))


def _filters(graph: Graph, values: str, shape: Shape, state: State, grid: int) -> str:
    weights, bias = state["weights"], state["bias"]
    values, (h, w, c) = shrink_in_graph(graph, values, shape, -(-max(shape[:2]) // WORKING_SIDE))
    size, length, count = round((len(weights) / c) ** 0.5), len(weights), weights.shape[1]
    high, wide = h - size + 1, w - size + 1
    corner = (np.arange(high)[:, None] * w + np.arange(wide)).reshape(-1, 1)
    inside = (np.arange(size)[:, None] * w + np.arange(size)).reshape(1, -1)
    pixels = graph.add("Gather", _flat(graph, values, (h * w, c)), (corner + inside).reshape(-1), axis=1)
    patches = graph.add("Reshape", pixels, np.array([-1, high * wide, length], dtype=np.int64))
    centred = graph.add("Sub", patches, graph.add("Div", graph.total(patches, 2), np.float32(length)))
    variance = graph.add("Div", graph.total(graph.add("Mul", centred, centred), 2), np.float32(length))
    even = graph.add("Div", centred, graph.add("Sqrt", graph.add("Add", variance, np.float32(10))))
    response = graph.add("Sub", graph.add("MatMul", even, weights), (bias + THRESHOLD).astype(np.float32))
    pooled = graph.add("MatMul", _pooling(high, wide, grid), graph.add("Relu", response))
    return graph.add("Sqrt", _flat(graph, pooled, (grid * grid * count,)))


def _pooling(high: int, wide: int, grid: int) -> Array:
    """(grid², places) float32: what each place counts in the mean of each field."""
    rows = []
    for (top, bottom), (left, right) in itertools.product(cut_fields(high, grid), cut_fields(wide, grid)):
        field = np.zeros((high, wide), dtype=np.float32)
        field[top:bottom, left:right] = 1
        rows.append((field / field.sum()).reshape(-1))
    return np.stack(rows)
