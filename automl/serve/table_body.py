"""CSV and Arrow IPC bodies, read as `automl predict` reads such files."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

from automl.errors import DataError
from automl.serve.refusal import Refusal
from automl.serve.rows import RowReader, Rows

NO_ARROW = "Write it with pyarrow.ipc.new_stream, without compression"
MAX_COLUMNS = 20_000
MAX_LEVELS = 1_000_000  # of a dictionary, of which the rows may use any part
MAX_CHECKED = 1 << 30  # bytes of all batches, each with the whole of its dictionaries: so they are checked


def read_csv_rows(body: bytes, reader: RowReader) -> Rows:
    """Rows of a CSV text with a header; its dialect is found as for files."""
    from automl.data.readers.csv import plugin
    from automl.data.source import refuse_foreign
    from automl.data.table import Source
    from automl.recipe import DataOptions

    if not body.strip():
        raise Refusal(422, "The body is empty", hint="Send CSV with a header line", kind="csv")
    if body.count(b"\n") > 2 * reader.max_rows + 1_000:
        raise Refusal(
            422, f"The body holds more than {reader.max_rows:,} rows", hint="Send fewer at a time", kind="rows"
        )
    if b"\0" in body[:4096] and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refusal(400, "The body is no text", hint="Send CSV in UTF-8", kind="csv")
    source = Source(path=Path("body.csv"), name="The body", data=body)
    try:
        refuse_foreign(source)
        frame = plugin.read(source, DataOptions()).frame
    except (DataError, ValueError, OverflowError, RecursionError) as error:  # the message may quote a cell: not told
        raise Refusal(422, "The body is no sound CSV table", hint="Send CSV with a header line", kind="csv") from error
    if frame.shape[1] > MAX_COLUMNS:
        raise Refusal(
            422, f"The body has more than {MAX_COLUMNS:,} columns", hint="Send the model's columns", kind="csv"
        )
    wanted = [name for name in frame.columns if name in reader.names]
    columns = {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in wanted}
    return reader.from_columns({**{str(name): [] for name in frame.columns}, **columns}, len(frame))


def read_arrow_rows(body: bytes, reader: RowReader) -> Rows:
    """Rows of an Arrow IPC stream or file of flat columns.

    Compressed buffers are refused: a few bytes of them unpack to any size. So are dictionaries in parts: each part, be
    it one byte, makes another copy of the whole.
    """
    import pyarrow as pa

    try:
        buffer = pa.py_buffer(body)
        if body.startswith(b"ARROW1"):
            file = pa.ipc.open_file(buffer)
            parts = [file.get_batch(number) for number in range(_check_blocks(file, body))]
            schema = file.schema
        else:
            _refuse_packed(body)
            stream = pa.ipc.open_stream(buffer)
            schema, parts = stream.schema, list(_bounded(stream, reader.max_rows))
        left = max(MAX_CHECKED, 2 * len(body))
        for part in parts:
            left -= part.get_total_buffer_size()
            if left < 0:
                raise Refusal(422, "Too many batches share a large dictionary", hint="Send one batch", kind="arrow")
            part.validate(full=True)
        return _read_table(pa.Table.from_batches(parts, schema=schema), reader)
    except (pa.ArrowException, ValueError, OSError, OverflowError, KeyError, MemoryError) as error:
        if isinstance(error, Refusal):
            raise
        raise Refusal(400, "The body is no sound Arrow stream", hint=NO_ARROW, kind="arrow") from error


def _bounded(stream: Any, most: int) -> Any:
    total = 0
    for part in stream:
        total += part.num_rows
        if total > most:
            raise Refusal(422, f"The body holds more than {most:,} rows", hint="Send fewer at a time", kind="rows")
        yield part


def _check_blocks(file: Any, body: bytes) -> int:
    """How many record batches an Arrow file has, none of them packed. A file is a stream between two marks."""
    _refuse_packed(body[8:])
    count = int(file.num_record_batches)
    if count > 10_000:
        raise Refusal(422, "The body has too many record batches", hint=NO_ARROW, kind="arrow")
    return count


def _refuse_packed(stream: bytes) -> None:
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(stream)):
        kind = message.type
        if kind in ("record batch", "dictionary") and _is_packed(message.metadata.to_pybytes(), kind):
            raise Refusal(415, "The Arrow stream is compressed", hint=NO_ARROW, kind="arrow")
        if kind == "dictionary" and _is_delta(message.metadata.to_pybytes()):
            hint = "Write it with pyarrow.ipc.new_stream, without dictionary deltas"
            raise Refusal(415, "The Arrow stream has a dictionary in parts", hint=hint, kind="arrow")


def _is_packed(metadata: bytes, kind: str) -> bool:
    """Whether a message's record batch names a compression: field 3 of RecordBatch in Arrow's Message.fbs.

    pyarrow does not tell, so the FlatBuffers table is read here: a table begins with the distance back to its vtable,
    which lists the place of each field.
    """
    table = _table(metadata, _word(metadata, 0), 2)  # Message: version, header_type, header
    if table is not None and kind == "dictionary":  # DictionaryBatch: id, data, isDelta
        table = _table(metadata, table, 1)
    return table is None or _field(metadata, table, 3) is not None


def _is_delta(metadata: bytes) -> bool:
    """Whether a dictionary's message adds to the one before: field 2 of DictionaryBatch."""
    table = _table(metadata, _word(metadata, 0), 2)
    place = None if table is None else _field(metadata, table, 2)
    return place is not None and metadata[place : place + 1] != b"\0"


