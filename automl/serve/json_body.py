"""JSON as strict as it can be read: no NaN, no key twice, no half characters, no depth without end."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from automl.serve.refusal import Refusal
from automl.serve.rows import RowReader, Rows

FORM = 'Send {"rows": [{column: cell, …}, …]}'


class _FaultError(ValueError):
    """Why a text is not JSON as we take it."""


def _refuse_constant(_: str) -> NoReturn:
    raise _FaultError("it holds NaN or Infinity, which JSON does not have; send null for no value")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise _FaultError("an object holds a key twice")
    return record


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _FaultError("it holds a number beyond 1.8e308; send null for no value")
    return number


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_refuse_constant, parse_float=_finite)


def parse_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises:
        Refusal: 400, saying what is wrong without repeating any of it.
    """
    try:
        text = body.decode("utf-8")
        if text.startswith("\ufeff"):
            raise _FaultError("it begins with a byte order mark")
        value = _decoder.decode(text)
        if "\\u" in text:
            _refuse_halves(value)
    except UnicodeDecodeError as error:
        raise Refusal(400, "The body is not UTF-8", hint="Send JSON in UTF-8", kind="json") from error
    except _FaultError as fault:
        raise Refusal(400, f"The body cannot be read as JSON: {fault}", hint=FORM, kind="json") from fault
    except json.JSONDecodeError as error:
        raise Refusal(
            400, f"The body is not JSON: {error.msg}, at character {error.pos}", hint=FORM, kind="json"
        ) from error
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits; objects in objects without end
        raise Refusal(400, "The body holds a number too long or nests too deep", hint=FORM, kind="json") from error
    return value


def _refuse_halves(value: Any) -> None:
    r"""A "\ud800" alone is half a character, which no other program could read back."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _FaultError("a text holds half a surrogate pair") from error


def read_json_rows(body: bytes, reader: RowReader) -> Rows:
    """Rows of `{"rows": [{…}]}`; a bare list of objects and one bare object are taken as well.

    `{"columns": {name: [cell, …]}}` says the same by column.
    """
    value = parse_json(body)
    if isinstance(value, list):
        return reader.from_records(value)
    if not isinstance(value, dict):
        raise Refusal(422, "The body is no object", hint=FORM, kind="rows")
    rows = value.get("rows")
    if isinstance(rows, list):
        return reader.from_records(rows)
    columns = value.get("columns")
    if isinstance(columns, dict) and "columns" not in reader.names:
        return _read_columns(columns, reader)
    if "rows" in value and "rows" not in reader.names:
        raise Refusal(422, "rows is no list", hint=FORM, kind="rows")
    return reader.from_records([value])


def _read_columns(columns: dict[str, Any], reader: RowReader) -> Rows:
    if not all(isinstance(cells, list) for cells in columns.values()):
        raise Refusal(
            422, "Each of columns is a list of cells", hint='Send {"columns": {name: [cell, …]}}', kind="rows"
        )
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) > 1:
        raise Refusal(422, "The columns are of different lengths", hint="Send null for no value", kind="rows")
    return reader.from_columns(columns, lengths.pop() if lengths else 0)
