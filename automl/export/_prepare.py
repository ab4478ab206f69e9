"""From raw rows to the inputs of model.onnx: numbers read, texts brought to one form, dates made seconds.

This file stands alone: it needs Python 3.9 or newer and numpy, and travels beside the graph, with tokens.py where texts
are read by their words (Python 3.10). What it does with a cell is what the training did with it; `signature.json` holds
each column's format. Nothing that was learned is here: of a text the graph takes the 64-bit keys of its n-grams, which
depend on the text alone, and how often each occurs. Pictures are opened by pictures.py, which needs Pillow.

    prepare = Prepare(json.load(open("signature.json")))
    inputs = prepare([{"age": 41, "city": "Oslo"}, {"age": None, "city": "Bergen"}])
"""

from __future__ import annotations

import datetime
import importlib.util
import math
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable  # noqa: UP035 - as old as Python 3.9

import numpy as np

LARGEST = float(np.finfo(np.float32).max)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,15})\.0+")
_EXACT = 2.0**53  # whole numbers below it are floats without a loss
_BLANKS = (  # Unicode's white space; a stray byte order mark or zero-width space is no content either
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff\u200b"
)
_MAYBE_MARKS = re.compile("[\u0300-\U0010ffff]{31}")  # no mark is below: most texts are done with here
_MARKS = re.compile("(?:M.){31}")  # among the categories of characters
_LONGEST_NUMBER = 100  # characters, where some are not ASCII: their normal form takes time quadratic in a run of marks
_TIME = (
    r"[T ](?:(\d\d?):(\d\d?)(?::(\d\d?)(?:\.\d{0,18})?)?|(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d{0,18})?)?)?)"
    r"[ \t\n\v\f\r]*(?:Z|([+-])(\d\d?)(?::?(\d\d?))?)?"
)
_ISO = (  # what pandas takes for ISO 8601, by which the training reads: 2024-01-05, 2024/1/5 7:30, 20240105T0730+02
    re.compile(rf"(-?\d{{4}})(?:([-./\\ ])(\d\d?)(?:\2(\d\d?)(?:{_TIME})?)?)?", re.ASCII),
    re.compile(rf"(-?\d{{4}})()(\d\d)(\d\d)(?:{_TIME})?", re.ASCII),
)
_BOOLEANS = {"true": "True", "TRUE": "True", "false": "False", "FALSE": "False"}
_TRUTH = {"1": "True", "1.0": "True", "0": "False", "0.0": "False"}
_CYCLE = 400, 146_097 * 86_400.0  # after so many years, and seconds, the calendar repeats
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)  # noqa: UP017 - as old as Python 3.9


