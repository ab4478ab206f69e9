"""What a cell means: the text, number or date in it, read the same way in training and in prediction.

A typed column and a text column with the same meaning give the same result, so that a model trained on a CSV file
serves a typed frame and the other way round.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from automl.matrix import Array
from automl.schema import CellFormat, Column, Role

PLAIN = CellFormat()
SMALL_ROWS = 64  # up to here one pass over Python objects is quicker than one vectorised call a column
_WHOLE_FLOAT = re.compile(r"[+-]?(?:0|[1-9]\d{0,15})\.0+")
EXACT = 2.0**53  # whole numbers below it are floats without a loss
_PLAIN_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(_PLAIN_NUMBER, re.ASCII)
_BLANKS = (  # Unicode's white space; a stray byte order mark or zero-width space is no content either
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff\u200b"
)
_MAYBE_MARKS = re.compile("[\u0300-\U0010ffff]{31}")  # no mark is below: most texts are done with here
_MARKS = re.compile("(?:M.){31}")  # among the categories of characters
_LONGEST_NUMBER = 100  # characters, where some are not ASCII: their normal form takes time quadratic in a run of marks
_WORDS = {"true": 1.0, "false": 0.0}
_BOOLEANS = {"true": "True", "TRUE": "True", "false": "False", "FALSE": "False"}
_TRUTH = {"1": "True", "1.0": "True", "0": "False", "0.0": "False"}
_NOW = ("now", "today")  # pandas takes them for dates, and for another one each day
_NANOSECONDS = re.compile(r"(\.\d{6})\d{1,12}(?!\d)")
_NOT_A_TIME = np.datetime64("NaT", "us")
_INFINITE = re.compile(r"[+-]?inf(?:inity)?")
_PLAIN_TYPES = frozenset(("int64", "int32", "float64", "float32"))
LARGEST = float(np.finfo(np.float32).max)  # models see float32, where anything larger is infinite


def to_text(series: pd.Series[Any], missing: Iterable[str] = ()) -> Array:
    """The canonical text of each cell.

    Text is stripped and put in Unicode form NFC; a whole float is written as an integer ("3.0" and 3.0 give "3");
    truth values are "True" and "False"; what is empty, NaN or among `missing` is None.

    Returns:
        (n,) object array of str or None.
    """
    marks = frozenset(missing)
    if len(series) <= SMALL_ROWS:
        return _objects([_text(cell, marks) for cell in series.to_numpy(dtype=object)])
    codes, texts = code_text(series, marks)
    return _objects([*texts, None])[codes]


def code_text(series: pd.Series[Any], missing: Iterable[str] = ()) -> tuple[Array, list[str | None]]:
    """`to_text` without a Python object a cell: codes (n,) int64, -1 for missing, and what text each stands for.

    Several codes may stand for one text, and a code for None. Texts are in the order of their first cells.
    """
    marks = frozenset(missing)
    if _is_arrow_text(series):
        coded = as_arrow(series).dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return codes, [_text(cell, marks) for cell in coded.dictionary.to_pylist()]
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, used = pd.factorize(series.cat.codes.to_numpy(), use_na_sentinel=False)
        cells = [series.cat.categories[place] if place >= 0 else None for place in used.tolist()]
        return codes.astype(np.int64), [_text(cell, marks) for cell in cells]
    values = series.to_numpy() if str(series.dtype) in _PLAIN_TYPES else series.to_numpy(dtype=object)
    if series.dtype == object and pd.api.types.infer_dtype(values, skipna=True) != "string":
        # 1, 1.0 and True are one key, but not one text
        values = _objects([_text(cell, marks) for cell in values])
    codes, levels = pd.factorize(values)
    return np.asarray(codes, dtype=np.int64), [_text(cell, marks) for cell in levels]


def code_levels(series: pd.Series[Any], column: Column) -> tuple[Array, list[str | None]]:
    """`code_text` of a column of categories: where these are truth values, 1 and 0 stand for them."""
    codes, texts = code_text(series, column.format.missing)
    return codes, [_TRUTH.get(text or "", text) for text in texts] if is_truth(column) else texts


def is_truth(column: Column) -> bool:
    """Whether a column's categories are truth values."""
    return bool(column.levels) and set(column.levels) <= {"True", "False"}


