"""Where in a picture a model looks: parts of it are covered, and the output watched."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from automl.matrix import FloatArray
from automl.preprocess.table import Table

FIELDS = 7  # a picture is covered in so many places a side


def map_occlusion(predict: Callable[[Table], FloatArray], table: Table, column: int) -> FloatArray:
    """How much an output falls when a part of the picture is covered, (7, 7) float32.

    Zeiler & Fergus 2014, arXiv:1311.2901: a grey square, the picture's mean, is laid over one place after the other.

    Args:
        predict: outputs (n, k) of an encoded table.
        table: one row.
        column: the output that is looked at.
    """
    picture = np.asarray(table.pictures[0][0])
    high, wide, _ = picture.shape
    mean = picture.mean(axis=(0, 1)).astype(np.uint8)
    rows, columns = (np.linspace(0, side, FIELDS + 1).round().astype(int) for side in (high, wide))
    covered = np.repeat(picture[None], FIELDS * FIELDS + 1, axis=0)
    for down in range(FIELDS):
        for right in range(FIELDS):
            top, bottom = max(0, rows[down] - high // 14), rows[down + 1] + high // 14
            left, edge = max(0, columns[right] - wide // 14), columns[right + 1] + wide // 14
            covered[1 + down * FIELDS + right, top:bottom, left:edge] = mean
    repeated = table.take(np.zeros(len(covered), dtype=np.int64))
    changed = dataclasses.replace(repeated, pictures=(covered, *repeated.pictures[1:]))
    outputs = predict(changed)[:, column]
    return np.asarray((outputs[0] - outputs[1:]).reshape(FIELDS, FIELDS), dtype=np.float32)
