"""A table that does not fit is learned from as a sample, and that is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.data import sample
from automl.data.load import load_dataset
from automl.data.readers import csv as csv_reader
from automl.data.sample import draw_sample, read_portion
from automl.data.table import RawTable
from automl.recipe import Recipe
from automl.schema import Column, Role, Schema

ROWS = 40_000


def make_tables(rows: int = ROWS, piece: int = 1000) -> list[RawTable]:
    frame = pd.DataFrame({"row": np.arange(rows), "value": np.arange(rows) % 7})  # 16 bytes a row
    return [RawTable(frame=frame.iloc[start : start + piece]) for start in range(0, rows, piece)]


def test_as_many_rows_are_kept_as_fit_in_their_order() -> None:
    drawn = draw_sample(make_tables(), 16 * 5000, seed=1)
    rows = drawn.frame["row"].to_numpy()
    assert len(rows) == 5000
    assert (np.diff(rows) > 0).all()
    assert drawn.frame.index.tolist() == list(range(5000))
    assert drawn.notices[-1].text == "searched on 5,000 of 40,000 rows, drawn at random"


def test_where_the_rows_come_from_is_known() -> None:
    drawn = draw_sample(make_tables(piece=700), 16 * 5000, seed=1)
    assert drawn.drawn is not None
    assert drawn.drawn.rows.tolist() == drawn.frame["row"].tolist()
    assert drawn.drawn.total == ROWS


def test_little_time_is_for_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "FEWEST_ROWS", 1000)
    drawn = draw_sample(make_tables(), 16 * ROWS, seed=1, allowed_cells=2 * 3000)
    assert len(drawn.frame) == 3000
    assert "time" in drawn.notices[-1].reason


def test_early_and_late_rows_have_the_same_chance() -> None:
    """Of 5,000 rows drawn from ten tenths, each tenth has 500; a standard deviation is 20."""
    rows = draw_sample(make_tables(), 16 * 5000, seed=2).frame["row"].to_numpy()
    counts = np.bincount(rows * 10 // ROWS, minlength=10)
    assert counts.min() > 420
    assert counts.max() < 580


def test_the_sample_follows_from_the_seed_and_not_from_the_pieces() -> None:
    one, two = (draw_sample(make_tables(piece=piece), 16 * 5000, seed=3).frame for piece in (1000, 250))
    pd.testing.assert_frame_equal(one, two)
    other = draw_sample(make_tables(), 16 * 5000, seed=4).frame
    assert not one.equals(other)


def test_what_fits_is_kept_whole_and_nothing_is_said() -> None:
    drawn = draw_sample(make_tables(), 16 * ROWS, seed=1)
    assert drawn.frame["row"].tolist() == list(range(ROWS))
    assert drawn.notices == ()


def test_a_file_beyond_memory_is_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "TABLE_SHARE", 0.0005)  # of 512 MB: some 270 kB
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.choice(["x", "y"], ROWS), "y": rng.integers(0, 2, ROWS)})
    path = tmp_path / "data.parquet"
    frame.to_parquet(path, index=False)
    dataset = load_dataset(path, target="y", recipe=Recipe().override({"budget": {"memory_mb": 512}}))
    assert 1000 <= dataset.n_rows < ROWS
    said = [notice.text for notice in dataset.notices if notice.topic == "rows"]
    assert said == [f"searched on {dataset.n_rows:,} of 40,000 rows, drawn at random"]


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 2,000 rows that is read in pieces of some 400, of which 500 rows are kept at most."""
    monkeypatch.setattr(sample, "LEAST_BYTES", 1)
    monkeypatch.setattr(sample, "FEWEST_ROWS", 500)
    monkeypatch.setattr(csv_reader, "STREAM_BYTES", 4096)
    pd.DataFrame({"row": np.arange(2000), "value": np.arange(2000) % 7}).to_csv(tmp_path / "new.csv", index=False)
    return tmp_path / "new.csv"


def test_of_a_large_file_a_portion_is_drawn_from_all_rows(large: Path) -> None:
    portion = read_portion(large, Recipe(), Schema(()), allowed_cells=0)
    assert portion is not None
    assert (portion.read_rows, portion.is_read_out, portion.is_whole) == (2000, True, False)
    rows = portion.table.frame["row"].astype(int)
    assert len(rows) == 500 and rows.max() > 1500
    every = read_portion(large, Recipe(), Schema(()), allowed_cells=4000)
    assert every is not None and every.is_whole and len(every.table.frame) == 2000


def test_no_more_of_a_large_file_is_read_when_the_time_is_over(large: Path) -> None:
    portion = read_portion(large, Recipe(), Schema(()), allowed_cells=4000, deadline=0.0)
    assert portion is not None and not portion.is_read_out and not portion.is_whole
    assert portion.table.frame["row"].astype(int).tolist() == list(range(portion.read_rows))
    assert 0 < portion.read_rows < 1000


def test_a_small_file_and_one_with_pictures_are_no_portions(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Schema((Column(name="value", role=Role.IMAGE, reason=""),))
    assert read_portion(large, Recipe(), photo, allowed_cells=0) is None
    monkeypatch.setattr(sample, "LEAST_BYTES", 1 << 20)
    assert read_portion(large, Recipe(), Schema(()), allowed_cells=0) is None