def to_labels(series: pd.Series[Any], label_type: str) -> list[str | None]:
    """Class labels as `Task.classes` holds them.

    Args:
        label_type: as in `Task`: "int" and "float" read "1", "1.0" and 1 alike, "bool" reads "true" and 1 alike,
            "str" keeps text as it is, but for surrounding space and the Unicode form.
    """
    if label_type in ("int", "float"):
        return [None if np.isnan(value) else number_text(value) for value in parse_numbers(series)]
    if label_type == "bool":
        return [_TRUTH.get(text, text) if text is not None else None for text in to_text(series)]
    return [
        (compose(cell.strip()) or None) if isinstance(cell, str) else _text(cell)
        for cell in series.to_numpy(dtype=object)
    ]


def parse_numbers(series: pd.Series[Any], cell_format: CellFormat = PLAIN) -> Array:
    """The number in each cell, (n,) float64; missing, unreadable and infinite ones (beyond float32) are NaN.

    Truth values count as 1 and 0. Durations are seconds. A plain number is read whatever the column's decimal mark,
    as long as that leaves no doubt.
    """
    if len(series) <= SMALL_ROWS:
        return _parse_few(series.to_numpy(dtype=object), _number_reader(cell_format))
    if not _is_arrow_text(series) and series.dtype != object and not isinstance(series.dtype, pd.CategoricalDtype):
        return _typed_numbers(series, cell_format)
    if not _is_arrow_text(series):
        values = series.to_numpy(dtype=object)
        if pd.api.types.infer_dtype(values, skipna=True) != "string":
            return _parse_few(values, _number_reader(cell_format))
        texts = pa.array(values, type=pa.large_string(), from_pandas=True)
    else:
        texts = as_arrow(series)
    return _text_numbers(texts, cell_format)


def parse_dates(series: pd.Series[Any], cell_format: CellFormat = PLAIN) -> Array:
    """The moment in each cell, (n,) datetime64[us], UTC without zone; missing and unreadable ones are NaT.

    Text is read by the column's own format and, failing that, as ISO 8601.
    """
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        zone = getattr(series.dtype, "tz", None)
        plain = series.dt.tz_convert("UTC").dt.tz_localize(None) if zone is not None else series
        return np.asarray(plain.to_numpy(dtype="datetime64[us]"))
    if cell_format.date_format in ("epoch_s", "epoch_ms"):
        return _epoch_dates(series, cell_format)
    if _is_arrow_text(series) and len(series) > SMALL_ROWS and cell_format.date_format in ("", "iso"):
        try:  # most columns of dates are written plainly throughout
            plain_texts = pc.utf8_trim_whitespace(as_arrow(series))
            plain_texts = pc.if_else(pc.equal(plain_texts, ""), None, plain_texts)
            return np.array(pc.cast(plain_texts, pa.timestamp("us")).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            pass
    texts = pd.Series(to_text(series, cell_format.missing), dtype=object)
    moments = _read_dates(texts, cell_format.date_format or "iso")
    failed = np.isnat(moments) & texts.notna().to_numpy()
    if failed.any() and cell_format.date_format not in ("", "iso"):
        moments[failed] = _read_dates(texts[failed], "iso")
    return moments


def parse_frame(frame: pd.DataFrame, columns: Sequence[Column], *, coded: bool = False) -> pd.DataFrame:
    """The typed table of `columns`, in their order; see `Schema.parse`. A column that is not there is all missing."""
    where = {str(name): position for position, name in reversed(list(enumerate(frame.columns)))}
    rows = len(frame)
    dates = [column for column in columns if column.role is Role.DATE]
    numbers = [column for column in columns if column.role is Role.NUMBER]
    coded = coded and rows > SMALL_ROWS
    levels = [column for column in columns if coded and column.role is Role.CATEGORY and column.name in where]
    apart = {column.name for column in (*dates, *numbers, *levels)}
    texts = [column for column in columns if column.name not in apart]
    pick: Callable[[Column], Any]
    if rows <= SMALL_ROWS:
        present = [column.name for column in columns if column.name in where and column.role is not Role.DATE]
        cells = frame.take([where[name] for name in present], axis=1).to_numpy(dtype=object)
        small = dict(zip(present, cells.T, strict=True))
        pick = lambda column: small.get(column.name)  # noqa: E731
    else:
        pick = lambda column: frame.iloc[:, where[column.name]] if column.name in where else None  # noqa: E731
    blocks = [
        pd.DataFrame(_fill(rows, [_number_cells(pick(column), column) for column in numbers], np.float64, np.nan)),
        pd.DataFrame(_fill(rows, [_text_cells(pick(column), column) for column in texts], object, None), dtype=object),
        pd.DataFrame(
            _fill(
                rows,
                [
                    parse_dates(frame.iloc[:, where[column.name]], column.format) if column.name in where else None
                    for column in dates
                ],
                "datetime64[us]",
                _NOT_A_TIME,
            )
        ),
        pd.DataFrame({column.name: _coded_cells(frame.iloc[:, where[column.name]], column) for column in levels}),
    ]
    parts = [block for block in blocks if block.shape[1]] or blocks[:1]
    typed = pd.concat(parts, axis=1) if len(parts) > 1 else parts[0]
    order = [column.name for column in (*numbers, *texts, *dates, *levels)]
    typed.columns = pd.Index(order, dtype=object)
    wanted = [column.name for column in columns]
    if order != wanted:
        place = {name: position for position, name in enumerate(order)}
        typed = typed.take([place[name] for name in wanted], axis=1)
    typed.index = frame.index
    return typed


def as_arrow(series: pd.Series[Any]) -> Any:
    """A pandas `str` column as one Arrow array, missing cells null."""
    texts = pa.array(series, from_pandas=True)
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def number_text(value: float) -> str:
    """A number as short as it can be written and read back: 3.0 is "3", 0.1 is "0.1"."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < EXACT else repr(number)


def is_missing(cell: Any) -> bool:
    """Whether a Python object stands for no value: None, NaN, NaT or pandas' NA."""
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float | np.floating) and cell != cell)


