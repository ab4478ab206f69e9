"""Cells that a model makes nothing of are told, and what is not there is no stranger."""

from __future__ import annotations

import decimal

import pandas as pd

from automl.schema import CellFormat, Column, Role
from automl.strangers import describe_strangers


def test_cells_that_a_model_makes_nothing_of_are_told_by_column() -> None:
    columns = (
        Column(name="age", role=Role.NUMBER),
        Column(name="city", role=Role.CATEGORY, levels=("Graz", "Wien")),
        Column(name="day", role=Role.DATE, format=CellFormat(date_format="iso")),
        Column(name="gone", role=Role.NUMBER),
    )
    cities, days = ["Graz", "Linz", None, " Wien "], ["2024-01-01", "x", "", "y"]
    frame = pd.DataFrame({"age": ["1", "old", None, "inf"], "city": cities, "day": days})
    told = [notice.text for notice in describe_strangers(frame, columns)]
    assert told == [
        "age: 2 cell(s) cannot be read as numbers and count as missing: 'old', 'inf'",
        "city: 1 cell(s) hold a value that was not seen in training: 'Linz'",
        "day: 2 cell(s) cannot be read as dates and count as missing: 'x', 'y'",
    ]
    assert describe_strangers(frame.iloc[[0]], columns) == []


def test_one_and_zero_are_no_strangers_where_the_model_knows_true_and_false() -> None:
    columns = (Column(name="member", role=Role.CATEGORY, levels=("True", "False")),)
    for cells in ([1, 0], ["1", "0.0"], [1.0, 0.0], ["true", "FALSE"]):
        assert describe_strangers(pd.DataFrame({"member": cells * 40}), columns) == []
    (told,) = describe_strangers(pd.DataFrame({"member": [1, 2, None]}), columns)
    assert told.text == "member: 1 cell(s) hold a value that was not seen in training: '2'"


def test_a_signalling_nan_among_decimals_is_a_missing_cell() -> None:
    """Comparing it is an error, which is how pandas looks for missing values in a column of text and decimals."""
    columns = (Column(name="age", role=Role.NUMBER),)
    frame = pd.DataFrame({"age": pd.Series(["a", decimal.Decimal("sNaN"), None, decimal.Decimal(1)], dtype=object)})
    told = [notice.text for notice in describe_strangers(frame, columns)]
    assert told == ["age: 1 cell(s) cannot be read as numbers and count as missing: 'a'"]