def _table(data: bytes, table: int, number: int) -> int | None:
    """Where the table stands that a field points to."""
    place = _field(data, table, number)
    return None if place is None else place + _word(data, place)


def _field(data: bytes, table: int, number: int) -> int | None:
    vtable = table - int.from_bytes(data[table : table + 4], "little", signed=True)
    if vtable < 0 or table + 4 > len(data):
        raise ValueError("not a FlatBuffers table")
    size = int.from_bytes(data[vtable : vtable + 2], "little")
    if 4 + 2 * number >= size:
        return None
    offset = int.from_bytes(data[vtable + 4 + 2 * number : vtable + 6 + 2 * number], "little")
    return table + offset if offset else None


def _word(data: bytes, at: int) -> int:
    if not 0 <= at <= len(data) - 4:
        raise ValueError("not a FlatBuffers buffer")
    return int.from_bytes(data[at : at + 4], "little")


def _read_table(table: Any, reader: RowReader) -> Rows:
    names = [str(name) for name in table.column_names]
    if len(set(names)) < len(names):
        raise Refusal(422, "Two columns have the same name", hint="Name each column once", kind="columns")
    if len(names) > MAX_COLUMNS:
        raise Refusal(
            422, f"The body has more than {MAX_COLUMNS:,} columns", hint="Send the model's columns", kind="arrow"
        )
    if table.num_rows > reader.max_rows:
        raise Refusal(
            422, f"The body holds more than {reader.max_rows:,} rows", hint="Send fewer at a time", kind="rows"
        )
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for name in names:
        if name in reader.names:
            columns[name] = _read_cells(name, table.column(name))
    return reader.from_columns(columns, table.num_rows)


def _read_cells(name: str, column: Any) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _read_levels(name, column)
    return [cell for chunk in column.chunks for cell in _plain(name, chunk)]


def _read_levels(name: str, column: Any) -> list[Any]:
    """The cells of a column that names its texts by code: each text that the rows use once, whoever shares it."""
    import pyarrow as pa

    cells: list[Any] = []
    known: dict[Any, dict[int | None, Any]] = {}  # dictionary → code → cell
    for chunk in column.chunks:
        dictionary, codes = chunk.dictionary, chunk.indices.to_pylist()
        if len(dictionary) > MAX_LEVELS:
            text = f"The column {name!r} has a dictionary of more than {MAX_LEVELS:,} values"
            raise Refusal(422, text, hint="Send the values that the rows use", kind="arrow")
        levels = known.setdefault(_place_of(dictionary), {None: None})
        fresh = [code for code in dict.fromkeys(codes) if code not in levels]
        levels.update(zip(fresh, _plain(name, dictionary.take(pa.array(fresh, pa.int64()))), strict=True))
        cells += [levels[code] for code in codes]
    return cells


def _place_of(array: Any) -> tuple[Any, ...]:
    """Where an array lies in memory: the chunks of a stream share one, each by an object of its own."""
    return (array.offset, len(array), *(buffer.address if buffer is not None else 0 for buffer in array.buffers()))


def _plain(name: str, array: Any) -> list[Any]:
    import pyarrow as pa

    kind, types = array.type, pa.types
    flat = (
        types.is_integer,
        types.is_floating,
        types.is_boolean,
        types.is_string,
        types.is_large_string,
        types.is_null,
    )
    if any(check(kind) for check in flat):
        return [None if cell != cell else cell for cell in array.to_pylist()]
    if types.is_decimal(kind) or types.is_date(kind) or types.is_timestamp(kind):
        return [_simplify(cell) for cell in _to_microseconds(array).to_pylist()]
    raise Refusal(
        422, f"The column {name!r} is of a type that no cell has", hint="Send numbers, texts, dates", kind="columns"
    )


def _to_microseconds(array: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        return array.cast(pa.timestamp("us", array.type.tz), safe=False)
    return array


def _simplify(cell: Any) -> Any:
    if isinstance(cell, decimal.Decimal):
        return float(cell)
    if isinstance(cell, datetime.datetime | datetime.date):
        return cell.isoformat()
    return cell
