"""Columns as tensors of the Open Inference Protocol: what goes in, what comes out, and how raw bytes hold both."""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.matrix import Array, FloatArray
from automl.picture_pixels import URI
from automl.pictures import encode_uri
from automl.schema import Role
from automl.serve.answers import round_outputs
from automl.serve.refusal import Refusal
from automl.serve.service import Current

DTYPES = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
BYTES = "BYTES"
MAX_DEPTH = 8
HINT = "GET /v2/models/NAME tells the inputs"


def refuse(text: str, status: int = 400) -> Refusal:
    return Refusal(status, text, hint=HINT, kind="tensor")


@dataclasses.dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, datatype and shape of an input or output; -1 stands for the rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def input_specs(current: Current) -> list[TensorSpec]:
    """One tensor (rows, 1) a column: FP64 for numbers, BYTES for all else."""
    return [
        TensorSpec(column.name, "FP64" if column.role is Role.NUMBER else BYTES, (-1, 1))
        for column in current.reader.features
    ]


def output_specs(current: Current) -> list[TensorSpec]:
    """`label` (rows) and `probabilities` (rows, classes), or `value` (rows, 1)."""
    task = current.model.task
    if not task.is_classification:
        return [TensorSpec("value", "FP32", (-1, 1))]
    kind = {"int": "INT64", "float": "FP64", "bool": "BOOL"}.get(task.label_type, BYTES)
    return [TensorSpec("label", kind, (-1,)), TensorSpec("probabilities", "FP32", (-1, task.n_classes))]


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """A tensor of an answer: its cells in order, flat; None for a value that is not finite, as JSON has none."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    cells: list[Any]


def make_outputs(current: Current, outputs: FloatArray, *, labels_only: bool) -> dict[str, Output]:
    """All outputs of an answer by name."""
    model, count = current.model, len(outputs)
    if not model.task.is_classification:
        return {"value": Output("value", "FP32", (count, 1), model.decide(outputs))}
    specs = output_specs(current)
    found = {"label": Output("label", specs[0].datatype, (count,), model.decide(outputs))}
    if not labels_only:
        shape = (count, model.task.n_classes)
        found["probabilities"] = Output("probabilities", "FP32", shape, round_outputs(outputs).ravel().tolist())
    return found


# ---- cells of an input -----------------------------------------------------------------------------------------------


def read_cells(current: Current, name: str, datatype: str, shape: Sequence[Any], cells: list[Any]) -> list[Any]:
    """The cells of a column from a flat tensor.

    Args:
        shape: (n,) or (n, 1); of a picture column also (n, height, width, channels) of UINT8.

    Raises:
        Refusal: if shape and data do not agree.
    """
    rows = _check_shape(shape, len(cells))
    if len(shape) == 4 and datatype == "UINT8" and current.has_pictures:
        return _read_pixels(tuple(int(side) for side in shape), cells)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1) or rows != len(cells):
        raise refuse("A tensor of a column has the shape [rows] or [rows, 1]")
    if datatype == BYTES:
        picture = name in {column.name for column in current.reader.features if column.role is Role.IMAGE}
        return [_text(cell, picture=picture) for cell in cells]
    return [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells]


def _check_shape(shape: Sequence[Any], count: int) -> int:
    if not shape or len(shape) > MAX_DEPTH or not all(type(side) is int and 0 <= side < 1 << 40 for side in shape):
        raise refuse("A shape is a list of whole numbers")
    if math.prod(shape) != count:
        raise refuse("A tensor's shape and data do not agree")
    return int(shape[0])


def _text(cell: Any, *, picture: bool) -> Any:
    if not isinstance(cell, bytes):
        return cell
    if picture and not cell.startswith(URI.encode()):
        return f"{URI}*;base64,{base64.b64encode(cell).decode('ascii')}"
    try:
        return cell.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refuse("A text is not UTF-8") from error


def _read_pixels(shape: tuple[int, ...], cells: list[Any]) -> list[Any]:
    rows, height, width, channels = shape
    if channels not in (1, 3) or not 0 < height * width <= 50_000_000:
        raise refuse("Pictures have 1 or 3 channels")
    try:
        pixels = np.array(cells, dtype=np.uint8).reshape(rows, height, width, channels)
    except (ValueError, TypeError, OverflowError) as error:
        raise refuse("Pixels are whole numbers from 0 to 255") from error
    return [encode_uri(picture) for picture in pixels]


def flatten(data: Any, most: int) -> list[Any]:
    """The cells of nested lists, in order."""
    if not isinstance(data, list):
        raise refuse("data is a list")
    flat = data
    for _ in range(MAX_DEPTH):
        if not any(isinstance(cell, list) for cell in flat):
            break
        if not all(isinstance(cell, list) for cell in flat):
            raise refuse("data is nested unevenly")
        flat = [cell for part in flat for cell in part]
    if len(flat) > most:
        raise refuse("A tensor holds too many cells")
    return flat


# ---- raw bytes -------------------------------------------------------------------------------------------------------


def unpack(datatype: str, shape: Sequence[Any], raw: bytes) -> list[Any]:
    """Flat cells of a tensor as Triton packs it: little endian; BYTES each with its length in four bytes before it."""
    if datatype == BYTES:
        return _unpack_bytes(raw)
    dtype = DTYPES.get(datatype)
    if dtype is None:
        raise refuse("A tensor is of a datatype that is not read")
    size = np.dtype(dtype).itemsize
    if len(raw) % size:
        raise refuse("A tensor's bytes are cut off")
    array: Array = np.frombuffer(raw, dtype=dtype)
    cells: list[Any] = array.tolist()
    return cells


def _unpack_bytes(raw: bytes) -> list[bytes]:
    cells, at = [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "little")
        if at + 4 + size > len(raw):
            raise refuse("A tensor's bytes are cut off")
        cells.append(raw[at + 4 : at + 4 + size])
        at += 4 + size
    return cells


def pack(output: Output) -> bytes:
    """The reverse of `unpack`; what is None becomes NaN."""
    if output.datatype == BYTES:
        texts = [str(cell).encode() for cell in output.cells]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return np.array(output.cells, dtype=DTYPES[output.datatype]).tobytes()
