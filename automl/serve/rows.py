"""Rows of a request as columns of plain cells, held against the schema before any model sees them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from automl.cells import is_truth, read_number
from automl.export._prepare import read_date, read_text
from automl.schema import CellFormat, Column, Role, Schema
from automl.serve.refusal import Refusal

PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})
MAX_TEXT = 1 << 20  # characters of a cell that is no picture
MAX_PICTURE = 64 << 20
LARGEST = 3.4028234663852886e38  # of float32: beyond it a number counts as missing
SEE = "GET /schema tells the columns"


@dataclasses.dataclass(slots=True)
class Tally:
    """Cells of one column that a model can make less of.

    Attributes:
        missing: without a value.
        unseen: categories that training did not have.
        unreadable: texts that are no number in a column of numbers, or no date in one of dates.
        out_of_range: numbers beyond float32, which count as missing.
    """

    missing: int = 0
    unseen: int = 0
    unreadable: int = 0
    out_of_range: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """Rows by column.

    Attributes:
        columns: name → its cells (count,), each str, int, float, bool or None; every feature of the schema is there.
        tallies: name → what was found in the column; columns without a finding are left out.
        warnings: sentences for the answer.
        counted: False for rows that no client sent, such as those of an explanation: no metric counts them.
    """

    columns: dict[str, list[Any]]
    count: int
    tallies: dict[str, Tally] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    counted: bool = True


def join_rows(parts: Sequence[Rows]) -> dict[str, list[Any]]:
    """The columns of several requests, one under the other."""
    if len(parts) == 1:
        return parts[0].columns
    return {name: [cell for part in parts for cell in part.columns[name]] for name in parts[0].columns}


class RowReader:
    """Brings what a request holds into `Rows`.

    Args:
        strict: refuse texts that are no numbers or dates, and unknown columns.
    """

    def __init__(self, schema: Schema, *, target: str = "", max_rows: int = 10_000, strict: bool = False) -> None:
        self.schema = schema
        self.target = target
        self.max_rows = max_rows
        self.strict = strict
        self.features = schema.features
        self.names = frozenset(column.name for column in self.features)
        self._known = frozenset(schema.names) | {target}
        self._inspectors = [(column, _inspector(column)) for column in self.features]

    def from_records(self, records: Sequence[Any]) -> Rows:
        """Rows as mappings from column to cell; a column that a row lacks is missing there."""
        if not all(type(record) is dict for record in records):
            raise Refusal(422, "Each row is an object of column and cell", hint=SEE, kind="rows")
        self._check_count(len(records))
        keys = set(records[0]) if len(records) == 1 else set().union(*records)
        return self._make(
            {name: [record.get(name) for record in records] for name in keys & self.names}, keys, len(records)
        )

    def from_columns(self, columns: Mapping[str, list[Any]], count: int) -> Rows:
        """Columns of equal length."""
        self._check_count(count)
        return self._make({name: cells for name, cells in columns.items() if name in self.names}, columns, count)

    def _check_count(self, count: int) -> None:
        if count == 0:
            raise Refusal(422, "The request holds no row", hint='Send {"rows": [{column: cell, …}, …]}', kind="rows")
        if count > self.max_rows:
            raise Refusal(
                422,
                f"The request holds {count:,} rows; at most {self.max_rows:,} are taken",
                hint="Send fewer at a time",
                kind="rows",
            )

    def _make(self, columns: dict[str, list[Any]], given: Iterable[str], count: int) -> Rows:
        absent = [column.name for column in self.features if column.required and column.name not in columns]
        if absent:
            raise Refusal(
                422,
                f"The rows lack {len(absent)} of the model's columns: {list_names(absent)}",
                hint=SEE,
                kind="columns",
            )
        warnings = self._warn_of_unknown(given)
        tallies: dict[str, Tally] = {}
        ordered: dict[str, list[Any]] = {}
        for column, inspect in self._inspectors:
            cells = columns.get(column.name)
            if cells is None:
                ordered[column.name] = [None] * count
                tallies[column.name] = Tally(missing=count)
                continue
            ordered[column.name] = cells
            found = inspect(cells)
            if found is not None:
                tallies[column.name] = found
                self._judge(column, cells, found, warnings)
        return Rows(ordered, count, tallies, tuple(warnings))

    def _warn_of_unknown(self, given: Iterable[str]) -> list[str]:
        extra = sum(name not in self._known for name in given)
        if not extra:
            return []
        if self.strict:
            raise Refusal(
                422, f"The rows have {extra} column(s) that the model does not know", hint=SEE, kind="columns"
            )
        return [f"{extra} column(s) unknown to the model were ignored"]

    def _judge(self, column: Column, cells: list[Any], found: Tally, warnings: list[str]) -> None:
        name, kind = column.name, str(column.role)
        if found.unreadable:
            if self.strict:
                inspect = _inspector(column)
                row = next(at for at, cell in enumerate(cells) if (one := inspect([cell])) and one.unreadable)
                raise Refusal(422, f"Row {row}: the cell of {name!r} is no {kind}", hint=SEE, kind="cells")
            warnings.append(f"{found.unreadable} cell(s) of {name!r} are no {kind} and count as missing")
        if found.out_of_range:
            warnings.append(f"{found.out_of_range} cell(s) of {name!r} are beyond 3.4e38 and count as missing")
        if found.unseen:
            warnings.append(f"{found.unseen} cell(s) of {name!r} hold a value that training did not have")


def list_names(names: Sequence[str], most: int = 8) -> str:
    """The first few, quoted."""
    return ", ".join(repr(name) for name in names[:most]) + (" …" if len(names) > most else "")


# ---- what is in a column ---------------------------------------------------------------------------------------------


def _inspector(column: Column) -> Callable[[list[Any]], Tally | None]:
    """A function that refuses cells which are none, and counts those that a model can make less of."""
    form = column.format
    marks = frozenset(form.missing)
    if column.role is Role.NUMBER:
        return lambda cells: _inspect_numbers(column.name, cells, form, marks)
    if column.role is Role.DATE:
        fields = dataclasses.asdict(form)
        return lambda cells: _inspect_dates(column.name, cells, fields, marks)
    if column.role is Role.CATEGORY:
        levels = frozenset(column.levels)
        if is_truth(column):
            levels |= {"0", "1"}
        return lambda cells: _inspect_levels(column.name, cells, levels, marks)
    longest = MAX_PICTURE if column.role is Role.IMAGE else MAX_TEXT
    return lambda cells: _inspect_texts(column.name, cells, marks, longest)


def _check_types(name: str, cells: list[Any], longest: int = MAX_TEXT) -> None:
    kinds = set(map(type, cells))
    if not kinds <= PLAIN_TYPES:
        row = next(at for at, cell in enumerate(cells) if type(cell) not in PLAIN_TYPES)
        raise Refusal(
            422, f"Row {row}: the cell of {name!r} is no text, number, true, false or null", hint=SEE, kind="cells"
        )
    if float in kinds and not all(math.isfinite(cell) for cell in cells if type(cell) is float and cell == cell):
        row = next(at for at, cell in enumerate(cells) if type(cell) is float and math.isinf(cell))
        raise Refusal(
            422, f"Row {row}: the number in {name!r} is not finite", hint="Send null for no value", kind="cells"
        )
    if int in kinds and any(type(cell) is int and not -(1 << 1000) < cell < (1 << 1000) for cell in cells):
        raise Refusal(422, f"A number in {name!r} is too large", hint="Send null for no value", kind="cells")
    if str in kinds and any(type(cell) is str and len(cell) > longest for cell in cells):
        row = next(at for at, cell in enumerate(cells) if type(cell) is str and len(cell) > longest)
        text = f"Row {row}: the text in {name!r} has more than {longest:,} characters"
        raise Refusal(422, text, hint="Shorten it", kind="cells")


def _inspect_numbers(name: str, cells: list[Any], form: CellFormat, marks: frozenset[str]) -> Tally | None:
    odd = [cell for cell in cells if not (type(cell) in _NUMBERS and -LARGEST <= cell <= LARGEST)]
    if not odd:
        return None
    _check_types(name, cells)
    found = Tally()
    for cell in odd:
        if cell is None or cell != cell:
            found.missing += 1
        elif type(cell) is str:
            _count_text(cell.strip(), form, marks, found)
        elif not -LARGEST <= cell <= LARGEST:
            found.out_of_range += 1
    return found if found != _NOTHING else None


def _count_text(text: str, form: CellFormat, marks: frozenset[str], found: Tally) -> None:
    if not text or text in marks:
        found.missing += 1
        return
    number = read_number(text, form)
    if number != number:
        found.unreadable += 1
    elif not -LARGEST <= number <= LARGEST:
        found.out_of_range += 1


def _inspect_dates(name: str, cells: list[Any], form: Mapping[str, Any], marks: frozenset[str]) -> Tally | None:
    _check_types(name, cells)
    found = Tally()
    for cell in cells:
        if not read_text(cell, marks):
            found.missing += 1
        elif math.isnan(read_date(cell, form, marks)):
            found.unreadable += 1
    return found if found != _NOTHING else None


def _inspect_levels(name: str, cells: list[Any], levels: frozenset[str], marks: frozenset[str]) -> Tally | None:
    odd = [cell for cell in cells if not (type(cell) is str and cell in levels)]
    if not odd:
        return None
    _check_types(name, cells)
    found = Tally()
    for cell in odd:
        text = read_text(cell, marks)
        if not text:
            found.missing += 1
        elif text not in levels:
            found.unseen += 1
    return found if found != _NOTHING else None


def _inspect_texts(name: str, cells: list[Any], marks: frozenset[str], longest: int) -> Tally | None:
    _check_types(name, cells, longest)
    missing = sum(not read_text(cell, marks) for cell in cells)
    return Tally(missing=missing) if missing else None


_NUMBERS = frozenset({int, float})
_NOTHING = Tally()
