"""The pre-step that travels with a graph reads cells as the training did."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl import cells
from automl.export import _prepare as prepare
from automl.schema import CellFormat

NUMBERS = [
    "1", " 2.50 ", "-3e5", ".5", "5.", "1,234", "1.234,5", "12,5", "$5", "-$5", "7 %", "7%", "$1,234.5", "−4", "１２",
    "٣", "true", "FALSE", "inf", "-Infinity", "nan", "NA", "?", "", "  ", "abc", "1e39", "3.4e38", "--5", "1_000",
    "($1,234.5)", "( 7 )", "7.5-",
    "0x10", None, 1, 2.5, True, float("nan"), float("inf"), 1e39, 10**20,
]  # fmt: skip
FORMATS = [
    CellFormat(),
    CellFormat(missing=("NA", "?", "1")),
    CellFormat(decimal=",", thousands="."),
    CellFormat(thousands=",", prefix="$"),
    CellFormat(suffix="%"),
    CellFormat(thousands=",", prefix="$", negative="()"),
    CellFormat(negative="-"),
]
TEXTS = [
    "Wien", " Wien ", "Zu\u0308rich", "\ufeffZürich\u200b", "3.0", "3", 3, 3.0, 0.1, "0.10", "1.50", "007", "-0.0",
    True, "true", "FALSE", "False", "NA", "?", "", " ", None, float("nan"), "1000000000000000.0", 1e15, 10**18,
]  # fmt: skip
DATES = [
    "2020-01-31", "2020-01-31 12:30", "2020-01-31T12:30:59.75", "2020-01-31T12:30:00Z", "2020-01-31T12:30:00+02:00",
    "2020-01", "2020", "1969-12-31 23:59:59", "2020-02-30", "no date", "", None, "20200131",
]  # fmt: skip


def form(cell_format: CellFormat) -> dict[str, object]:
    names = ("decimal", "thousands", "prefix", "suffix", "negative", "missing", "date_format")
    return {name: getattr(cell_format, name) for name in names}


@pytest.mark.parametrize("cell_format", FORMATS, ids=str)
def test_numbers_are_read_as_in_training(cell_format: CellFormat) -> None:
    expected = cells.parse_numbers(pd.Series(NUMBERS, dtype=object), cell_format)
    marks = frozenset(cell_format.missing)
    found = [prepare.read_number(cell, form(cell_format), marks) for cell in NUMBERS]
    np.testing.assert_array_equal(np.array(found), expected)


@pytest.mark.parametrize("marks", [(), ("NA", "?", "3")], ids=str)
def test_texts_are_read_as_in_training(marks: tuple[str, ...]) -> None:
    expected = [text or "" for text in cells.to_text(pd.Series(TEXTS, dtype=object), marks)]
    assert [prepare.read_text(cell, frozenset(marks)) for cell in TEXTS] == expected


@pytest.mark.parametrize(
    ("pattern", "extra"),
    [("iso", []), ("%d.%m.%Y", ["31.01.2020", "1.2.2021"]), ("epoch_s", [1580000000, "1580000000.9", -5.5]),
     ("epoch_ms", [1580000000999, "-1"])],
)  # fmt: skip
def test_dates_are_read_as_in_training(pattern: str, extra: list[object]) -> None:
    values = [*DATES, *extra]
    cell_format = CellFormat(date_format=pattern)
    moments = cells.parse_dates(pd.Series(values, dtype=object), cell_format).astype("datetime64[s]")
    expected = np.where(np.isnat(moments), np.nan, moments.astype(np.int64))
    found = [prepare.read_date(cell, form(cell_format)) for cell in values]
    np.testing.assert_array_equal(np.array(found), expected)


def test_a_column_that_no_row_has_is_named() -> None:
    entry = {"name": "age", "column": "age", "required": True, "dtype": "float32", "kind": "number"}
    read = prepare.Prepare({"inputs": [{**entry, "format": form(CellFormat())}]})
    assert read([{"age": "41"}, {}])["age"].tolist()[0] == [41.0]
    with pytest.raises(ValueError, match="'age'"):
        read([{"height": 3}])