def text_of(cell: Any) -> str | None:
    """The canonical text of one cell; see `to_text`."""
    return _text(cell)


def compose(text: str) -> str:
    """The text in Unicode form NFC; as it is where more than 30 combining marks stand in a row.

    Sorting such a row takes quadratic time. No language writes one: Unicode's Stream-Safe format ends it at 30, too.
    """
    if _MAYBE_MARKS.search(text) and _MARKS.search("".join(map(unicodedata.category, text))):
        return text
    return unicodedata.normalize("NFC", text)


def _text(cell: Any, marks: frozenset[str] = frozenset()) -> str | None:
    if isinstance(cell, str):
        text = cell.strip()
        if not text.isascii():
            text = compose(text).strip(_BLANKS)
        if not text or text in marks:
            return None
        if text.endswith("0") and _WHOLE_FLOAT.fullmatch(text) and abs(float(text)) < EXACT:
            text = number_text(float(text))
        return _BOOLEANS.get(text, text)
    if is_missing(cell):
        return None
    text = _typed_text(cell)
    return None if text in marks else text


def _typed_text(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, int | np.integer):
        return str(int(cell))
    if isinstance(cell, float | np.floating):
        return number_text(float(cell))
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace").strip()
    return str(cell).removesuffix(" 00:00:00")  # a day is written without its midnight, as files have it


def _number_cells(cells: Any, column: Column) -> Array | None:
    if cells is None:
        return None
    if isinstance(cells, pd.Series):
        return parse_numbers(cells, column.format)
    return _parse_few(cells, _number_reader(column.format))


def _text_cells(cells: Any, column: Column) -> Array | None:
    if cells is None:
        return None
    if column.role is Role.IMAGE:
        return _path_cells(cells, column)
    if isinstance(cells, pd.Series):
        texts = to_text(cells, column.format.missing)
    else:
        marks = frozenset(column.format.missing)
        texts = _objects([_text(cell, marks) for cell in cells])
    if is_truth(column):
        texts = _objects([_TRUTH.get(text, text) for text in texts])
    return texts


