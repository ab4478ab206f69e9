"""Pictures: brightness, contrast, colour and sharpness of each; a camera, a lamp or a crop that changed shows there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.matrix import Array
from automl.monitor import ColumnKind, Shift
from automl.monitor.statistics import make_sketch
from automl.monitor.values import compare_values
from automl.schema import Column

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("brightness", "contrast", "sharpness", "colour")
CHUNK = 1_000


class Image:
    def summarize(self, column: Column, cells: pd.Series, pixels: Array | None) -> dict[str, Any]:
        measured = _measure(_decode(column, cells) if pixels is None else pixels)
        return {name: make_sketch(measured[:, place]) for place, name in enumerate(MEASURES)}

    def compare(self, column: Column, reference: dict[str, Any], cells: pd.Series) -> list[Shift]:
        measured = _measure(_decode(column, cells))
        shifts = [
            compare_values(reference[name], measured[:, place], name=f"{name}: median")
            for place, name in enumerate(MEASURES)
        ]
        least = min(shifts, key=lambda shift: shift.p_value)
        return [dataclasses.replace(least, p_value=min(1.0, least.p_value * len(shifts)))]  # so many tests


def _decode(column: Column, cells: pd.Series) -> Array:
    from automl.pictures import decode_all

    assert column.picture is not None
    pixels, faults = decode_all(cells.to_numpy(dtype=object), column.picture)
    return np.delete(pixels, list(faults), axis=0)


def _measure(pixels: Array) -> Array:
    """(n, 4) float64 of pictures (n, h, w, c) uint8, some hundred at a time."""
    parts = [_measure_chunk(pixels[at : at + CHUNK]) for at in range(0, len(pixels), CHUNK)]
    return np.concatenate(parts) if parts else np.zeros((0, len(MEASURES)))


def _measure_chunk(pixels: Array) -> Array:
    values = pixels.astype(np.float32)
    grey = values.mean(axis=3)
    edges = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    colour = values.mean(axis=(1, 2)).std(axis=1)
    return np.stack([grey.mean(axis=(1, 2)), grey.std(axis=(1, 2)), edges, colour], axis=1).astype(np.float64)


plugin: ColumnKind = Image()
