"""Feather and Arrow IPC files and streams: typed columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.data.readers import _arrow
from automl.data.table import RawTable, Source
from automl.errors import DataError
from automl.recipe import DataOptions


class FeatherReader:
    """Files that begin with ARROW1 (Feather 2, Arrow IPC), FEA1 (Feather 1), or an Arrow stream's mark."""

    def claims(self, path: Path, head: bytes) -> bool:
        return head.startswith((b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")) or path.suffix.lower() in (
            ".feather",
            ".arrow",
        )

    def read(self, source: Source, options: DataOptions) -> RawTable:
        import pyarrow as pa

        try:
            table = _read_table(source)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(
                f"{source.name} is not a sound Arrow file: {_arrow.first_line(error)}",
                hint="Copy or write it again; it may be cut off",
            ) from error
        return _arrow.to_raw_table(table, source)


plugin = FeatherReader()


def _read_table(source: Source) -> Any:
    import pyarrow as pa
    from pyarrow import feather

    buffer = pa.BufferReader(source.data)
    if source.data.startswith(b"\xff\xff\xff\xff"):
        return pa.ipc.open_stream(buffer).read_all()
    return feather.read_table(buffer, memory_map=False)
