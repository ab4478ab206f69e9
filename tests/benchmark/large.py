"""Writes a large synthetic table: 18 numbers, 10 categories, a date and a target, with missing cells.

`python -m tests.benchmark.large ROWS FILE.parquet` keeps memory flat: a million rows at a time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

BLOCK_ROWS = 1_000_000
NUMBERS, CATEGORIES = 18, 10
LEVELS = (2, 3, 5, 8, 12, 20, 50, 100, 300, 1000)


def make_block(rows: int, seed: int) -> pa.Table:
    """Rows whose target follows from sums, products and levels, with noise; every fifth column has missing cells."""
    rng = np.random.default_rng(seed)
    fixed = np.random.default_rng(7)
    signal = np.zeros(rows)
    columns: dict[str, Any] = {}
    numbers = rng.normal(size=(NUMBERS, rows)).astype(np.float32)
    for place in range(NUMBERS):
        signal += fixed.normal() * np.sin(fixed.uniform(0.5, 3) * numbers[place]) * (place % 3 == 0)
        gaps = rng.random(rows) < 0.08 if place % 5 == 0 else None
        columns[f"number_{place}"] = pa.array(numbers[place].astype(np.float64), mask=gaps)
    signal += numbers[1] * numbers[2] + 0.5 * (numbers[3] > 0) * numbers[4]
    for place, levels in enumerate(LEVELS):
        names = pa.array([f"level {place}-{number}" for number in range(levels)])
        codes = rng.integers(0, levels, rows)
        signal += fixed.normal(scale=0.7, size=levels)[codes]
        gaps = rng.random(rows) < 0.05 if place % 5 == 0 else None
        columns[f"category_{place}"] = pa.DictionaryArray.from_arrays(pa.array(codes, mask=gaps), names).cast(
            pa.string()
        )
    days = rng.integers(17_000, 20_000, rows)
    columns["day"] = pa.array(days.astype("datetime64[D]").astype("datetime64[us]"))
    signal += 0.3 * ((days % 7) < 2)
    columns["target"] = pa.array(np.where(signal + rng.logistic(size=rows) > 0, "yes", "no"))
    return pa.table(columns)


def write(rows: int, path: Path) -> None:
    """Parquet, or CSV if the name says so."""
    schema = make_block(1, 0).schema
    with arrow_csv.CSVWriter(path, schema) if path.suffix == ".csv" else pq.ParquetWriter(path, schema) as writer:
        for number, start in enumerate(range(0, rows, BLOCK_ROWS)):
            writer.write_table(make_block(min(BLOCK_ROWS, rows - start), number + 1), BLOCK_ROWS // 4)


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
