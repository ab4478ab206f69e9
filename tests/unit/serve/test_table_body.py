"""Of an Arrow dictionary only what the rows use is read, and a bomb is refused before it goes off."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
import pytest

from automl.schema import Column, Role, Schema
from automl.serve import table_body
from automl.serve.refusal import Refusal
from automl.serve.rows import RowReader
from automl.serve.table_body import read_arrow_rows

READER = RowReader(Schema((Column(name="city", role=Role.CATEGORY, levels=("Graz", "Wien")),)))


def body_of(table: pa.Table, *, rows: int | None = None, **options: Any) -> bytes:
    """A stream of batches of so many rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def coded(codes: list[int | None], levels: Any) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), levels)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many values each call made Python objects of."""
    counts: list[int] = []
    plain = table_body._plain

    def count(name: str, array: Any) -> list[Any]:
        counts.append(len(array))
        return plain(name, array)

    monkeypatch.setattr(table_body, "_plain", count)
    return counts


def test_a_value_that_many_rows_share_is_read_once_and_one_that_none_uses_never(read: list[int]) -> None:
    levels = pa.array([f"city {number}" for number in range(50_000)])
    table = pa.table({"city": coded([7, None, 7, 49_999, 7, 7], levels)})
    cells = read_arrow_rows(body_of(table, rows=2), READER).columns["city"]
    assert cells == ["city 7", None, "city 7", "city 49999", "city 7", "city 7"]
    assert sum(read) == 2
    assert cells[0] is cells[5]


def test_dictionaries_that_change_on_the_way_are_each_read_by_their_own() -> None:
    parts = [coded([0, 1], pa.array(["Graz", "Wien"])), coded([0, 1], pa.array(["Wien", None]))]
    table = pa.table({"city": pa.chunked_array(parts)})
    assert read_arrow_rows(body_of(table), READER).columns["city"] == ["Graz", "Wien", "Wien", None]


@pytest.mark.parametrize("levels", [pa.nulls(1_000_000_000), pa.array(["x"] * 1_000_001)], ids=["of nothing", "long"])
def test_a_dictionary_without_end_is_refused(levels: Any) -> None:
    with pytest.raises(Refusal, match="has a dictionary of more than 1,000,000 values") as refusal:
        read_arrow_rows(body_of(pa.table({"city": coded([0], levels)})), READER)
    assert refusal.value.status == 422


def test_a_dictionary_in_parts_is_refused_and_one_that_is_replaced_is_not() -> None:
    parts = [coded([1], pa.array(["Graz", "Wien"])), coded([2], pa.array(["Graz", "Wien", "Linz"]))]
    table = pa.table({"city": pa.chunked_array(parts)})
    assert read_arrow_rows(body_of(table), READER).columns["city"] == ["Wien", "Linz"]
    with pytest.raises(Refusal, match="has a dictionary in parts") as refusal:
        read_arrow_rows(body_of(table, emit_dictionary_deltas=True), READER)
    assert refusal.value.status == 415


def test_a_dictionary_is_not_checked_once_for_each_of_thousands_of_rows() -> None:
    levels = pa.array([f"{number:08}" for number in range(900_000)])
    body = body_of(pa.table({"city": coded([1] * 5_000, levels)}), rows=1)
    began = time.monotonic()
    with pytest.raises(Refusal, match="Too many batches share a large dictionary"):
        read_arrow_rows(body, READER)
    assert time.monotonic() - began < 5  # 20 s if each were checked
    few = body_of(pa.table({"city": coded([1] * 5_000, levels)}), rows=500)
    assert read_arrow_rows(few, READER).columns["city"] == ["00000001"] * 5_000


def test_a_type_that_no_cell_has_is_refused_in_a_dictionary_too() -> None:
    with pytest.raises(Refusal, match="is of a type that no cell has"):
        read_arrow_rows(body_of(pa.table({"city": coded([None], pa.array([[1]]))})), READER)
