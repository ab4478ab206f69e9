"""ARFF, as Weka and OpenML write it: typed columns, '?' is missing."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from automl.cells import read_number
from automl.data.encoding import decode
from automl.data.table import RawTable, Source
from automl.errors import DataError
from automl.recipe import DataOptions

REQUIRES = ("arff",)


class ArffReader:
    """Files called .arff, or whose first line that is no comment begins with @relation."""

    def claims(self, path: Path, head: bytes) -> bool:
        return path.suffix.lower() == ".arff" or bool(
            re.match(rb"(?:\s*(?:%[^\n]*)?\n)*\s*@relation\b", head, re.IGNORECASE)
        )

    def read(self, source: Source, options: DataOptions) -> RawTable:
        import arff

        data, notices = decode(source.data, options.encoding, source.name)
        try:
            document = arff.loads(data.decode("utf-8"))
        except (arff.ArffException, ValueError, IndexError, TypeError) as error:
            raise DataError(f"{source.name} is not valid ARFF: {_describe(error)}", hint="Mend that line") from error
        return RawTable(frame=_frame(document), notices=tuple(notices))


plugin = ArffReader()


def _describe(error: Exception) -> str:
    """The first line of what an error says. The library's own put a line number into a text that may hold cells of the
    file, and fail where those have a % of their own."""
    line, text = getattr(error, "line", None), getattr(error, "message", None)
    said = str(error) if line is None or not isinstance(text, str) else text.replace("%d", str(line), 1)
    return (said.splitlines() or [type(error).__name__])[0][:120] or type(error).__name__


def _frame(document: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    columns: dict[str, Any] = {}
    for index, (name, kind) in enumerate(document["attributes"]):
        cells = [row[index] for row in document["data"]]
        if isinstance(kind, str) and kind.upper() in ("NUMERIC", "REAL", "INTEGER"):
            columns[name.strip()] = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
        elif not isinstance(kind, str) and _has_numbers(kind):
            columns[name.strip()] = _categories(cells, kind)
        else:
            columns[name.strip()] = pd.array(
                [None if cell is None else str(cell) for cell in cells], dtype=pd.StringDtype(na_value=np.nan)
            )
    return pd.DataFrame(columns, copy=False)


def _has_numbers(names: list[str]) -> bool:
    """Whether names that are declared of a category would be read as numbers."""
    return any(name.lower() not in ("true", "false") and not math.isnan(read_number(name.strip())) for name in names)


def _categories(cells: list[Any], names: list[Any]) -> Any:
    """Whole numbers stay such, so that a class is called 3 in predictions, too."""
    import pandas as pd

    if all(re.fullmatch(r"0|-?[1-9]\d{0,14}", name) for name in names):
        cells, names = [None if cell is None else int(cell) for cell in cells], [int(name) for name in names]
    return pd.Categorical(cells, categories=list(dict.fromkeys(names)))
