"""What the cells of one raw column are, before a role is chosen: numbers, or distinct texts with their counts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from automl import cells
from automl.errors import DataError
from automl.matrix import Array

Kind = Literal["text", "int", "float", "bool", "date", "category"]
_NESTED = (list, dict, set, tuple, np.ndarray, complex, bytes, bytearray)


@dataclasses.dataclass
class Evidence:
    """One column.

    Attributes:
        series: the cells, as `automl.cells` reads them.
        kind: "text" if the cells are text, whatever it says; otherwise the type.
        values: (n,) float64 if every cell is a plain number or missing; None otherwise.
        texts: distinct stripped texts, most frequent first; empty where `values` are there and the type is no text.
        counts: rows of each text.
        infinite: cells that are infinite, or too large for float32.
        arrow: the stripped cells as Arrow strings, for texts.
    """

    name: str
    series: pd.Series[Any]
    kind: Kind
    n_rows: int
    n_present: int
    values: Array | None = None
    infinite: int = 0
    arrow: Any = None

    @property
    def is_empty(self) -> bool:
        return self.n_present == 0

    @cached_property
    def _tally(self) -> tuple[list[str], Array]:
        if self.arrow is not None and self.values is None:
            tally = pc.value_counts(self.arrow.drop_null())
            texts = tally.field("values").to_pylist()
            counts: Array = np.asarray(tally.field("counts"), dtype=np.int64)
        elif self.kind in ("category", "bool"):
            found = pd.Series(cells.to_text(self.series), dtype=object).value_counts()
            texts = [str(text) for text in found.index]
            counts = found.to_numpy(dtype=np.int64)
        else:
            return [], np.zeros(0, dtype=np.int64)
        order = np.argsort(-counts, kind="stable")
        return [texts[index] for index in order], counts[order]

    @property
    def texts(self) -> list[str]:
        return self._tally[0]

    @property
    def counts(self) -> Array:
        return self._tally[1]

    @property
    def n_distinct(self) -> int:
        if self.arrow is not None:
            return int(pc.count_distinct(self.arrow).as_py())
        return int(self.series.nunique())

    def count(self, text: str) -> int:
        """Rows that hold exactly this text."""
        return int(self.counts[self.texts.index(text)]) if text in self._known else 0

    @cached_property
    def _known(self) -> set[str]:
        return set(self.texts)

    def without(self, marks: Iterable[str]) -> tuple[list[str], Array]:
        """Texts and counts, those of `marks` left out."""
        if not self._known.intersection(marks):
            return self.texts, self.counts
        out = frozenset(marks)
        keep = [index for index, text in enumerate(self.texts) if text not in out]
        return [self.texts[index] for index in keep], self.counts[keep]

    def any_match(self, pattern: str) -> bool:
        """Whether some text holds the pattern; never for typed columns."""
        return self.arrow is not None and bool(pc.any(pc.match_substring_regex(self.arrow, pattern)).as_py())

    def all_match(self, pattern: str, *, aside: Iterable[str] = ()) -> bool:
        """Whether every text that is there, but for those `aside`, holds the pattern; never for typed columns."""
        if self.arrow is None:
            return False
        texts, marks = self.arrow, list(aside)
        if marks:
            texts = pc.if_else(pc.is_in(texts, value_set=pa.array(marks, type=texts.type)), None, texts)
        return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def collect(name: str, series: pd.Series[Any]) -> Evidence:
    """Look at every cell of a column.

    Raises:
        DataError: if it holds lists, objects, bytes or complex numbers.
    """
    dtype = series.dtype
    rows = len(series)
    if isinstance(dtype, pd.StringDtype):
        return _text_evidence(name, series, cells.as_arrow(series))
    if pd.api.types.is_object_dtype(dtype):
        return _object_evidence(name, series)
    present = int(series.notna().sum())
    if pd.api.types.is_complex_dtype(dtype):
        raise _nested_error(name, "complex numbers")
    if pd.api.types.is_bool_dtype(dtype):
        return Evidence(name, series, "bool", rows, present)
    if isinstance(dtype, pd.CategoricalDtype):
        return Evidence(name, series, "category", rows, present)
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return Evidence(name, series, "date", rows, present)
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return _number_evidence(name, series)
    return _object_evidence(name, series.astype(object))


def _number_evidence(name: str, series: pd.Series[Any]) -> Evidence:
    values = cells.parse_numbers(series)
    kind: Kind = "int" if pd.api.types.is_integer_dtype(series.dtype) else "float"
    infinite = 0
    if pd.api.types.is_float_dtype(series.dtype):
        infinite = int((np.abs(series.to_numpy(dtype=np.float64, na_value=np.nan)) > cells.LARGEST).sum())
    return Evidence(name, series, kind, len(series), int((~np.isnan(values)).sum()), values, infinite)


def _object_evidence(name: str, series: pd.Series[Any]) -> Evidence:
    held = series.to_numpy(dtype=object)
    nested = next((cell for cell in held if isinstance(cell, _NESTED)), None)
    if nested is not None:
        raise _nested_error(name, f"{type(nested).__name__} cells")
    kind = pd.api.types.infer_dtype(held, skipna=True)
    if kind in ("datetime", "datetime64", "date"):
        moments = pd.Series(pd.to_datetime(series, errors="coerce", utc=True), index=series.index)
        return Evidence(name, moments, "date", len(series), int(moments.notna().sum()))
    if kind in ("integer", "floating", "mixed-integer-float", "decimal", "timedelta", "timedelta64"):
        numbers = pd.Series(cells.parse_numbers(series), index=series.index)
        evidence = _number_evidence(name, numbers)
        evidence.kind = "int" if kind == "integer" else "float"
        return evidence
    if kind == "boolean":
        return Evidence(name, series, "bool", len(series), int(series.notna().sum()))
    texts = [cell if isinstance(cell, str) else cells.text_of(cell) for cell in held]
    return _text_evidence(name, series, pa.array(texts, type=pa.large_string()))


def _text_evidence(name: str, series: pd.Series[Any], texts: Any) -> Evidence:
    stripped = pc.utf8_trim_whitespace(texts)
    stripped = pc.if_else(pc.equal(stripped, ""), None, stripped)
    present = len(stripped) - stripped.null_count
    evidence = Evidence(name, series, "text", len(series), present, arrow=stripped)
    if present == 0:
        return evidence
    first = next(text for text in stripped.drop_null()[:1].to_pylist())
    if not re.search(r"\d|inf|nan", first, re.IGNORECASE):
        return evidence  # a cast would fail at the first cell
    try:
        numbers = pc.cast(stripped, pa.float64())
    except pa.ArrowInvalid:
        return evidence
    values = np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    huge = np.abs(values) > cells.LARGEST
    evidence.infinite = int(huge.sum())
    values[huge] = np.nan
    if not evidence.all_match(r"^\d+[eE]\d+$"):
        evidence.values = values
    return evidence


def _nested_error(name: str, what: str) -> DataError:
    return DataError(
        f"Column {name!r} holds {what}, which no model can read", hint=f"--drop {name}, or spread it over plain columns"
    )
