"""A model of one or two columns, whole: its answer over the data's range, and where its decision turns."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from automl.evaluate.columns import read_column, stack_tables
from automl.evaluate.jobs import Case, Study
from automl.matrix import Array
from automl.preprocess.table import Table
from automl.schema import Role
from automl.task import TaskKind

POINTS = 60
LINES = 5
LEVELS = 12
BINS = 10


class Curve:
    """Needs one number, alone or beside a second column; the fold's models answer along it."""

    title = "Curve of one or two columns"
    order = 35
    seconds = 4.0
    least_seconds = 0.4

    def measure(self, case: Case) -> dict[str, Any] | None:
        if len(case.columns) > 2:  # before any is looked up: of thousands that takes long
            return None
        names = [name for name in case.columns if case.schema[name].role in (Role.NUMBER, Role.DATE)]
        if not names or len(names) + _categories(case) < len(case.columns):
            return None
        main = names[0]
        others = [name for name in case.columns if name != main]
        rows = case.data.table.take(case.seen_rows(5_000))
        along = _spread(rows, case, main)
        if along is None:
            return None
        record = {
            "column": main,
            "other": others[0] if others else None,
            "x": along.tolist(),
            "explained": case.places[0][1],
            "lines": [],
            "seen": _seen(case, main),
        }
        for label, fixed in _fixed_rows(case, rows, others):
            moved = _set_number(stack_tables([fixed] * POINTS), case, main, along)
            outputs = case.predict_one(moved, case.places[0][0])
            record["lines"].append({"label": label, "y": [float(value) for value in outputs]})
        if case.task.kind is TaskKind.BINARY:
            at = case.evidence.threshold
            record["turns"] = [
                {"label": line["label"], "x": turn}
                for line in record["lines"]
                for turn in find_turns(along, line["y"], at)
            ]
        return record


def _categories(case: Case) -> int:
    return sum(case.schema[name].role is Role.CATEGORY for name in case.columns)


def _array(table: Table, name: str) -> tuple[str, int]:
    kind = "numbers" if name in table.layout.numbers else "dates"
    return kind, getattr(table.layout, kind).index(name)


def _spread(rows: Table, case: Case, name: str) -> Array | None:
    """Points over the range of a number or date, as the table holds them plus the column's offset."""
    kind, place = _array(rows, name)
    values = np.asarray(getattr(rows, kind)[:, place], dtype=np.float64)
    values = values[~np.isnan(values)]
    if len(values) < 2 or values.min() == values.max():
        return None
    return np.linspace(values.min(), values.max(), POINTS) + case.schema[name].offset


def _set_number(table: Table, case: Case, name: str, values: Array) -> Table:
    kind, place = _array(table, name)
    changed = np.array(getattr(table, kind))
    changed[:, place] = values - case.schema[name].offset
    changes: dict[str, Any] = {kind: changed}
    return dataclasses.replace(table, **changes)


def _fixed_rows(case: Case, rows: Table, others: list[str]) -> list[tuple[str, Table]]:
    """A row for each line: the other column at five quantiles, or at each frequent value."""
    first = np.array([0])
    if not others:
        return [("the model", rows.take(first))]
    column = case.schema[others[0]]
    cells = read_column(rows, column)
    if column.role is Role.CATEGORY:
        levels = [level for level in column.levels[:LEVELS] if level in cells]
        return [(f"{column.name} is {level}", rows.take(np.array([cells.index(level)]))) for level in levels[:LINES]]
    known = sorted((at for at, cell in enumerate(cells) if cell is not None), key=lambda at: cells[at])
    if not known:
        return [("the model", rows.take(first))]
    picked = [known[int(share * (len(known) - 1))] for share in np.linspace(0.05, 0.95, LINES)]
    picked = list({cells[at]: at for at in picked}.values())
    return [(f"{column.name} is {cells[at]:g}" if isinstance(cells[at], float) else f"{column.name} is {cells[at]}",
             rows.take(np.array([at]))) for at in picked]  # fmt: skip


def _seen(case: Case, name: str) -> dict[str, list[float]]:
    """The truth's mean in bins of all rows."""
    table = case.data.table
    kind, place = _array(table, name)
    values = np.asarray(getattr(table, kind)[:, place], dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    label = case.places[0][0] + (1 if case.task.n_classes == 2 else 0)
    truth = case.data.target == label if case.task.is_classification else case.data.target
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return {
        "x": [float(values[part].mean()) + case.schema[name].offset for part in bins],
        "y": [float(np.mean(truth[part])) for part in bins],
    }


def find_turns(x: Array, y: list[float], at: float) -> list[float]:
    """Where a line crosses the decision's threshold, by linear interpolation."""
    turns = []
    for place in range(len(y) - 1):
        one, two = y[place] - at, y[place + 1] - at
        if (one < 0) != (two < 0):
            turns.append(float(x[place] + (x[place + 1] - x[place]) * one / (one - two)))
    return turns


plugin: Study = Curve()
