"""A row to try a model with: made of the schema and of medians, so that it is plausible and nobody's."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from automl.export._prepare import read_date, read_number
from automl.pictures import encode_uri
from automl.schema import Column, Role
from automl.serve.model import ServedModel

FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799  # of the years 1 and 9999, where Python's calendar ends
TEXT = "A short text about this and that."


def make_example(model: ServedModel) -> dict[str, Any]:
    """Column → cell: of a number the rounded median of the golden rows, of a category its most frequent level, of a
    date the day of the median, of a picture a grey one."""
    return {
        column.name: _cell(column, [row.get(column.name) for row in model.golden]) for column in model.schema.features
    }


def _cell(column: Column, golden: list[Any]) -> Any:
    form = {
        "decimal": column.format.decimal,
        "thousands": column.format.thousands,
        "prefix": column.format.prefix,
        "suffix": column.format.suffix,
        "negative": column.format.negative,
        "date_format": column.format.date_format,
    }
    if column.role is Role.NUMBER:
        return _round([number for cell in golden if (number := read_number(cell, form)) == number])
    if column.role is Role.DATE:
        seconds = [moment for cell in golden if (moment := read_date(cell, {**form, "date_format": "iso"})) == moment]
        return _date(statistics.median_low(seconds) if seconds else 0.0, column.format.date_format)
    if column.role is Role.CATEGORY:
        return column.levels[0] if column.levels else None
    if column.role is Role.IMAGE and column.picture is not None:
        return encode_uri(np.full(column.picture.shape, 128, dtype=np.uint8))
    return TEXT


def _round(numbers: list[float]) -> float | int:
    """The median, to three significant digits: no cell of any row has to be it."""
    if not numbers:
        return 0
    middle = float(f"{statistics.median(numbers):.3g}")
    return int(middle) if middle.is_integer() and abs(middle) < 1e15 else middle


def _date(seconds: float, date_format: str) -> Any:
    import datetime

    seconds = min(max(seconds, FIRST_SECOND), LAST_SECOND)
    day = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(days=seconds // 86_400)
    if date_format in ("epoch_s", "epoch_ms"):
        return int(day.timestamp()) * (1 if date_format == "epoch_s" else 1000)
    return day.strftime(date_format) if date_format not in ("", "iso") else day.date().isoformat()
