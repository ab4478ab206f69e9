"""JSON lines, or one JSON array of objects: columns are the union of the keys."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from automl.data.encoding import decode
from automl.data.table import RawTable, Source
from automl.errors import DataError
from automl.recipe import DataOptions
from automl.schema import Notice

_SUFFIXES = (".jsonl", ".ndjson", ".json")
MAX_COLUMNS = 100_000
MAX_DIGITS = 400  # of an integer; no number that a model can use has as many


class JsonReader:
    """Files called .jsonl, .ndjson or .json, and nameless ones that begin with an object."""

    def claims(self, path: Path, head: bytes) -> bool:
        if path.suffix.lower() in _SUFFIXES:
            return True
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        return path.suffix == "" and start.startswith((b'{"', b'[{"', b"[\n"))

    def read(self, source: Source, options: DataOptions) -> RawTable:
        data, notices = decode(source.data, options.encoding, source.name)
        text = data.decode("utf-8").strip()
        if not text:
            raise DataError(f"{source.name} holds only blank lines", hint="Check that the export was completed")
        records = _array(text, source.name) if text.startswith("[") else _lines(text, source.name)
        return RawTable(frame=_frame(records, source.name, notices), notices=tuple(notices))


plugin = JsonReader()


class _DuplicateKeyError(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = Counter(key for key, _ in pairs)
        raise _DuplicateKeyError(f"the key {keys.most_common(1)[0][0]!r} stands twice")
    return record


def _whole_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """`_pairs` without halves of characters (`\\ud800` alone), which no file can hold: each becomes U+FFFD."""
    return _pairs([(_whole(key), _whole(value)) for key, value in pairs])


def _whole(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and not value.isascii() else value


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < MAX_DIGITS else float(digits)


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer)
_careful_decoder = json.JSONDecoder(object_pairs_hook=_whole_pairs, parse_int=_integer)


def _choose_decoder(text: str) -> json.JSONDecoder:
    return _careful_decoder if re.search(r"\\u[dD][89a-fA-F]", text) else _decoder


def _lines(text: str, name: str) -> list[dict[str, Any]]:
    records = []
    decoder = _choose_decoder(text)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            if number == 1 and line.strip() == "{":
                raise DataError(
                    f"{name} is one JSON object over many lines, not a table",
                    hint="Write one object a line, or an array of objects",
                ) from error
            raise DataError(
                f"{name}: line {number} is not valid JSON ({error})", hint="Mend or delete that line"
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{name}: line {number} is {type(record).__name__}, not an object",
                hint='Write {"column": value, …} a line',
            )
        records.append(record)
    return records


def _array(text: str, name: str) -> list[dict[str, Any]]:
    try:
        records = _choose_decoder(text).decode(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{name} is not valid JSON ({str(error)[:100]})", hint="Mend it, or write one object a line"
        ) from error
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise DataError(f"{name}: item {number} is no object", hint='Write [{"column": value, …}, …]')
    return list(records)


def _frame(records: list[dict[str, Any]], name: str, notices: list[Notice]) -> Any:
    import pandas as pd

    keys: dict[str, None] = {}
    for record in records:
        keys.update(dict.fromkeys(record))
    if len(keys) > MAX_COLUMNS:
        raise DataError(f"{name} has {len(keys)} different keys", hint="Are the keys data? Put them into a column")
    gaps = sum(len(record) < len(keys) for record in records)
    if gaps:
        notices.append(
            Notice(
                topic="columns",
                text=f"{gaps} of {len(records)} rows lack a key: its cell is missing",
                reason="columns are the union of the keys of all lines",
            )
        )
    columns = {key: _column([record.get(key) for record in records]) for key in keys}
    return pd.DataFrame(columns, copy=False)


def _to_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer beyond 1.8e308
        return math.inf if number > 0 else -math.inf


def _column(cells: list[Any]) -> Any:
    """Cells of one type get it; a mixture stays Python objects."""
    import numpy as np
    import pandas as pd

    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {float, int}:
        whole = kinds == {int} and all(cell is None or abs(cell) < 2**63 for cell in cells)
        if whole:
            return pd.array(cells, dtype="Int64") if None in cells else np.array(cells, dtype=np.int64)
        if kinds == {int} and all(cell is None or 0 <= cell < 2**64 for cell in cells):  # hashes, told by their digits
            digits = [None if cell is None else str(cell) for cell in cells]
            return pd.array(digits, dtype=pd.StringDtype(na_value=np.nan))
        return np.array([np.nan if cell is None else _to_float(cell) for cell in cells], dtype=np.float64)
    if kinds == {str}:
        return pd.array(cells, dtype=pd.StringDtype(na_value=np.nan))
    if kinds == {bool} and None not in cells:
        return np.array(cells, dtype=bool)
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return pd.Series(column, dtype=object)
