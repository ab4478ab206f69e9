"""Formats of tables: one file a format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.data.table import Reader, Source
from automl.errors import DataError
from automl.registry import Registry

HEAD_BYTES = 4096

registry: Registry[Reader] = Registry("automl.data.readers", noun="format")


def choose_reader(source: Source) -> Any:
    """The reader of a format, by a file's name and first bytes.

    Raises:
        DataError: if it is of none.
    """
    path, head = Path(source.name), source.data[:HEAD_BYTES]
    names = sorted(registry.names(), key=lambda name: name == "csv")  # the one that takes any text comes last
    for name in names:
        reader = registry.get(name)
        if reader.claims(path, head):
            return reader
    if head.lstrip().startswith((b"{", b"[")):
        raise DataError(
            f"{source.name} is JSON, although its name ends in {source.suffix or 'nothing'}",
            hint="Rename it so that it ends in .jsonl",
        )
    raise DataError(
        f"{source.name} is of no format that is known: {', '.join(names)}", hint="Export the table as CSV or Parquet"
    )
