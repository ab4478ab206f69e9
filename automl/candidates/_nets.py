"""Small convolutional nets for pictures: their architecture as a record, and how Keras builds them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates._record import check_fact, check_int, refuse
from automl.matrix import Array

KINDS = ("dense", "plain", "residual", "separable")
MAX_SIDE = 4096
MOMENTUM = 0.9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Everything that the forward pass needs beside the weights.

    Attributes:
        kind: "dense": one hidden layer over all pixels; "plain": convolution and pooling by turns; "residual": with a
            way past each pair of convolutions; "separable": each channel by itself, then all channels at each place.
        shape: (h, w, c) of the pictures, after `shrink`.
        width: channels of the first stage, doubled at each further one; units of a dense net.
        stages: halvings of the picture.
        blocks: convolutions (or pairs of them) a stage.
        outputs: raw scores.
        middle, spread: what pixels are centred and scaled by.
    """

    kind: str
    shape: tuple[int, int, int]
    width: int
    stages: int
    blocks: int
    outputs: int
    middle: float
    spread: float

    @staticmethod
    def from_json(folder: Path, facts: dict[str, Any]) -> Net:
        """The net of a saved model.

        Raises:
            ArtifactError: if it makes no sense.
        """
        record = check_fact(folder, facts, "net", dict)
        kind = check_fact(folder, record, "kind", str)
        shape = check_fact(folder, record, "shape", list)
        if kind not in KINDS or len(shape) != 3 or not all(isinstance(side, int) for side in shape):
            raise refuse(folder, "its net is of no known kind")
        if not (1 <= shape[0] <= MAX_SIDE and 1 <= shape[1] <= MAX_SIDE and shape[2] in (1, 3)):
            raise refuse(folder, f"its pictures are {shape}")
        return Net(
            kind=kind,
            shape=(shape[0], shape[1], shape[2]),
            width=check_int(folder, record, "width", 1, 4096),
            stages=check_int(folder, record, "stages", 1, 8),
            blocks=check_int(folder, record, "blocks", 1, 16),
            outputs=check_int(folder, record, "outputs", 1, 100_000),
            middle=float(check_fact(folder, record, "middle", float)),
            spread=float(check_fact(folder, record, "spread", float)),
        )

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "shape": list(self.shape)}

    def build_keras(self, keras: Any, *, dropout: float, augment: Augmentation | None) -> Any:
        """A Keras model of pixels (n, h, w, c) 0 to 255 that gives raw scores (n, outputs).

        Args:
            augment: what is done to pictures while the model learns; None where it only predicts.
        """
        layers = keras.layers
        inputs = values = keras.Input(self.shape, dtype="float32")
        if augment is not None and augment.does_anything:
            values = make_layer(keras, augment)(values)
        values = layers.Rescaling(1.0 / self.spread, offset=-self.middle / self.spread)(values)
        values = _BODIES[self.kind](self, layers, values)
        if dropout > 0:
            values = layers.Dropout(dropout)(values)
        return keras.Model(inputs, layers.Dense(self.outputs, kernel_initializer="zeros")(values))


def count_stages(height: int, width: int) -> int:
    """Halvings that leave a map of three to six places a side."""
    return int(np.clip(round(math.log2(max(height, width) / 4)), 1, 5))


def _dense(net: Net, layers: Any, values: Any) -> Any:
    """The net of a first tutorial: all pixels into one hidden layer."""
    return layers.Dense(net.width, activation="relu")(layers.Flatten()(values))


def _convolve(layers: Any, values: Any, channels: int, *, separable: bool = False, active: bool = True) -> Any:
    if separable:
        values = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(values)
        values = layers.Conv2D(channels, 1, use_bias=False)(values)
    else:
        values = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(values)
    values = layers.BatchNormalization(momentum=MOMENTUM)(values)
    return layers.ReLU()(values) if active else values


def _plain(net: Net, layers: Any, values: Any) -> Any:
    for stage in range(net.stages):
        for _ in range(net.blocks if stage else 1):  # the first stage has the most places to compute
            values = _convolve(layers, values, net.width * 2**stage)
        values = layers.MaxPooling2D(padding="same")(values)
    return layers.Flatten()(values)


def _separable(net: Net, layers: Any, values: Any) -> Any:
    values = layers.MaxPooling2D(padding="same")(_convolve(layers, values, net.width))
    for stage in range(1, net.stages):
        for _ in range(net.blocks):
            values = _convolve(layers, values, net.width * 2**stage, separable=True)
        values = layers.MaxPooling2D(padding="same")(values)
    return layers.Flatten()(values)