def _path_cells(cells: Any, column: Column) -> Array:
    """What names a picture, as it stands but for space around it: in another Unicode form it names another file."""
    marks = frozenset(column.format.missing)
    texts = [cell.strip() if isinstance(cell, str) else _text(cell) for cell in cells]
    return _objects([text if text and text not in marks else None for text in texts])


def _coded_cells(series: pd.Series[Any], column: Column) -> pd.Categorical:
    """What `_text_cells` gives, as a categorical: few Python objects, however many rows."""
    codes, texts = code_levels(series, column)
    place = {text: number for number, text in enumerate(dict.fromkeys(text for text in texts if text is not None))}
    moved = np.array([*(-1 if text is None else place[text] for text in texts), -1], dtype=np.int64)
    return pd.Categorical.from_codes(moved[codes], categories=pd.Index(list(place), dtype=object))


def _fill(rows: int, arrays: list[Array | None], dtype: Any, empty: Any) -> Array:
    """The arrays as columns of one (rows, len(arrays)) block; None stands for a column that is all missing."""
    block = np.full((len(arrays), rows), empty, dtype=dtype)
    for number, array in enumerate(arrays):
        if array is not None:
            block[number] = array
    return block.T


def _objects(cells: Sequence[Any]) -> Array:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _is_arrow_text(series: pd.Series[Any]) -> bool:
    return isinstance(series.dtype, pd.StringDtype)


def _parse_few(cells: Array, read: Callable[[Any], float]) -> Array:
    return np.array([read(cell) for cell in cells], dtype=np.float64)


def _number_reader(cell_format: CellFormat) -> Callable[[Any], float]:
    marks = frozenset(cell_format.missing)

    def read(cell: Any) -> float:
        if isinstance(cell, str):
            text = cell.strip()
            number = np.nan if text in marks else read_number(text, cell_format)
        elif is_missing(cell):
            return np.nan
        elif isinstance(cell, pd.Timedelta):
            number = cell.total_seconds()
        else:
            try:
                number = float(cell)
            except (TypeError, ValueError, OverflowError):
                return np.nan
            if marks and number_text(number) in marks:
                return np.nan
        return number if -LARGEST <= number <= LARGEST else np.nan

    return read


def read_number(text: str, cell_format: CellFormat = PLAIN) -> float:
    """One stripped cell as a number; NaN if it is none. Infinity is kept, so that callers can tell it apart."""
    if _NUMBER.fullmatch(text) and cell_format.decimal == "." and cell_format.thousands != ".":
        return float(text)
    if not text.isascii():
        if len(text) > _LONGEST_NUMBER:
            return np.nan
        text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace("\u2019", "'")
    if cell_format.negative:
        text = put_sign_first(text, cell_format.negative)
    text = _cut_unit(text, cell_format)
    if cell_format.thousands:
        grouped = _grouped(cell_format.thousands, cell_format.decimal).fullmatch(text)
        text = text.replace(cell_format.thousands, "") if grouped else text
    if cell_format.decimal == "," and text.count(",") == 1:
        text = text.replace(",", ".")
    if _NUMBER.fullmatch(text) or (text.lstrip("+-").isdecimal() and text.count("-") + text.count("+") <= 1):
        return float(text)
    word = text.lower()
    if _INFINITE.fullmatch(word):
        return float(word)
    return _WORDS.get(word, np.nan)


def put_sign_first(text: str, negative: str) -> str:
    """ "(5)" or "5-" as "-5", where the column's numbers below zero are written so; other texts as they are."""
    if negative == "()" and len(text) > 2 and text[0] == "(" and text[-1] == ")":
        return "-" + text[1:-1].strip()
    if negative == "-" and len(text) > 1 and text[-1] == "-" and text[0] not in "+-":
        return "-" + text[:-1].rstrip()
    return text


def _cut_unit(text: str, cell_format: CellFormat) -> str:
    prefix, suffix = (unicodedata.normalize("NFKC", unit) for unit in (cell_format.prefix, cell_format.suffix))
    if prefix:
        sign = text[0] if text[:1] in ("-", "+") else ""
        rest = text[len(sign) :].lstrip()
        if rest.startswith(prefix):
            text = sign + rest[len(prefix) :].lstrip()
    return text.removesuffix(suffix).rstrip() if suffix else text


