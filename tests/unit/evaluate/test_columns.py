"""The user's columns inside an encoded table: mixed, emptied, read back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.evaluate.columns import (
    UNSEEN_NAME,
    column_places,
    describe_row,
    empty_columns,
    mix_rows,
    read_column,
    source_columns,
)
from automl.preprocess.table import MISSING, Table, TableEncoder
from automl.schema import Column, Role, Schema

SCHEMA = Schema(
    (
        Column(name="size", role=Role.NUMBER, offset=1000.0),
        Column(name="note", role=Role.TEXT),
        Column(name="city", role=Role.CATEGORY, levels=("Graz", "Wien")),
        Column(name="day", role=Role.DATE),
    )
)


@pytest.fixture
def table() -> Table:
    frame = pd.DataFrame(
        {
            "size": [1000.1, 1250.0, np.nan],
            "note": ["Two words", "x", None],
            "city": np.array(["Wien", None, "Linz"], dtype=object),
            "day": np.array(["2024-01-31", "NaT", "2024-02-01T06:30"], dtype="datetime64[us]"),
        }
    )
    return TableEncoder(SCHEMA).encode(frame)


def test_cells_are_read_back_as_they_were_written(table: Table) -> None:
    assert read_column(table, SCHEMA["size"]) == [1000.1, 1250.0, None]
    assert read_column(table, SCHEMA["city"]) == ["Wien", None, UNSEEN_NAME]
    assert read_column(table, SCHEMA["day"]) == ["2024-01-31T00:00:00", None, "2024-02-01T06:30:00"]
    row = describe_row(table.take(np.array([0])), SCHEMA, source_columns(table.layout))
    assert row == {"size": 1000.1, "note": "Two words", "city": "Wien", "day": "2024-01-31T00:00:00"}


def test_everything_made_from_a_column_moves_with_it(table: Table) -> None:
    columns = source_columns(table.layout)
    assert columns == ("size", "note", "city", "day")
    front, back = table.take(np.array([0, 0])), table.take(np.array([1, 1]))
    taken = np.array([[True, False, True, False], [False, True, False, True]])
    mixed = mix_rows(front, back, taken, column_places(table.layout, columns))
    assert read_column(mixed, SCHEMA["size"]) == [1000.1, 1250.0]
    assert read_column(mixed, SCHEMA["city"]) == ["Wien", None]
    assert read_column(mixed, SCHEMA["day"]) == [None, "2024-01-31T00:00:00"]
    assert mixed.numbers[:, 1:].tolist() == [[1, 1, 0, 0], [9, 2, 0, 1]]  # characters, words, digits, capitals


def test_an_emptied_column_is_missing_in_every_row(table: Table) -> None:
    empty = empty_columns(table, ("note", "city", "day"))
    assert read_column(empty, SCHEMA["size"]) == [1000.1, 1250.0, None]
    assert np.isnan(empty.numbers[:, 1:]).all()
    assert (empty.categories == MISSING).all()
    assert np.isnan(empty.dates).all()
    assert not np.isnan(table.dates[0, 0])  # the table itself is as it was
