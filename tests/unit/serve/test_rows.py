"""What a request's cells are worth to a model is told a column, or refused where that was asked for."""

from __future__ import annotations

import pytest

from automl.schema import CellFormat, Column, Role, Schema
from automl.serve.refusal import Refusal
from automl.serve.rows import RowReader, Tally

DAY = Column(name="day", role=Role.DATE, format=CellFormat(date_format="%d.%m.%Y", missing=("never",)))
TIME = Column(name="time", role=Role.DATE, format=CellFormat(date_format="epoch_s"))
SCHEMA = Schema((DAY, TIME))


def test_a_cell_that_is_no_date_is_counted_and_told() -> None:
    days = ["31.12.2024", "2024-1-5", "31.31.2024", "soon", "never", "", None, True]
    times = [1_700_000_000, "1700000000.5", "2024-01-05 7:30", 1e300, "later", None, float("nan"), " "]
    rows = RowReader(SCHEMA).from_columns({"day": days, "time": times}, 8)
    assert rows.tallies == {"day": Tally(missing=3, unreadable=3), "time": Tally(missing=3, unreadable=2)}
    assert rows.warnings == (
        "3 cell(s) of 'day' are no date and count as missing",
        "2 cell(s) of 'time' are no date and count as missing",
    )


def test_strict_names_the_first_row_whose_cell_is_no_date_or_no_number() -> None:
    columns = (DAY, Column(name="age", role=Role.NUMBER))
    strict = RowReader(Schema(columns), strict=True)
    fine = {"day": "31.12.2024", "age": "41"}
    assert strict.from_records([fine, {"day": None, "age": ""}]).warnings == ()
    with pytest.raises(Refusal, match=r"Row 2: the cell of 'day' is no date"):
        strict.from_records([fine, {"day": "never"}, {"day": "31.31.2024"}, {"day": "soon"}])
    with pytest.raises(Refusal, match=r"Row 1: the cell of 'age' is no number"):
        strict.from_records([fine, {"day": "1.1.2024", "age": "forty"}])


def test_dates_without_fault_are_told_nothing_of() -> None:
    rows = RowReader(SCHEMA).from_columns({"day": ["1.2.2024"], "time": [1_700_000_000]}, 1)
    assert (rows.tallies, rows.warnings) == ({}, ())
