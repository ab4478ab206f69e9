"""What pandas has to be told to read the table that a model learned from."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.data.dialect import SPACES, Dialect, sniff
from automl.data.encoding import decode
from automl.data.evidence import collect
from automl.data.formats import MISSING, guess_dates, guess_number_dates
from automl.data.readers import choose_reader
from automl.data.readers.csv import CsvReader
from automl.data.source import open_source
from automl.errors import AutoMLError

if TYPE_CHECKING:
    import pandas as pd

_CODECS = (
    "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "latin-1", "cp1252", "gb18030", "cp932",
    "euc_jp", "cp949", "big5", "cp1251", "cp1250",
)  # fmt: skip


def find_reading(path: Path, encoding: str | None) -> dict[str, Any] | None:
    """Arguments of `pandas.read_csv` for a text table; None for all that is none, or is not there.

    Args:
        encoding: of the file, as the recipe has it; None to find it.
    """
    if not path.is_file():
        return None
    try:
        source = open_source(path)
        if not isinstance(choose_reader(source), CsvReader):
            return None
        text, _ = decode(source.data, encoding, source.name)
    except (AutoMLError, OSError):
        return None
    codec = encoding or _find_codec(source.data, text)
    return {**_list_arguments(sniff(text, source.suffix)), **({"encoding": codec} if codec != "utf-8" else {})}


def _find_codec(data: bytes, text: bytes) -> str:
    """The first codec that makes of a file's bytes what was made of them."""
    if data.removeprefix(codecs.BOM_UTF8) == text:
        return "utf-8"
    wanted = text.decode("utf-8")
    for codec in _CODECS:
        try:
            if data.decode(codec).removeprefix("\ufeff") == wanted:
                return codec
        except UnicodeDecodeError:
            continue
    return "utf-8"


def _list_arguments(dialect: Dialect) -> dict[str, Any]:
    """Those that differ from what pandas does by itself, and the separator."""
    given: dict[str, Any] = {"sep": r"\s+" if dialect.separator == SPACES else dialect.separator}
    if dialect.skip_lines:
        given["skiprows"] = dialect.skip_lines
    if not dialect.has_header:
        given["header"] = None
    if dialect.quote != '"':
        given["quotechar"] = dialect.quote
    if dialect.escape:
        given["escapechar"] = dialect.escape
    if dialect.padded:
        given["skipinitialspace"] = True
    return given


def find_time_format(series: pd.Series[Any], *, day_first: bool | None = None) -> str:
    """How a column that orders rows writes its moments, as `automl.data.load.read_times` finds it; "" for numbers."""
    name = str(series.name)
    evidence = collect(name, series)
    if evidence.kind == "date":
        return "iso"
    if evidence.values is not None:
        guess = guess_number_dates(name, evidence.values[~np.isnan(evidence.values)])
    else:
        guess = guess_dates(*evidence.without(MISSING), day_first=day_first)
    return guess.format.date_format if guess is not None else ""
