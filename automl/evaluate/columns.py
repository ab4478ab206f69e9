"""The user's columns inside an encoded table: rows mixed column by column, a column emptied, a cell read back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from automl.matrix import Array
from automl.preprocess.table import MISSING, UNSEEN, Layout, Table
from automl.schema import Column, Role, Schema

KINDS = tuple(field.name for field in dataclasses.fields(Table) if field.name != "layout")
UNSEEN_NAME = "(a value never seen)"


def source_columns(layout: Layout) -> tuple[str, ...]:
    """The user's columns that a table's arrays were made from, each once, in the arrays' order."""
    names = [layout.source(name) for kind in KINDS for name in getattr(layout, kind)]
    return tuple(dict.fromkeys(names))


def column_places(layout: Layout, columns: tuple[str, ...]) -> dict[str, Array]:
    """Kind of array → for each of its columns the position (int64) of its source in `columns`."""
    index = {name: place for place, name in enumerate(columns)}
    return {
        kind: np.array([index[layout.source(name)] for name in getattr(layout, kind)], dtype=np.int64) for kind in KINDS
    }


def mix_rows(front: Table, back: Table, taken: Array, places: dict[str, Array]) -> Table:
    """Rows that have some columns of one table and the others of another.

    Args:
        front, back: tables of n rows each; best parts of one (`stack_tables`), so that what is known of it serves.
        taken: (n, d) bool; True takes the user's column from `front`.
        places: `column_places` of the d columns.
    """
    arrays: dict[str, Any] = {}
    for kind in KINDS:
        one, other = getattr(front, kind), getattr(back, kind)
        if isinstance(one, tuple):
            parts = zip(one, other, places[kind], strict=True)
            arrays[kind] = tuple(_mix_column(left, right, taken[:, place]) for left, right, place in parts)
        else:
            arrays[kind] = np.where(taken[:, places[kind]], one, other) if one.shape[1] else one
    return dataclasses.replace(front, **arrays)


def _mix_column(one: Any, other: Any, taken: Array) -> Any:
    """A column that is an array of n cells of any shape, or a sequence (n,) of `rows` of a `corpus`."""
    if isinstance(one, np.ndarray):
        return np.where(taken.reshape(-1, *(1 for _ in one.shape[1:])), one, other)
    if one.corpus is other.corpus:
        return dataclasses.replace(one, rows=np.where(taken, one.rows, other.rows))
    return type(one).pack([left if mine else right for left, right, mine in zip(one, other, taken, strict=True)])


def empty_columns(table: Table, columns: tuple[str, ...]) -> Table:
    """The table with these columns missing in every row."""
    arrays: dict[str, Any] = {}
    for kind in KINDS:
        value, names = getattr(table, kind), getattr(table.layout, kind)
        hit = [place for place, name in enumerate(names) if table.layout.source(name) in columns]
        if isinstance(value, tuple):
            arrays[kind] = tuple(_empty(part) if place in hit else part for place, part in enumerate(value))
        elif hit:
            array = np.array(value)
            array[:, hit] = MISSING if np.issubdtype(array.dtype, np.integer) else np.nan
            arrays[kind] = array
    return dataclasses.replace(table, **arrays)


def _empty(column: Any) -> Any:
    return np.zeros_like(column) if isinstance(column, np.ndarray) else type(column).pack([None] * len(column))


def stack_tables(tables: list[Table]) -> Table:
    """Tables of one layout, one below the other."""
    arrays: dict[str, Any] = {}
    for kind in KINDS:
        values = [getattr(table, kind) for table in tables]
        if isinstance(values[0], tuple):
            arrays[kind] = tuple(_stack_columns(list(parts)) for parts in zip(*values, strict=True))
        else:
            arrays[kind] = np.concatenate(values)
    return dataclasses.replace(tables[0], **arrays)


def _stack_columns(parts: list[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if all(part.corpus is parts[0].corpus for part in parts):
        return dataclasses.replace(parts[0], rows=np.concatenate([part.rows for part in parts]))
    return type(parts[0]).pack([cell for part in parts for cell in part])


def read_column(table: Table, column: Column) -> list[Any]:
    """A column's cells as the user would write them: float, str, ISO date; None for missing or not kept."""
    layout = table.layout
    if column.role is Role.NUMBER and column.name in layout.numbers:
        values = table.numbers[:, layout.numbers.index(column.name)].astype(np.float64) + column.offset
        return [None if np.isnan(value) else _tidy(value, column.offset) for value in values]
    if column.role is Role.CATEGORY and column.name in layout.categories:
        codes = table.categories[:, layout.categories.index(column.name)]
        names = {MISSING: None, UNSEEN: UNSEEN_NAME}
        return [names.get(int(code)) if code < 0 else column.levels[int(code)] for code in codes]
    if column.role is Role.DATE and column.name in layout.dates:
        seconds = table.dates[:, layout.dates.index(column.name)]
        return [None if np.isnan(value) else str(np.datetime64(int(value), "s")) for value in seconds]
    texts = getattr(layout, "texts", ())
    if column.name in texts:
        return list(table.texts[texts.index(column.name)])
    return [None] * len(table)


def _tidy(value: float, offset: float) -> float:
    """The number without the digits that its float32 form has made up."""
    scale = max(abs(value - offset), 1e-30)
    places = 7 - int(np.floor(np.log10(scale)))
    return round(float(value), places)


def describe_row(table: Table, schema: Schema, columns: tuple[str, ...]) -> dict[str, Any]:
    """The cells of a table of one row."""
    by_name = {column.name: column for column in schema.columns}
    return {name: read_column(table, by_name[name])[0] for name in columns}
