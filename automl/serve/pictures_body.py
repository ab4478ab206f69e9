"""Pictures in requests: as base64 in a cell, as parts of a form, or as the whole body; files are never named."""

from __future__ import annotations

import base64
import dataclasses
import warnings
from typing import Any

from automl.picture_pixels import URI, PictureError
from automl.pictures import decode_cell, encode_uri, probe_cell
from automl.schema import Column, PictureFormat, Role
from automl.serve.refusal import Refusal
from automl.serve.rows import RowReader, Rows

MAX_PIXELS = 64_000_000  # of all pictures of a request, before they are made smaller


def settle_pictures(rows: Rows, reader: RowReader) -> Rows:
    """The rows with every picture decoded once, brought to the model's size and packed without loss.

    A cell is a data URI or bare base64.

    Raises:
        Refusal: if a picture cannot be read, or all together have too many pixels.
    """
    columns = [column for column in reader.features if column.role is Role.IMAGE and column.picture is not None]
    if not columns:
        return rows
    settled = dict(rows.columns)
    budget = MAX_PIXELS
    for column in columns:
        cells = []
        for row, cell in enumerate(rows.columns[column.name]):
            found, spent = _settle(cell, column, row, budget)
            budget -= spent
            cells.append(found)
        settled[column.name] = cells
    return dataclasses.replace(rows, columns=settled)


def _settle(cell: Any, column: Column, row: int, budget: int) -> tuple[Any, int]:
    if cell is None or cell == "":
        return None, 0
    where = f"Row {row}: the picture in {column.name!r}"
    if not isinstance(cell, str):
        raise Refusal(422, f"{where} is no text", hint="Send base64 or a data URI", kind="pictures")
    uri = cell if cell.startswith(URI) else f"{URI}*;base64,{cell}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = probe_cell(uri)
            pixels = header.width * header.height
            if pixels > budget:
                text = f"The pictures have more than {MAX_PIXELS // 1_000_000} million pixels together"
                raise Refusal(422, text, hint="Send fewer, or smaller ones", kind="pictures")
            picture: PictureFormat = column.picture  # type: ignore[assignment]
            return encode_uri(decode_cell(uri, picture)), pixels
    except PictureError as error:
        hint = "Send base64 of a PNG, JPEG, WebP, BMP, TIFF or GIF file, or a data URI"
        raise Refusal(422, f"{where} cannot be read: {error}", hint=hint, kind="pictures") from error


def read_picture(body: bytes, reader: RowReader) -> Rows:
    """One row of one picture, which is the whole body."""
    return reader.from_records([{_only_column(reader).name: _to_uri(body)}])


def read_form(parts: list[tuple[str, bool, Any]], reader: RowReader) -> Rows:
    """Rows of a form.

    Args:
        parts: (name, whether it is a file, its bytes or text) in order. Files are pictures, one a row, in the column
            that the part names, or in the only one; a text is the cell of all rows.
    """
    pictures = {column.name: list[str]() for column in reader.features if column.role is Role.IMAGE}
    cells: dict[str, str] = {}
    for name, is_file, content in parts:
        if is_file:
            pictures[name if name in pictures else _only_column(reader).name].append(_to_uri(content))
        elif name in cells:
            raise Refusal(422, "The form holds a field twice", hint="Send many rows as JSON or CSV", kind="form")
        else:
            cells[name] = content
    filled = {name: files for name, files in pictures.items() if files}
    count = max((len(files) for files in filled.values()), default=1)
    if any(len(files) != count for files in filled.values()):
        raise Refusal(422, "The picture columns hold different numbers of files", hint="Send one a row", kind="form")
    return reader.from_columns({**{name: [cell] * count for name, cell in cells.items()}, **filled}, count)


def _only_column(reader: RowReader) -> Column:
    columns = [column for column in reader.features if column.role is Role.IMAGE]
    if len(columns) == 1:
        return columns[0]
    what = "takes no pictures" if not columns else "has several columns of pictures: name one"
    raise Refusal(422, f"The model {what}", hint="GET /schema tells the columns", kind="form")


def _to_uri(content: bytes) -> str:
    return f"{URI}*;base64,{base64.b64encode(content).decode('ascii')}"
