"""A sample of the soak; `python -m tests.soak --out DIR` goes on for hours."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.outcomes import Outcomes
from tests.soak.__main__ import COLUMNS, run_table
from tests.soak.tables import MAX_CELLS, draw_table


def test_the_same_number_is_the_same_table() -> None:
    first, again = draw_table(8), draw_table(8)
    pd.testing.assert_frame_equal(first.frame, again.frame)
    assert (first.target, first.seconds, first.flags) == (again.target, again.seconds, again.flags)


def test_tables_are_of_every_shape() -> None:
    tables = [draw_table(number) for number in range(40)]
    rows = [len(table.frame) for table in tables]
    columns = [table.frame.shape[1] - 1 for table in tables]
    assert min(rows) < 20
    assert max(rows) > 1000
    assert max(columns) > 300
    assert {table.file for table in tables} == {"csv", "txt", "parquet", "jsonl"}
    assert {table.task for table in tables} == {"binary", "multiclass", "regression"}
    assert all(table.frame.size <= 2 * MAX_CELLS for table in tables)
    assert all(3 <= table.seconds <= 10 for table in tables)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(1000, 1020))
def test_a_short_run_keeps_its_promises(tmp_path: Path, number: int) -> None:
    record = run_table(number, Outcomes(tmp_path, "soak", COLUMNS))
    assert record["verdict"] == "as promised", record
