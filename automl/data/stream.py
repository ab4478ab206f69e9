"""A large file as a sequence of tables, each read as if it were the whole, so that memory does not grow with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from automl.data.collections import find_collection
from automl.data.pictures import find_picture_columns
from automl.data.readers import HEAD_BYTES, choose_reader
from automl.data.source import open_head
from automl.data.table import RawTable
from automl.recipe import DataOptions

# Smaller files are read at once: there is less to go wrong, and more that can be told.
LEAST_BYTES = 64 << 20
# What a reader sees of a text file before it says whether it can cut it.
SAMPLE_BYTES = 1 << 20


def stream_table(path: Path, *, options: DataOptions, least_bytes: int = LEAST_BYTES) -> Iterator[RawTable] | None:
    """The tables of a large file, in order; None if it is small, packed, no file, or of a format that is read whole.

    The first table has all notices of the file; what a later one has to tell is told with it.

    Raises:
        DataError: as `automl.data.load.read_table`, at once or, of rows that are wrong, when they are reached.
    """
    if str(path) == "-" or _count_bytes(path) < least_bytes:
        return None
    if find_collection(path) is not None or "image" in options.roles.values():
        return None
    head = open_head(path, max(SAMPLE_BYTES, HEAD_BYTES))
    if head is None:
        return None
    reader = choose_reader(head)
    stream = getattr(reader, "stream", None)
    if stream is None:
        return None
    tables: Iterator[RawTable] | None = stream(head, options)
    if tables is None:
        return None
    first = next(tables, None)
    if first is None or _has_pictures(first, options):
        return None
    return itertools.chain([first], tables)


def is_large(path: Path) -> bool:
    """Whether a file has a size that asks for reading it in pieces."""
    return _count_bytes(path) >= LEAST_BYTES


def _has_pictures(table: RawTable, options: DataOptions) -> bool:
    """Whether a column that is not dropped holds pictures: their paths are made absolute, and they are decoded, for the
    table as a whole."""
    found = {str(label) for label in find_picture_columns(table.frame, dict(options.roles))}
    return not found <= set(options.drop)


def _count_bytes(path: Path) -> int:
    """The size of a file; 0 for what is none, be it that its name is too long to ask: reading it says what it is."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
