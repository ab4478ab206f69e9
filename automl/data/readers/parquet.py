"""Apache Parquet: typed columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from automl.data.readers import _arrow
from automl.data.table import RawTable, Source
from automl.errors import DataError
from automl.recipe import DataOptions

BATCH_ROWS = 65_536


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
        return _arrow.to_raw_table(table, source)

    def stream(self, head: Source, options: DataOptions) -> Iterator[RawTable]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(head.path, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    yield _arrow.to_raw_table(pa.Table.from_batches([batch]), head)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _refusal(head, error) from error


def _refusal(source: Source, error: Exception) -> DataError:
    return DataError(
        f"{source.name} is not a sound Parquet file: {_arrow.first_line(error)}",
        hint="Copy or write it again; it may be cut off",
    )


plugin = ParquetReader()
