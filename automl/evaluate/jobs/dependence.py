"""Partial dependence: how the prediction moves on average, and for single rows, as one column moves alone.

Friedman 2001, doi:10.1214/aos/1013203451; individual lines: Goldstein, Kapelner, Bleich & Pitkin 2015,
doi:10.1080/10618600.2014.907095.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from automl.evaluate.columns import column_places, mix_rows, read_column
from automl.evaluate.jobs import Case, Study
from automl.matrix import Array
from automl.preprocess.table import Table
from automl.schema import Column, Role

MAX_ROWS = 200
COLUMNS = 6
GRID = 12
LEVELS = 10
LINES = 8


class Dependence:
    """Held-out rows are given one value of a column after the other; values are those of rows that occur."""

    title = "Partial dependence"
    order = 30
    seconds = 8.0
    least_seconds = 0.5

    def measure(self, case: Case) -> dict[str, Any] | None:
        rows = case.data.table.take(case.unseen_rows(MAX_ROWS))
        place, explained = case.places[0]
        entries: list[dict[str, Any]] = []
        began = time.monotonic()
        for name in case.columns:
            if len(entries) == COLUMNS or (entries and not case.has_time(1 / len(entries), began)):
                break
            column = case.schema[name]
            values, givers = _grid(case, column)
            if len(values) > 1:
                entries.append(_measure_column(case, rows, column, values, givers, place))
        if not entries:
            return None
        return {"rows": len(rows), "fold": case.data.chief_fold + 1, "explained": explained, "columns": entries}


def _grid(case: Case, column: Column) -> tuple[list[Any], Array]:
    """Values to try, and a row of the run's table that holds each."""
    rows = case.seen_rows(2_000)
    values = read_column(case.data.table.take(rows), column)
    if column.role is Role.CATEGORY:
        chosen: list[Any] = [level for level in column.levels[:LEVELS] if level in values]
    elif column.role in (Role.NUMBER, Role.DATE):
        known = sorted(value for value in values if value is not None)
        if not known:
            return [], rows[:0]
        # the ends would be the data's own extremes, of one row each
        at = np.linspace(0.02, 0.98, GRID) * (len(known) - 1)
        chosen = list(dict.fromkeys(known[int(place)] for place in at.round()))
    else:
        return [], rows[:0]
    return chosen, np.array([rows[values.index(value)] for value in chosen], dtype=np.int64)


def _measure_column(
    case: Case, rows: Table, column: Column, values: list[Any], givers: Array, place: int
) -> dict[str, Any]:
    count, columns = len(values), case.columns
    taken = np.zeros((len(rows) * count, len(columns)), dtype=bool)
    taken[:, columns.index(column.name)] = True
    front = case.data.table.take(np.tile(givers, len(rows)))
    back = rows.take(np.repeat(np.arange(len(rows)), count))
    mixed = mix_rows(front, back, taken, column_places(rows.layout, columns))
    lines = case.predict_one(mixed, place).reshape(len(rows), count)
    mean = lines.mean(axis=0)
    # the spread of the effect, not of the level: rows differ in level for reasons of their own
    moved = lines - lines.mean(axis=1, keepdims=True)
    half = 1.96 * moved.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.zeros(count)
    order = np.argsort(lines.mean(axis=1), kind="stable")
    picked = order[np.unique(np.linspace(0, len(rows) - 1, LINES).round().astype(int))]
    return {
        "column": column.name,
        "role": str(column.role),
        "values": values,
        "mean": [float(value) for value in mean],
        "low": [float(value) for value in mean - half],
        "high": [float(value) for value in mean + half],
        "lines": [[float(f"{value:.4g}") for value in lines[row]] for row in picked],
    }


plugin: Study = Dependence()