def _residual(net: Net, layers: Any, values: Any) -> Any:
    values = layers.MaxPooling2D(padding="same")(_convolve(layers, values, net.width))
    for stage in range(1, net.stages):
        channels = net.width * 2**stage
        for block in range(net.blocks):
            past = values
            if block == 0:
                past = layers.BatchNormalization(momentum=MOMENTUM)(layers.Conv2D(channels, 1, use_bias=False)(past))
            inner = _convolve(layers, values, channels)
            inner = _convolve(layers, inner, channels, active=False)
            values = layers.ReLU()(layers.Add()([past, inner]))
        values = layers.MaxPooling2D(padding="same")(values)
    return layers.Flatten()(values)


_BODIES = {"dense": _dense, "plain": _plain, "residual": _residual, "separable": _separable}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How pictures are changed at random each time that they are learned from; never when they are scored.

    Attributes:
        shift: of a side's length, at most, up or down and left or right.
        rotate: degrees, at most, either way.
        zoom: share by which pictures grow or shrink, at most.
        flip: whether left and right may be exchanged.
        color: share by which brightness, contrast and the balance of colours may change.
        cutout: side of a square that is painted over, as a share of the picture's.
    """

    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    color: float = 0.0
    cutout: float = 0.0

    @property
    def does_anything(self) -> bool:
        return any(getattr(self, field.name) for field in dataclasses.fields(self))


def make_layer(keras: Any, plan: Augmentation) -> Any:
    """A Keras layer that augments (n, h, w, c) while it learns."""
    import tensorflow as tf

    class Augment(keras.layers.Layer):  # type: ignore[misc]
        """All moves in one pass over the pixels; the randomness is TensorFlow's, seeded with the fit."""

        def call(self, pictures: Any, training: bool = False) -> Any:
            if not training:
                return pictures
            if plan.shift or plan.rotate or plan.zoom or plan.flip:
                pictures = _move(tf, pictures, plan)
            if plan.color:
                pictures = _recolor(tf, pictures, plan.color)
            return _cut_out(tf, pictures, plan.cutout) if plan.cutout else pictures

    return Augment(name="augment")


def _move(tf: Any, pictures: Any, plan: Augmentation) -> Any:
    """One projective transform a picture, in the place of the output pixel: x' = a·x + b·y + c, y' = d·x + e·y + f."""
    count = tf.shape(pictures)[0]
    height, width = float(pictures.shape[1]), float(pictures.shape[2])

    def draw(most: float) -> Any:
        return tf.random.uniform([count], -most, most)

    angle, size = draw(math.radians(plan.rotate)), 1.0 + draw(plan.zoom)
    mirror = tf.sign(draw(1.0)) if plan.flip else tf.ones([count])
    cos, sin = tf.cos(angle) * size, tf.sin(angle) * size
    a, b, d, e = cos * mirror, -sin, sin * mirror, cos
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    c = middle_x - a * middle_x - b * middle_y + draw(plan.shift * width)
    f = middle_y - d * middle_x - e * middle_y + draw(plan.shift * height)
    zero = tf.zeros([count])
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),
        output_shape=tf.shape(pictures)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    return tf.ensure_shape(moved, pictures.shape)


def _recolor(tf: Any, pictures: Any, most: float) -> Any:
    count, channels = tf.shape(pictures)[0], pictures.shape[3]
    contrast = tf.random.uniform([count, 1, 1, 1], 1.0 - most, 1.0 + most)
    light = tf.random.uniform([count, 1, 1, channels], -most, most) * 64.0
    return pictures * contrast + light


def _cut_out(tf: Any, pictures: Any, share: float) -> Any:
    """Grey squares at random places (DeVries & Taylor 2017, arXiv:1708.04552)."""
    count = tf.shape(pictures)[0]
    keeps = []
    for length in (pictures.shape[1], pictures.shape[2]):
        centre = tf.random.uniform([count, 1], 0, length, tf.int32)
        keeps.append(tf.abs(tf.range(length)[None] - centre) > int(share * length / 2))
    keep = tf.logical_or(keeps[0][:, :, None], keeps[1][:, None, :])[..., None]
    return tf.where(keep, pictures, tf.reduce_mean(pictures, axis=[1, 2, 3], keepdims=True))


def shrink(matrix: Array, shape: tuple[int, ...], factor: int) -> Array:
    """Pixels (n, h, w, c) uint8 of a matrix (n, h·w·c), each block of factor × factor averaged."""
    height, width, channels = shape
    pictures: Array = np.asarray(matrix).reshape(-1, height, width, channels)
    if factor <= 1:
        return pictures
    high, wide = height // factor, width // factor
    result = np.empty((len(pictures), high, wide, channels), dtype=np.uint8)
    for start in range(0, len(pictures), 512):
        part = pictures[start : start + 512, : high * factor, : wide * factor]
        blocks = part.reshape(-1, high, factor, wide, factor, channels)
        result[start : start + 512] = np.rint(blocks.mean(axis=(2, 4), dtype=np.float32))
    return result
