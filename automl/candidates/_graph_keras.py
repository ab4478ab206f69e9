"""A Keras model of pictures in a graph: its layers, one after the other, from (n, h, w, c) to raw scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automl.graph import Graph, NoGraphError
from automl.matrix import Array

Convert = Callable[[Graph, Any, list[str]], str]
TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def layers_to_graph(graph: Graph, model: Any, pixels: str) -> str:
    """The output (n, k) float32 of a functional model of one input.

    Between layers, maps stand as (n, c, h, w), which is what ONNX's convolutions take.

    Args:
        pixels: (n, h, w, c) float32.

    Raises:
        NoGraphError: if a layer is of a kind that is not written as a graph; it is named.
    """
    found = {id(model.inputs[0]): graph.add("Transpose", pixels, perm=TO_NCHW)}
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        if kind not in _LAYERS:
            raise NoGraphError(f"The Keras layer {kind} has no form as a graph here")
        found[id(layer.output)] = _LAYERS[kind](graph, layer, [found[id(tensor)] for tensor in given])
    return found[id(model.outputs[0])]


def shrink_in_graph(graph: Graph, pixels: str, shape: tuple[int, ...], factor: int) -> str:
    """`_nets.shrink` of (n, h, w, c) float32: means over blocks, rounded to whole values."""
    high, wide, channels = shape[0] // factor, shape[1] // factor, shape[2]
    for axis, length in ((1, high * factor), (2, wide * factor)):
        pixels = graph.add("Gather", pixels, np.arange(length), axis=axis)
    blocks = graph.add("Reshape", pixels, np.array([-1, high, factor, wide, factor, channels], dtype=np.int64))
    total = graph.total(graph.total(blocks, 4, keep=False), 2, keep=False)
    return graph.add("Round", graph.add("Div", total, np.float32(factor * factor)))


def _weights(layer: Any) -> list[Array]:
    return [np.asarray(values, dtype=np.float32) for values in layer.get_weights()]


def _rescale(graph: Graph, layer: Any, given: list[str]) -> str:
    scaled = graph.add("Mul", given[0], np.float32(layer.scale))
    return graph.add("Add", scaled, np.float32(layer.offset))


def _convolve(graph: Graph, layer: Any, given: list[str]) -> str:
    """Stride 1, as many places as before, no bias: as `_nets` builds them."""
    kernel = np.ascontiguousarray(_weights(layer)[0].transpose(3, 2, 0, 1))
    return _add_convolution(graph, layer, given[0], kernel, 1)


def _convolve_each(graph: Graph, layer: Any, given: list[str]) -> str:
    kernel = np.ascontiguousarray(_weights(layer)[0].transpose(2, 3, 0, 1))
    return _add_convolution(graph, layer, given[0], kernel, len(kernel))


def _add_convolution(graph: Graph, layer: Any, given: str, kernel: Array, group: int) -> str:
    sides = kernel.shape[2:]
    plain = tuple(layer.strides) == (1, 1) and tuple(layer.dilation_rate) == (1, 1) and not layer.use_bias
    if not plain or (layer.padding != "same" and sides != (1, 1)) or not all(side % 2 for side in sides):
        raise NoGraphError(f"The convolution {layer.name!r} has no form as a graph here")
    pads = [sides[0] // 2, sides[1] // 2] * 2
    return graph.add("Conv", given, kernel, group=group, kernel_shape=list(sides), pads=pads, strides=[1, 1])


def _normalize(graph: Graph, layer: Any, given: list[str]) -> str:
    gamma, beta, mean, variance = (values.astype(np.float64) for values in _weights(layer))
    scale = gamma / np.sqrt(variance + layer.epsilon)
    shift = beta - mean * scale
    scaled = graph.add("Mul", given[0], scale.astype(np.float32).reshape(-1, 1, 1))
    return graph.add("Add", scaled, shift.astype(np.float32).reshape(-1, 1, 1))


def _pool(graph: Graph, layer: Any, given: list[str]) -> str:
    size, sides = tuple(layer.pool_size), layer.input.shape[1:3]
    if size != tuple(layer.strides) or layer.padding != "same":
        raise NoGraphError(f"The pooling {layer.name!r} has no form as a graph here")
    missing = [-side % part for side, part in zip(sides, size, strict=True)]
    pads = [part // 2 for part in missing] + [part - part // 2 for part in missing]
    return graph.add("MaxPool", given[0], kernel_shape=list(size), strides=list(size), pads=pads)


def _flatten(graph: Graph, layer: Any, given: list[str]) -> str:
    width = int(np.prod(layer.input.shape[1:]))
    turned = graph.add("Transpose", given[0], perm=TO_NHWC) if len(layer.input.shape) == 4 else given[0]
    return graph.add("Reshape", turned, np.array([-1, width], dtype=np.int64))


def _dense(graph: Graph, layer: Any, given: list[str]) -> str:
    kernel, bias = _weights(layer)
    scores = graph.add("Add", graph.add("MatMul", given[0], kernel), bias)
    name = layer.activation.__name__
    if name not in ("relu", "linear"):
        raise NoGraphError(f"The activation {name!r} of {layer.name!r} has no form as a graph here")
    return graph.add("Relu", scores) if name == "relu" else scores


_LAYERS: dict[str, Convert] = {
    "Rescaling": _rescale,
    "Conv2D": _convolve,
    "DepthwiseConv2D": _convolve_each,
    "BatchNormalization": _normalize,
    "MaxPooling2D": _pool,
    "Flatten": _flatten,
    "Dense": _dense,
    "ReLU": lambda graph, layer, given: graph.add("Relu", given[0]),
    "Add": lambda graph, layer, given: graph.add("Add", given[0], given[1]),
}
