"""Apache Parquet: typed columns."""

from __future__ import annotations

from pathlib import Path

from automl.data.readers import _arrow
from automl.data.table import RawTable, Source
from automl.errors import DataError
from automl.recipe import DataOptions


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
            raise DataError(
                f"{source.name} is not a sound Parquet file: {_arrow.first_line(error)}",
                hint="Copy or write it again; it may be cut off",
            ) from error
        return _arrow.to_raw_table(table, source)


plugin = ParquetReader()
