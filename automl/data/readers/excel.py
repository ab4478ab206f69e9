"""Excel and OpenDocument workbooks: values only, no macros, links or formulas."""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any

from automl.data.table import RawTable, Source
from automl.errors import DataError, did_you_mean
from automl.recipe import DataOptions
from automl.schema import Notice

REQUIRES = ("python_calamine",)
MAX_UNPACKED = 2 << 30
MAX_RATIO = 200
SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_OLD = b"\xd0\xcf\x11\xe0"


class ExcelReader:
    """Workbooks whose name says so."""

    def claims(self, path: Path, head: bytes) -> bool:
        return path.suffix.lower() in SUFFIXES or head.startswith((b"PK\x03\x04", _OLD))

    def read(self, source: Source, options: DataOptions) -> RawTable:
        import python_calamine

        _refuse_bomb(source)
        try:
            book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(source.data))
            name, rows, notices = _choose_sheet(book, options.sheet, source.name)
        except python_calamine.PasswordError as error:
            raise DataError(f"{source.name} is protected by a password", hint="Save it without one") from error
        except (python_calamine.CalamineError, OSError, ValueError) as error:
            raise DataError(
                f"{source.name} is not a sound workbook: {str(error).splitlines()[0][:120]}",
                hint="Open it in a spreadsheet program and save it again, or export CSV",
            ) from error
        return RawTable(frame=_frame(rows, f"{source.name}, sheet {name!r}", notices), notices=tuple(notices))


plugin = ExcelReader()


def list_sheets(source: Source) -> list[str]:
    """Names of the sheets of a workbook; none of what is no sound one.

    Raises:
        DataError: if it unpacks to too much.
    """
    import python_calamine

    _refuse_bomb(source)
    try:
        return list(python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(source.data)).sheet_names)
    except (python_calamine.CalamineError, OSError, ValueError):
        return []


def _refuse_bomb(source: Source) -> None:
    import zipfile

    if not source.data.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError) as error:
        raise DataError(f"{source.name} is a damaged workbook ({error})", hint="Copy or download it again") from error
    if size > MAX_UNPACKED or size > max(64 << 20, MAX_RATIO * len(source.data)):
        raise DataError(f"{source.name} unpacks to {size / 2**20:.0f} MiB", hint="Export the table as CSV")


def _choose_sheet(book: Any, wanted: str | None, where: str) -> tuple[str, list[list[Any]], list[Notice]]:
    names = list(book.sheet_names)
    if wanted is not None:
        if wanted not in names:
            raise DataError(f"{where} has no sheet {wanted!r}", hint=did_you_mean(wanted, names))
        rows = book.get_sheet_by_name(wanted).to_python()
        if not _holds_cells(rows):
            raise DataError(f"The sheet {wanted!r} of {where} has no cells", hint="Name another sheet")
        return wanted, rows, []
    for name in names:
        rows = book.get_sheet_by_name(name).to_python()
        if _holds_cells(rows):
            notices = []
            if len(names) > 1:
                text = f"read the sheet {name!r} of {len(names)}: {', '.join(repr(other) for other in names[:8])}"
                notices.append(Notice(topic="file", text=text, reason="the first that is not empty"))
            return name, rows, notices
    raise DataError(f"{where} has no sheet with cells", hint="Check that it was saved")


def _holds_cells(rows: list[list[Any]]) -> bool:
    return any(cell != "" for row in rows for cell in row)


def _frame(rows: list[list[Any]], where: str, notices: list[Notice]) -> Any:
    import pandas as pd

    rows = _without_empty(rows, notices)
    width = max(len(row) for row in rows)
    header = [*rows[0], *[""] * (width - len(rows[0]))]
    names: list[str] = []
    columns: dict[str, Any] = {}
    for index in range(width):
        cells = [row[index] if index < len(row) else "" for row in rows[1:]]
        name = _name(header[index])
        if not name and all(cell == "" for cell in cells):
            continue
        if not name:
            name = f"column_{index + 1}"
            notices.append(
                Notice(topic="columns", text=f"column {index + 1} is called {name}", reason="its name is empty")
            )
        names.append(name)
        columns[name] = _column(cells)
    if len(columns) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{where} has columns of the same name: {', '.join(map(repr, twice[:5]))}", hint="Rename them")
    return pd.DataFrame(columns, copy=False)


def _without_empty(rows: list[list[Any]], notices: list[Notice]) -> list[list[Any]]:
    """The rows that hold something. Those left out inside the table are told: whoever puts predictions beside the sheet
    has to know of them."""
    filled = [place for place, row in enumerate(rows) if any(cell != "" for cell in row)]
    empty = sorted(set(range(filled[0], filled[-1])) - set(filled))
    if empty:
        listed = ", ".join(str(place + 1 - filled[0]) for place in empty[:5]) + (" …" if len(empty) > 5 else "")
        text = f"left out {len(empty):,} empty row(s) of the sheet: {listed}"
        notices.append(Notice(topic="rows", text=text, reason="they hold no cell; the header is row 1"))
    return [rows[place] for place in filled]


def _name(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _column(cells: list[Any]) -> Any:
    """Numbers, dates and truth values keep their type if the whole column has it; a mixture becomes text."""
    import numpy as np
    import pandas as pd

    kinds = {type(cell) for cell in cells if cell != ""}
    if kinds and kinds <= {int, float}:
        return np.array([np.nan if cell == "" else cell for cell in cells], dtype=np.float64)
    if kinds and kinds <= {datetime.datetime, datetime.date}:
        moments = [None if cell == "" else cell for cell in cells]
        return pd.to_datetime(pd.Series(moments, dtype=object), errors="coerce").astype("datetime64[us]")
    if kinds == {bool} and "" not in cells:
        return np.array(cells, dtype=bool)
    texts = [None if cell == "" else _text(cell) for cell in cells]
    return pd.array(texts, dtype=pd.StringDtype(na_value=np.nan))


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