class Prepare:
    """Turns rows, each a mapping from column to cell, into arrays (n, 1) by input; texts (n, m), pictures (n, h, w, c).

    Args:
        signature: the content of signature.json.
        files: whether a picture's cell may be the path of a file; else it is a data URI, for who sends rows over a
            network must not name files of this machine.
    """

    def __init__(self, signature: Mapping[str, Any], files: bool = True) -> None:
        self.files = files
        self.inputs = signature["inputs"]
        self._read = [[_reader(entry, form) for form in _formats(entry)] for entry in self.inputs]
        self.required = sorted({entry["column"] for entry in self.inputs if entry["required"]})

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Inputs for `InferenceSession.run`.

        Raises:
            ValueError: if no row has a column that the model needs, or a picture cannot be read.
        """
        absent = [name for name in self.required if rows and not any(name in row for row in rows)]
        if absent:
            raise ValueError("the rows lack the model's column(s) " + ", ".join(map(repr, absent[:8])))
        names = {name for entry in self.inputs for name in _columns(entry)}
        return self.from_columns({name: [row.get(name) for row in rows] for name in names}, len(rows))

    def from_columns(self, columns: Mapping[str, Sequence[Any]], count: int) -> dict[str, Any]:
        """The same of columns of `count` cells each; one that is not there is missing."""
        arrays = {}
        empty = (None,) * count
        known: dict[Any, Any] = {"files": self.files}  # and what several inputs are made of
        for entry, read in zip(self.inputs, self._read):  # noqa: B905 - as old as Python 3.9
            if entry["kind"] in _WIDE:
                pairs = zip(_columns(entry), read)  # noqa: B905
                listed = [[one(cell) for cell in columns.get(name, empty)] for name, one in pairs]
                arrays[entry["name"]] = _WIDE[entry["kind"]](entry, listed, known)
                continue
            cells = [read[0](cell) for cell in columns.get(entry["column"], empty)]
            dtype = object if entry["dtype"] == "string" else entry["dtype"]
            arrays[entry["name"]] = np.array(cells, dtype=dtype).reshape(-1, 1)
        return arrays


def _columns(entry: Mapping[str, Any]) -> Sequence[str]:
    return entry.get("columns") or [entry["column"]]


def _formats(entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return entry.get("formats") or [entry["format"]]


def _ngrams(entry: Mapping[str, Any], columns: list[list[str]], known: dict[Any, Any]) -> Any:
    key = (entry["column"], entry["unit"], entry["n"])
    if key not in known:
        known[key] = _load("tokens").count_keys(columns[0], entry["unit"], entry["n"])
    return known[key][0 if entry["part"] == "keys" else 1]


def _pictures(entry: Mapping[str, Any], columns: list[list[Any]], known: dict[Any, Any]) -> Any:
    size = SimpleNamespace(**entry["picture"])
    read = _load("pictures").read_picture
    cells = [read(cell, size, files=known["files"]) for cell in columns[0]]
    shape = (len(cells), size.height, size.width, size.channels)
    return np.stack(cells) if cells else np.zeros(shape, dtype=np.uint8)


def _words(entry: Mapping[str, Any], columns: list[list[str]], known: dict[Any, Any]) -> Any:
    return _load("tokens").list_words(columns)


_WIDE: dict[str, Callable[[Mapping[str, Any], list[list[str]], dict[Any, Any]], Any]] = {
    "ngrams": _ngrams,
    "words": _words,
    "picture": _pictures,
}
_INSIDE = {"tokens": "preprocess/tokens.py", "pictures": "picture_pixels.py"}
_loaded: dict[str, Any] = {}


def _load(name: str) -> Any:
    """The file that travels beside this one; inside automl, the module that it is a copy of."""
    if name not in _loaded:
        path = Path(__file__).with_name(name + ".py")
        if not path.exists():
            path = Path(__file__).parents[1] / _INSIDE[name]
        spec = importlib.util.spec_from_file_location("prepare_" + name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # its dataclasses look for it there
        spec.loader.exec_module(module)
        _loaded[name] = module
    return _loaded[name]


def _reader(entry: Mapping[str, Any], form: Mapping[str, Any]) -> Callable[[Any], Any]:
    marks = frozenset(form["missing"])
    if entry["kind"] == "number":
        return lambda cell: read_number(cell, form, marks)
    if entry["kind"] == "date":
        return lambda cell: read_date(cell, form, marks)
    if entry["kind"] == "count":
        return lambda cell: count(read_text(cell, marks), entry["fact"])
    if entry["kind"] == "picture":
        return lambda cell: None if isinstance(cell, str) and cell.strip() in marks else cell
    read = read_truth if entry.get("booleans") else read_text
    return lambda cell: read(cell, marks)


def is_missing(cell: Any) -> bool:
    """None and NaN stand for no value."""
    return cell is None or (isinstance(cell, float) and cell != cell)


def number_text(value: float) -> str:
    """3.0 is "3", 0.1 is "0.1"."""
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)


def compose(text: str) -> str:
    """The text in Unicode form NFC; as it is where more than 30 combining marks stand in a row."""
    if _MAYBE_MARKS.search(text) and _MARKS.search("".join(map(unicodedata.category, text))):
        return text
    return unicodedata.normalize("NFC", text)


def read_text(cell: Any, marks: frozenset[str] = frozenset()) -> str:
    """The text of a cell in the form that the model knows; "" for no value."""
    if is_missing(cell):
        return ""
    if isinstance(cell, str):
        text = cell.strip()
        if not text.isascii():
            text = compose(text).strip(_BLANKS)
        if not text or text in marks:
            return ""
        if text.endswith("0") and _WHOLE.fullmatch(text) and abs(float(text)) < _EXACT:
            text = number_text(float(text))
        return _BOOLEANS.get(text, text)
    text = number_text(float(cell)) if isinstance(cell, float) else str(cell)
    return "" if text in marks else text


def read_truth(cell: Any, marks: frozenset[str] = frozenset()) -> str:
    """The text of a cell where the model knows True and False: 1 and 0 stand for them."""
    text = read_text(cell, marks)
    return _TRUTH.get(text, text)


def read_number(cell: Any, form: Mapping[str, Any], marks: frozenset[str] = frozenset()) -> float:
    """The number in a cell; NaN for none, and for one beyond float32."""
    if is_missing(cell):
        return math.nan
    if isinstance(cell, str):
        text = cell.strip()
        number = math.nan if text in marks else _parse_number(text, form)
    else:
        try:
            number = float(cell)
        except (TypeError, ValueError, OverflowError):
            return math.nan
        if marks and number_text(number) in marks:
            return math.nan
    return number if -LARGEST <= number <= LARGEST else math.nan


def _parse_number(text: str, form: Mapping[str, Any]) -> float:
    if _NUMBER.fullmatch(text) and form["decimal"] == "." and form["thousands"] != ".":
        return float(text)
    if not text.isascii():
        if len(text) > _LONGEST_NUMBER:
            return math.nan
        text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace("\u2019", "'")
    text = _cut_unit(_put_sign_first(text, form.get("negative", "")), form)
    if form["thousands"]:
        mark, decimal = re.escape(form["thousands"]), re.escape(form["decimal"])
        grouped = re.fullmatch(rf"[+-]?\d{{1,3}}(?:{mark}\d{{3}})+(?:{decimal}\d*)?", text)
        text = text.replace(form["thousands"], "") if grouped else text
    if form["decimal"] == "," and text.count(",") == 1:
        text = text.replace(",", ".")
    if _NUMBER.fullmatch(text) or (text.lstrip("+-").isdecimal() and text.count("-") + text.count("+") <= 1):
        return float(text)
    return {"true": 1.0, "false": 0.0}.get(text.lower(), math.nan)


def _put_sign_first(text: str, negative: str) -> str:
    if negative == "()" and len(text) > 2 and text[0] == "(" and text[-1] == ")":
        return "-" + text[1:-1].strip()
    if negative == "-" and len(text) > 1 and text[-1] == "-" and text[0] not in "+-":
        return "-" + text[:-1].rstrip()
    return text


def _cut_unit(text: str, form: Mapping[str, Any]) -> str:
    prefix, suffix = (unicodedata.normalize("NFKC", form[unit]) for unit in ("prefix", "suffix"))
    if prefix:
        sign = text[0] if text[:1] in ("-", "+") else ""
        rest = text[len(sign) :].lstrip()
        if rest.startswith(prefix):
            text = sign + rest[len(prefix) :].lstrip()
    if suffix and text.endswith(suffix):
        text = text[: -len(suffix)].rstrip()
    return text


def read_date(cell: Any, form: Mapping[str, Any], marks: frozenset[str] = frozenset()) -> float:
    """Whole seconds since 1970 in UTC; NaN for no date."""
    pattern = form["date_format"]
    if pattern in ("epoch_s", "epoch_ms"):
        seconds = read_number(cell, form, marks) / (1.0 if pattern == "epoch_s" else 1000.0)
        if abs(seconds) <= 2.5e11:
            return float(math.floor(seconds))
    text = read_text(cell, marks)
    if pattern not in ("", "iso", "epoch_s", "epoch_ms"):
        try:
            return _seconds(datetime.datetime.strptime(text, pattern))
        except ValueError:
            pass
    return _read_iso(text)


def _read_iso(text: str) -> float:
    match = _ISO[0].fullmatch(text) or _ISO[1].fullmatch(text)
    if not match:
        return math.nan
    year, _, month, day, *time, sign, zone_hours, zone_minutes = match.groups()
    hour, minute, second = (int(apart or joined or 0) for apart, joined in zip(time[:3], time[3:]))  # noqa: B905 - as old as Python 3.9
    ahead = int(zone_hours or 0), int(zone_minutes or 0)
    if ahead[0] > 23 or ahead[1] > 59:
        return math.nan
    cycles, place = divmod(int(year), _CYCLE[0])  # Python's calendar ends with the years 1 and 9999, pandas' does not
    try:
        moment = datetime.datetime(place + _CYCLE[0], int(month or 1), int(day or 1), hour, minute, second)
    except ValueError:
        return math.nan
    seconds = _seconds(moment) + (cycles - 1) * _CYCLE[1]
    return seconds - (ahead[0] * 3600.0 + ahead[1] * 60.0) * (-1.0 if sign == "-" else 1.0)


def _seconds(moment: datetime.datetime) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_EPOCH.tzinfo)
    return float(math.floor((moment - _EPOCH).total_seconds()))


def count(text: str, fact: str) -> float:
    """How many characters, words, digits or capitals a text has; NaN for no text."""
    if not text:
        return math.nan
    if fact == "characters":
        return float(len(text))
    if fact == "words":
        return float(len(text.split()))
    return float(len(re.findall(r"\d", text)) if fact == "digits" else sum(map(str.isupper, text)))
