"""Nets of keras.applications with weights that were never trained, and their files in every form that Keras writes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import FitContext
from automl.candidates._keras import start_keras
from automl.matrix import Array, Feature
from automl.task import Task, TaskKind

SIDE = 96
SHAPE = (24, 24, 3)
TASK = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"), metric="log_loss")
FEATURES = (Feature(name="p", source="p", shape=SHAPE),)


def draw_pictures(rows: int, *, seed: int = 0) -> tuple[Array, Array]:
    """Coloured noise (n, h·w·c) with a bar at one of three heights, which is the class (n,)."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, rows)
    pictures = rng.integers(0, 90, (rows, *SHAPE))
    for row, kind in enumerate(target):
        at = int(rng.integers(0, 8))
        pictures[row, 3 + 7 * kind : 6 + 7 * kind, at : at + 14] += 150
    return pictures.astype(np.uint8).reshape(rows, -1), target.astype(np.int64)


def make_context(backbone_file: Path | str = "", *, rows: int = 90, stop: bool = True, **changes: Any) -> FitContext:
    stop_rows = np.arange(0, rows, 4) if stop else np.zeros(0, dtype=np.int64)
    return FitContext(
        task=TASK, features=FEATURES, seed=1, stop_rows=stop_rows, backbone_file=str(backbone_file), **changes
    )


def make_net(name: str = "MobileNetV3Small", **options: Any) -> Any:
    """A net whose normalisation knows what random kernels make of pictures, so that its features tell them apart."""
    keras = start_keras(0, 1)
    given = {"include_top": False, "pooling": "avg", "input_shape": (SIDE, SIDE, 3), **options}
    net = getattr(keras.applications, name)(weights=None, **given)
    norms = [layer for layer in net.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    side = net.input_shape[1]
    pixels = draw_pictures(16)[0].reshape(-1, *SHAPE).astype(np.float32)
    net(keras.ops.image.resize(pixels, (side, side)), training=True)
    return net


@contextlib.contextmanager
def quiet_keras() -> Iterator[None]:
    """Keras saves through a numpy that it warns of, and calls some of its forms old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write_weights(path: Path, net: Any) -> Path:
    """As Keras 3 writes weights alone; the name ends in .weights.h5."""
    with quiet_keras():
        net.save_weights(path)
    return path


def write_legacy(path: Path, net: Any) -> Path:
    """As the files in the Keras cache are written."""
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file, quiet_keras():
        save_weights_to_hdf5_group(file, net)
    return path
