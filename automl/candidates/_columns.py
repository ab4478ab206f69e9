"""The columns that a network reads: numbers clipped smoothly, codes as indicators or embeddings; in numpy and Keras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates._record import check_numbers, refuse
from automl.matrix import Array, Feature, FloatArray

ONE_HOT = 9  # codes up to here become columns of their own
MAX_CODES = 10_000_000


def split_columns(features: tuple[Feature, ...]) -> dict[str, Any]:
    """What an architecture holds of a matrix: `numbers`, `categories`, and the categories' `cardinalities`."""
    categories = tuple(at for at, feature in enumerate(features) if feature.cardinality > 0)
    return {
        "numbers": tuple(at for at, feature in enumerate(features) if feature.cardinality == 0),
        "categories": categories,
        "cardinalities": tuple(features[at].cardinality for at in categories),
    }


def read_columns(folder: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """`split_columns` from an architecture's record.

    Raises:
        ArtifactError: if the columns are not 0 to m - 1, each once, or a code column has no sound number of codes.
    """
    found = {
        name: tuple(int(value) for value in check_numbers(folder, record, name))
        for name in ("numbers", "categories", "cardinalities")
    }
    columns = sorted(found["numbers"] + found["categories"])
    sizes = all(0 < codes <= MAX_CODES for codes in found["cardinalities"])
    same = len(found["cardinalities"]) == len(found["categories"])
    if columns != list(range(len(columns))) or not (sizes and same):
        raise refuse(folder, "its architecture is not one")
    return found


def code_width(cardinalities: tuple[int, ...], embedding: int) -> int:
    """Numbers that all code columns become together."""
    return sum(embedding if codes > ONE_HOT else codes for codes in cardinalities)


def embedding_shapes(cardinalities: tuple[int, ...], embedding: int) -> dict[str, tuple[int, ...]]:
    """Shape of each embedding, by name; columns of few codes have none."""
    return {f"embedding_{at}": (codes, embedding) for at, codes in enumerate(cardinalities) if codes > ONE_HOT}


def clip_smoothly(x: FloatArray) -> FloatArray:
    """x / √(1 + (x/3)²): never beyond ±3, and almost x near 0; NaN becomes 0."""
    x = np.nan_to_num(x, nan=0.0).clip(-1e6, 1e6)
    return np.asarray(x / np.sqrt(1.0 + (x / np.float32(3.0)) ** 2), dtype=np.float32)


def look_up_codes(
    columns: tuple[int, ...], cardinalities: tuple[int, ...], weights: Mapping[str, FloatArray], matrix: FloatArray
) -> list[FloatArray]:
    """Each code column (n,) as its row of an embedding, or as indicators (n, codes) where codes are few."""
    parts = []
    for at, (column, codes) in enumerate(zip(columns, cardinalities, strict=True)):
        table = weights[f"embedding_{at}"] if codes > ONE_HOT else np.eye(codes, dtype=np.float32)
        parts.append(table[clean_codes(matrix[:, column], codes)])
    return parts


def code_layers(
    keras: Any, inputs: Any, columns: tuple[int, ...], cardinalities: tuple[int, ...], embedding: int
) -> list[Any]:
    """`look_up_codes` in Keras; the embeddings are layers named embedding_<place>."""
    parts = []
    for at, (column, codes) in enumerate(zip(columns, cardinalities, strict=True)):
        index = keras.ops.clip(keras.ops.cast(inputs[:, column], "int32"), 0, codes - 1)
        if codes > ONE_HOT:
            start = keras.initializers.RandomNormal(stddev=0.3)
            layer = keras.layers.Embedding(codes, embedding, name=f"embedding_{at}", embeddings_initializer=start)
            parts.append(layer(index))
        else:
            parts.append(keras.ops.one_hot(index, codes))
    return parts


def clean_codes(column: FloatArray, codes: int) -> Array:
    """Codes as an index; what is no code becomes the nearest one, NaN the first."""
    return np.nan_to_num(column, nan=0.0).clip(0, codes - 1).astype(np.int64)
