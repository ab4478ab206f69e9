"""Tables that come and leave piece by piece, so that memory stays flat however many rows there are."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pandas as pd

    from automl.data.collections import Part
    from automl.data.table import RawTable
    from automl.predictor import Predictor
    from automl.schema import Schema

T = TypeVar("T")
Write = Callable[["pd.DataFrame"], None]


def read_tables(
    data: Path, encoding: str | None, schema: Schema, part: Part = "all", *, sheet: str | None = None
) -> tuple[Iterator[RawTable], bool]:
    """The table as rows of a model's schema, in pieces if it is large, and whether it is.

    Args:
        sheet: of a workbook, as `automl.data.sheets` finds it; the first that is not empty without it.

    Raises:
        DataError: if it cannot be read; of a piece when it is reached.
    """
    from automl.data.load import read_table
    from automl.data.stream import stream_table
    from automl.recipe import DataOptions

    options = DataOptions.model_validate({"encoding": encoding, "sheet": sheet, "roles": schema.roles})
    pieces = stream_table(data, options=options)
    return (iter([read_table(data, options=options, part=part)]), False) if pieces is None else (pieces, True)


def in_order(answer: Callable[[RawTable], T], tables: Iterable[RawTable], *, predictor: Predictor) -> Iterator[T]:
    """`answer` of each table, in order; where the model allows it on all cores, a few tables ahead.

    A command has the machine to itself, unlike a worker or a server, and a table keeps one core busy.
    """
    from automl.engines.machine.cores import count_cores

    cores = count_cores() if getattr(predictor.model, "is_thread_safe", False) else 1
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(cores, thread_name_prefix="automl-table") as pool:
        for table in tables:
            waiting.append(pool.submit(answer, table))
            if len(waiting) > cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def check_output(out: str) -> None:
    """Refuse a place that cannot be written, before any work is done.

    Raises:
        UsageError: for an ending that is not known, or a folder that is not there.
    """
    from automl.errors import UsageError

    path = Path(out)
    if out == "-":
        return
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"No format ends with {path.suffix!r}", hint="Choose one of: " + ", ".join(_FORMATS))


@contextlib.contextmanager
def open_writer(out: str) -> Iterator[Write]:
    """A function that appends a frame to `out` ("-" is stdout); a file has its name only when the block is done.

    Raises:
        EngineError: if the disk is full or the folder cannot be written.
    """
    from automl.files import replacing

    if out == "-":
        yield _write_text(sys.stdout, ",")
        return
    path = Path(out)
    with replacing(path, "wb") as file, _FORMATS[path.suffix.lower()](file) as write:
        yield write


def _write_text(file: Any, separator: str) -> Write:
    begun = False

    def write(frame: pd.DataFrame) -> None:
        nonlocal begun
        frame.to_csv(file, index=False, sep=separator, header=not begun)
        begun = True

    return write


@contextlib.contextmanager
def _open_csv(file: IO[bytes]) -> Iterator[Write]:
    yield _write_text(file, ",")


@contextlib.contextmanager
def _open_tsv(file: IO[bytes]) -> Iterator[Write]:
    yield _write_text(file, "\t")


@contextlib.contextmanager
def _open_jsonl(file: IO[bytes]) -> Iterator[Write]:
    """Not by pandas, which keeps ten decimals at most: a probability of 3.2e-12 would become 0."""

    def write(frame: pd.DataFrame) -> None:
        names = [json.dumps(str(name), ensure_ascii=False).replace("%", "%%") for name in frame.columns]
        line = "{" + ",".join(f"{name}:%s" for name in names) + "}\n"
        columns = [_write_cells(frame.iloc[:, place]) for place in range(len(names))]
        file.writelines((line % cells).encode() for cells in zip(*columns, strict=True))

    yield write


def _write_cells(series: pd.Series[Any]) -> list[str]:
    """Each cell as JSON, null for missing and infinite ones; a column of numbers in one call, as none holds a comma."""
    import numpy as np

    from automl.cells import is_missing

    held = series.to_numpy() if series.dtype.kind in "iufb" else series.to_numpy(dtype=object)
    if held.dtype.kind == "O":
        return [_write_cell(None if is_missing(cell) else cell) for cell in held]
    values = held.tolist()
    for place in np.flatnonzero(~np.isfinite(held)):
        values[place] = None
    return json.dumps(values)[1:-1].split(", ") if values else []


@functools.lru_cache(1024, typed=True)  # labels are few
def _write_cell(cell: Any) -> str:
    if isinstance(cell, float) and not math.isfinite(cell):
        return "null"
    return json.dumps(cell, ensure_ascii=False, default=str)


@contextlib.contextmanager
def _open_parquet(file: IO[bytes]) -> Iterator[Write]:
    import pyarrow.parquet as pq

    with _open_arrow(lambda schema: pq.ParquetWriter(file, schema)) as write:
        yield write


@contextlib.contextmanager
def _open_feather(file: IO[bytes]) -> Iterator[Write]:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with _open_arrow(lambda schema: pa.ipc.new_file(file, schema, options=options)) as write:
        yield write


@contextlib.contextmanager
def _open_arrow(open_with: Callable[[Any], Any]) -> Iterator[Write]:
    """A writer whose columns are those of the first frame."""
    import pyarrow as pa

    writer: Any = None
    schema: Any = None

    def write(frame: pd.DataFrame) -> None:
        nonlocal writer, schema
        table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if writer is None:
            schema = table.schema
            writer = open_with(schema)
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


_FORMATS: dict[str, Callable[[IO[bytes]], contextlib.AbstractContextManager[Write]]] = {
    ".csv": _open_csv,
    ".tsv": _open_tsv,
    ".jsonl": _open_jsonl,
    ".parquet": _open_parquet,
    ".feather": _open_feather,
}
