"""Arrow tables as raw tables: types kept, what no model can read refused by name."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from automl.data.table import RawTable, Source
from automl.errors import DataError


def to_raw_table(table: Any, source: Source) -> RawTable:
    """Columns with their types; texts as pandas `str`, dictionaries as categories, decimals as float64.

    Nested and binary columns become Python objects, which `automl.data.load` refuses by name if they are to be used.

    Raises:
        DataError: if two columns have one name, or the cells are not sound.
    """
    names = [str(name) for name in table.column_names]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        listed = ", ".join(repr(name) for name in twice[:5])
        raise DataError(f"{source.name} has columns of the same name: {listed}", hint="Rename them")
    try:
        table.validate(full=True)  # offsets beyond the data end the process when they are followed
        pairs = zip(names, table.columns, strict=True)
        columns = {name: _convert(column) for name, column in pairs if not _is_index(name)}
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise DataError(
            f"{source.name} is damaged: {first_line(error)}",
            hint="Copy or write it again; it may be cut off or changed",
        ) from error
    return RawTable(frame=pd.DataFrame(columns, copy=False), notices=source.notices[:0])


def first_line(error: Exception) -> str:
    """What a library says, as far as it fits into a sentence."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _is_index(name: str) -> bool:
    return name.startswith("__index_level_") and name.endswith("__")  # pandas' own row labels


def _convert(column: Any) -> Any:
    kind = column.type
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_null(kind):
        column = column.cast(pa.large_string())
    elif pa.types.is_date(kind):
        column = column.cast(pa.timestamp("us"))
    elif pa.types.is_integer(kind) and column.null_count:
        # Integers with gaps would become floats and lose digits beyond 2^53.
        return column.to_pandas(types_mapper=_NULLABLE.get)
    elif pa.types.is_boolean(kind) and column.null_count:
        return column.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    return column.to_pandas()


_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}
