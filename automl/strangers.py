"""Cells of new rows that a model makes nothing of: no number where it wants one, categories that training lacked."""

from __future__ import annotations

import decimal
from collections.abc import Sequence

import numpy as np
import pandas as pd

from automl import cells
from automl.matrix import Array
from automl.schema import Column, Notice, Role


def describe_strangers(frame: pd.DataFrame, columns: Sequence[Column]) -> list[Notice]:
    """Notices of cells that a model makes nothing of: no number or date where it wants one, categories not seen."""
    where = {str(name): position for position, name in reversed(list(enumerate(frame.columns)))}
    notices = []
    for column in columns:
        if column.name not in where or column.role not in (Role.NUMBER, Role.DATE, Role.CATEGORY):
            continue
        series = frame.iloc[:, where[column.name]]
        if column.role is Role.CATEGORY:
            codes, texts = cells.code_levels(series, column)
            seen = frozenset(column.levels)
            known: Array = np.array([*(text is None or text in seen for text in texts), True])[codes]
            what = "hold a value that was not seen in training"
        elif column.role is Role.NUMBER:
            known = ~np.isnan(cells.parse_numbers(series, column.format))
            what = "cannot be read as numbers and count as missing"
        else:
            known = ~np.isnat(cells.parse_dates(series, column.format))
            what = "cannot be read as dates and count as missing"
        doubtful = series[~known & _are_there(series)]
        strange = [text for text in cells.to_text(doubtful, column.format.missing) if text is not None]
        if strange:
            examples = list(dict.fromkeys(strange))
            listed = ", ".join(repr(text[:40]) for text in examples[:3]) + (" …" if len(examples) > 3 else "")
            notices.append(
                Notice(topic=str(column.role), text=f"{column.name}: {len(strange)} cell(s) {what}: {listed}")
            )
    return notices


def _are_there(series: pd.Series) -> Array:
    """Which cells (n,) are not missing; a decimal's signalling NaN, which must not be compared, is."""
    try:
        return np.asarray(series.notna())
    except decimal.InvalidOperation:
        return np.array(
            [not (isinstance(cell, decimal.Decimal) and cell.is_nan()) and pd.notna(cell) for cell in series]
        )
