"""Apache Parquet: typed columns."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from automl.data.readers import _arrow
from automl.data.table import RawTable, Source
from automl.errors import DataError
from automl.recipe import DataOptions

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 65_536
SEPARATOR = "automl.separator"  # among the notes that pandas keeps in a file


class ParquetReader:
    """Files that begin with PAR1."""

    def claims(self, path: Path, head: bytes) -> bool:
        return head.startswith(b"PAR1") or path.suffix.lower() in (".parquet", ".pq")

    def read(self, source: Source, options: DataOptions) -> RawTable:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.ParquetFile(pa.BufferReader(source.data)).read()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _refusal(source, error) from error
        return _to_raw_table(table, source)

    def stream(self, head: Source, options: DataOptions) -> Iterator[RawTable]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(head.path, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    yield _to_raw_table(pa.Table.from_batches([batch]), head)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _refusal(head, error) from error


def _to_raw_table(table: pa.Table, source: Source) -> RawTable:
    """With the separator of the text table whose rows were stored, if that was noted."""
    raw = _arrow.to_raw_table(table, source)
    try:
        separator = json.loads((table.schema.metadata or {}).get(b"PANDAS_ATTRS", b"{}")).get(SEPARATOR, "")
    except (ValueError, AttributeError):  # somebody else's notes
        return raw
    return dataclasses.replace(raw, separator=separator) if isinstance(separator, str) else raw


def _refusal(source: Source, error: Exception) -> DataError:
    return DataError(
        f"{source.name} is not a sound Parquet file: {_arrow.first_line(error)}",
        hint="Copy or write it again; it may be cut off",
    )


plugin = ParquetReader()