_patterns: dict[tuple[str, str], re.Pattern[str]] = {}


def _grouped(thousands: str, decimal: str) -> re.Pattern[str]:
    key = (thousands, decimal)
    if key not in _patterns:
        pattern = rf"[+-]?\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+(?:{re.escape(decimal)}\d*)?"
        _patterns[key] = re.compile(pattern)
    return _patterns[key]


def _typed_numbers(series: pd.Series[Any], cell_format: CellFormat) -> Array:
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return np.full(len(series), np.nan)
    if pd.api.types.is_timedelta64_dtype(series.dtype):
        return np.asarray(series.dt.total_seconds(), dtype=np.float64)
    if pd.api.types.is_complex_dtype(series.dtype):
        return np.full(len(series), np.nan)
    values = _finite(series.to_numpy(dtype=np.float64, na_value=np.nan))
    for mark in cell_format.missing:
        if _NUMBER.fullmatch(mark):
            values[values == float(mark)] = np.nan
    return values


def _text_numbers(texts: Any, cell_format: CellFormat) -> Array:
    """Arrow strings as numbers: plain ones by one strict cast, the rest, once each, by `read_number`."""
    plain = cell_format.decimal == "." and cell_format.thousands != "."
    if plain and not any(_NUMBER.fullmatch(mark) for mark in cell_format.missing):
        try:
            return _finite(pc.cast(texts, pa.float64()))
        except pa.ArrowInvalid:
            pass_mask = pc.match_substring_regex(texts, f"^{_PLAIN_NUMBER}$")
        fast = _finite(pc.cast(pc.if_else(pass_mask, texts, None), pa.float64()))
        rest = pc.if_else(pass_mask, None, texts)
    else:
        fast, rest = np.full(len(texts), np.nan), texts
    coded = rest.dictionary_encode()
    read = _number_reader(cell_format)
    values = np.array([*(read(cell) for cell in coded.dictionary.to_pylist()), np.nan])
    codes = coded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
    return np.where(codes == len(values) - 1, fast, values[codes])


def _finite(numbers: Any) -> Array:
    values = np.array(numbers, dtype=np.float64)
    values[~(np.abs(values) <= LARGEST)] = np.nan
    return values


def _epoch_dates(series: pd.Series[Any], cell_format: CellFormat) -> Array:
    scale = 1e6 if cell_format.date_format == "epoch_s" else 1e3
    moments = parse_numbers(series, cell_format) * scale
    moments[np.abs(moments) > 2.5e17] = np.nan  # the year 9999 is 2.53e17 µs
    good = ~np.isnan(moments)
    result = np.full(len(moments), _NOT_A_TIME)
    result[good] = moments[good].astype(np.int64).astype("datetime64[us]")
    if not good.all() and not pd.api.types.is_numeric_dtype(series.dtype):
        texts = pd.Series(to_text(series, cell_format.missing), dtype=object)
        result[~good] = _read_dates(texts[~good], "iso")
    return result


def _read_dates(texts: pd.Series[Any], date_format: str) -> Array:
    texts = texts.mask(texts.isin(_NOW))
    moments = _to_moments(texts, date_format)
    failed = moments.isna() & texts.notna()
    if moments.dt.unit == "ns" and failed.any():  # one cell with nanoseconds, and the years of all end with 2262
        cut = texts[failed].str.replace(_NANOSECONDS, r"\1", regex=True)
        moments = moments.dt.as_unit("us")
        moments[failed] = _to_moments(cut, date_format)
    return np.asarray(moments.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")).copy()


def _to_moments(texts: pd.Series[Any], date_format: str) -> pd.Series[Any]:
    pattern = "ISO8601" if date_format == "iso" else date_format
    try:
        return pd.to_datetime(texts, format=pattern, errors="coerce", utc=True)
    except (ValueError, OverflowError, pd.errors.OutOfBoundsDatetime):
        return pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us, UTC]")
