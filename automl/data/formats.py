"""How a column writes numbers and dates, judged on all of its distinct texts."""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.cells import parse_dates, put_sign_first
from automl.matrix import Array
from automl.schema import CellFormat

if TYPE_CHECKING:
    import pandas as pd

    from automl.data.evidence import Evidence

_PROBE = 200  # texts that rule a style out before all are tried
BAD_SHARE = 0.01  # so many cells may be unreadable and count as missing

# Texts that mean "no value" wherever they stand.
MISSING = ("NA", "N/A", "NaN", "nan", "null", "NULL", "<NA>", "#N/A", "n/a")
# The same, in tables of the UCI repository and from spreadsheets; a user is told.
ODD_MISSING = ("?", "\\N", "NaT", "(null)", "N.A.", "n.a.", "#REF!", "#DIV/0!", "#VALUE!", "#NUM!", "#NAME?", "#NULL!")
# No number, so missing among numbers; but a level of its own among words.
NO_NUMBER = ("-", "--", ".", "None", "none", "missing", "Missing", "unknown", "Unknown", "na", "nil", "*")
NO_VALUE = (*MISSING, *ODD_MISSING, *NO_NUMBER)
# No date, as databases write it.
NO_DATE = ("0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00")

_SYMBOLS = (
    "$",
    "€",
    "£",
    "¥",
    "₹",
    "₽",
    "₩",
    "₺",
    "₴",
    "₫",
    "₱",
    "฿",
    "₪",
    "₦",
    "R$",
    "US$",
    "%",
    "‰",
    "°",
    "°C",
    "°F",
)
_CODES = ("USD", "EUR", "GBP", "JPY", "CHF", "CNY", "INR", "AUD", "CAD", "BRL", "SEK", "NOK", "DKK", "PLN", "CZK")
_UNITS = (*_SYMBOLS, *_CODES, "kr", "zł", "Kč")
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
# Behind a number a word may be a unit, such as kg, km/h, m2 or months; one capital alone is rather a code's.
_LETTERS = r"[^\W\d_]"
_WORD = rf"(?:(?<=\s){_LETTERS}{{1,12}}|{_LETTERS}{{2,12}}|[a-z])(?:/{_LETTERS}{{1,6}})?[23]?"
_WITH_UNIT = re.compile(rf"([+-]?)\s*({_UNIT})?\s*([+-]?[\d.,][\d.,' eE+-]*?)\s*({_UNIT}|{_WORD})?")
_SCALED = re.compile(rf"({_UNIT})?\s*[+-]?\d[\d.,]*\s*({_UNIT}|{_LETTERS}{{1,12}})?")
_DURATION = re.compile(r"(?:\d+ days?,? )?\d+:\d{2}(?::\d{2}(?:\.\d+)?)?")
_STYLES = ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
_COMMA_FIRST = ((".", ""), (",", ""), (",", "."), (",", " "), (",", "'"), (".", ","), (".", " "), (".", "'"))
_BEHIND, _AROUND = re.compile(r"[^+-].*\d\s*-"), re.compile(r"\(.*\d.*\)")
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)

_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[T ]\d{1,2}:\d{2}.*)?")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f", ", %H:%M:%S", ", %I:%M:%S %p")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_YEAR = r"(?:19|20)\d{2}"
_CLOCK = r"\d{1,2}:\d{2}:\d{2}"
# Whole moments, as programs write them: BigQuery, RFC 2822 and HTTP, Twitter, SQL Server.
_STAMPS = (
    (
        re.compile(rf"\d{{4}}-\d{{1,2}}-\d{{1,2}} {_CLOCK}(?:\.\d+)? UTC"),
        ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S.%f UTC"),
    ),
    (
        re.compile(rf"\w{{3}}, \d{{1,2}} {_MONTH} \d{{4}} {_CLOCK} (?:GMT|UTC|[+-]\d{{4}})", re.I),
        ("%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S UTC", "%a, %d %b %Y %H:%M:%S %z"),
    ),
    (re.compile(rf"\w{{3}} {_MONTH} \d{{1,2}} {_CLOCK} [+-]\d{{4}} \d{{4}}", re.I), ("%a %b %d %H:%M:%S %z %Y",)),
    (re.compile(rf"{_MONTH} {{1,2}}\d{{1,2}} \d{{4}} {{1,2}}\d{{1,2}}:\d{{2}}[AP]M", re.I), ("%b %d %Y %I:%M%p",)),
)
_SHAPES = (
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2}(?:\s.*)?"), ("%Y/%m/%d",)),
    (re.compile(r"\d{4}\.\d{1,2}\.\d{1,2}(?:\s.*)?"), ("%Y.%m.%d",)),
    (re.compile(r"\d{1,2}/\d{1,2}/\d{4}(?:,?\s.*)?"), ("%m/%d/%Y", "%d/%m/%Y")),
    (re.compile(r"\d{1,2}/\d{1,2}/\d{2}(?:\s.*)?"), ("%m/%d/%y", "%d/%m/%y")),
    (re.compile(r"\d{1,2}-\d{1,2}-\d{4}(?:\s.*)?"), ("%d-%m-%Y", "%m-%d-%Y")),
    (re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}(?:\s.*)?"), ("%d.%m.%Y", "%m.%d.%Y")),
    (re.compile(r"\d{1,2}\.\d{1,2}\.\d{2}(?:\s.*)?"), ("%d.%m.%y",)),
    (re.compile(rf"{_MONTH} \d{{1,2}}, \d{{4}}(?:\s.*)?", re.I), ("%B %d, %Y", "%b %d, %Y")),
    (re.compile(rf"{_MONTH} \d{{1,2}}, \d{{2}}(?:\s.*)?", re.I), ("%b %d, %y", "%B %d, %y")),
    (re.compile(rf"{_MONTH} \d{{1,2}} \d{{4}}(?:\s.*)?", re.I), ("%b %d %Y", "%B %d %Y")),
    (re.compile(rf"\d{{1,2}} {_MONTH} \d{{4}}(?:\s.*)?", re.I), ("%d %b %Y", "%d %B %Y")),
    (re.compile(rf"\d{{1,2}}-{_MONTH}-\d{{4}}(?:\s.*)?", re.I), ("%d-%b-%Y", "%d-%B-%Y")),
    (re.compile(rf"\d{{1,2}}-{_MONTH}-\d{{2}}(?:\s.*)?", re.I), ("%d-%b-%y",)),
    # months: of codes that look the same few keep to years and months that there are
    (re.compile(rf"{_YEAR}-(?:0[1-9]|1[0-2])"), ("%Y-%m",)),
    (re.compile(rf"(?:0?[1-9]|1[0-2])/{_YEAR}"), ("%m/%Y",)),
    (re.compile(rf"{_MONTH} {_YEAR}", re.I), ("%b %Y", "%B %Y")),
    (re.compile(rf"{_MONTH}-{_YEAR}", re.I), ("%b-%Y", "%B-%Y")),
)
_EDGE = r"[\W\d_]|(?-i:(?<=[a-z])(?=[A-Z]))"  # of a word in a name: created_at, createdAt
_DATE_WORD = r"(?:birth|start|end|unix|up|date)?(?:date|time)|(?:time)?stamp|epoch|day|created|updated"
_DATE_NAME = re.compile(rf"(?:^|{_EDGE})(?:(?:{_DATE_WORD})(?:{_EDGE}|$)|(?:ts|dt|at)$)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A format, what it cannot read, and the evidence in words.

    Attributes:
        bad: distinct texts that are unreadable, most frequent first, with `bad_rows` rows in all.
        doubt: what else the texts could mean; "" if nothing.
    """

    format: CellFormat
    bad: tuple[str, ...] = ()
    bad_rows: int = 0
    reason: str = ""
    doubt: str = ""


def guess_numbers(texts: Sequence[str], counts: Array, *, comma: bool = False) -> Guess | None:
    """The number format that reads all, or all but 1%, of the rows; None if there is none.

    Args:
        texts: distinct stripped texts (k,), without missing markers.
        counts: rows of each (k,).
        comma: whether other columns of the table have decimal commas.
    """
    total = int(counts.sum())
    if total == 0 or not _worth_trying(texts, counts, total):
        return None
    negative = _find_negatives(texts)
    signed = [put_sign_first(text, negative) for text in texts] if negative else texts
    if not _may_be_numbers(signed, counts, total, comma):
        return None
    parts = [_split_unit(text) for text in signed]
    prefix, suffix = (
        _common_unit([part[0] for part in parts], counts),
        _common_unit([part[2] for part in parts], counts),
    )
    if prefix is None or suffix is None:
        return None
    bodies = [part[1] if part[0] in ("", prefix) and part[2] in ("", suffix) else "" for part in parts]
    best: tuple[int, tuple[str, str], list[int]] | None = None
    for decimal, thousands in _COMMA_FIRST if comma else _STYLES:
        pattern = _grammar(decimal, thousands)
        misses = [index for index, body in enumerate(bodies[:_PROBE]) if not pattern.fullmatch(body)]
        if misses and int(counts[misses].sum()) > BAD_SHARE * total:
            continue
        misses += [index for index, body in enumerate(bodies[_PROBE:], _PROBE) if not pattern.fullmatch(body)]
        rows = int(counts[misses].sum()) if misses else 0
        if best is None or rows < best[0]:
            best = (rows, (decimal, thousands), misses)
        if rows == 0:
            break
    if best is None or best[0] > BAD_SHARE * total:
        return None
    rows, (decimal, thousands), misses = best
    misses.sort(key=lambda index: -counts[index])
    return Guess(
        format=CellFormat(decimal=decimal, thousands=thousands, prefix=prefix, suffix=suffix, negative=negative),
        bad=tuple(texts[index] for index in misses),
        bad_rows=rows,
        reason=_describe_style(decimal, thousands, prefix, suffix, negative),
        doubt=_doubt(bodies, decimal, thousands),
    )


def guess_grouped(evidence: Evidence, *, comma: bool) -> Guess:
    """How plain numbers are meant. Among decimal commas, "1.234" is a thousand and more; elsewhere a dot is a decimal
    mark, and so it is in a column that has "0.234"."""
    grouped = comma and evidence.all_match(r"^[+-]?\d{1,3}(\.\d{3})+$|^[+-]?\d{1,3}$") and evidence.any_match(r"\.")
    if grouped and not evidence.any_match(r"^[+-]?0\d*\."):
        return Guess(
            format=CellFormat(decimal=",", thousands="."),
            reason="'.' between thousands, as the file has decimal commas",
            doubt="the dot could also be a decimal mark",
        )
    return Guess(format=CellFormat())


def find_unread_quantity(texts: Sequence[str]) -> str:
    """What texts that are no numbers yet measure, with what would make them numbers; "" if they are words."""
    sample = texts[:_PROBE]
    if sum(_DURATION.fullmatch(text) is not None for text in sample) > 0.9 * len(sample):
        return f"durations such as {sample[0][:40]!r}, which are not read: write them in one unit, as seconds"
    units = {match[2] for text in sample if (match := _SCALED.fullmatch(text)) and match[2]}
    scaled = sum(_SCALED.fullmatch(text) is not None for text in sample)
    if 2 <= len(units) <= 6 and scaled > 0.9 * len(sample):
        listed = ", ".join(map(repr, sorted(units)))
        return f"numbers in several units ({listed}), which are not read: write them in one"
    return ""


def find_date_marks(evidence: Evidence) -> tuple[str, ...]:
    """What stands among dates and is none, but for what means "no value" everywhere."""
    return tuple(mark for mark in (*ODD_MISSING, *NO_NUMBER, *NO_DATE) if evidence.count(mark))


def find_far_marks(values: Array) -> list[tuple[float, int]]:
    """Numbers that often mean "no value" and stand far from all others in (n,) values, with how often they do."""
    found = []
    for mark in (-999.0, -9999.0, 9999.0, -99.0):
        count = int((values == mark).sum())
        others = values[values != mark]
        alone = len(others) > 10 and (mark < others.min() - np.ptp(others) or mark > others.max() + np.ptp(others))
        if count > 1 and alone:
            found.append((mark, count))
    return found


def is_comma_evidence(guess: Guess) -> bool:
    """Whether a format can only be meant with a decimal comma."""
    return guess.format.decimal == ","


def _worth_trying(texts: Sequence[str], counts: Array, total: int) -> bool:
    """A number holds a digit: most texts are told by that before any pattern runs."""
    lacking = [index for index, text in enumerate(texts) if len(text) > 40 or not any(map(str.isdigit, text))]
    return int(counts[lacking].sum()) <= BAD_SHARE * total if lacking else True


def _may_be_numbers(texts: Sequence[str], counts: Array, total: int, comma: bool) -> bool:
    """Whether some style reads the first texts, units aside: dates and codes need not be split to the last."""
    bodies = [_split_unit(text)[1] for text in texts[: max(_PROBE, len(texts) // 50)]]
    for style in _COMMA_FIRST if comma else _STYLES:
        pattern = _grammar(*style)
        misses = [index for index, body in enumerate(bodies) if not pattern.fullmatch(body)]
        if not misses or int(counts[misses].sum()) <= BAD_SHARE * total:
            return True
    return False


def _split_unit(text: str) -> tuple[str, str, str]:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace("\u2019", "'")
    match = _WITH_UNIT.fullmatch(text)
    if match is None:
        return "", text, ""
    return match[2] or "", match[1] + match[3], match[4] or ""


def _common_unit(units: list[str], counts: Array) -> str | None:
    """The one unit of the column ("" for none); None if there are several, or only some cells have it."""
    kinds = {unit for unit in units if unit}
    if not kinds:
        return ""
    if len(kinds) > 1:
        return None
    having = sum(int(count) for unit, count in zip(units, counts, strict=True) if unit)
    return kinds.pop() if having >= 0.9 * int(counts.sum()) else None


@functools.cache
def _grammar(decimal: str, thousands: str) -> re.Pattern[str]:
    mark = re.escape(decimal)
    plain = rf"\d+(?:{mark}\d*)?|{mark}\d+"
    if thousands:
        plain = rf"\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+(?:{mark}\d*)?|{plain}"
    return re.compile(rf"[+-]?(?:{plain})(?:[eE][+-]?\d+)?|{_INFINITE.pattern}", re.IGNORECASE)


def _find_negatives(texts: Sequence[str]) -> str:
    """How the column marks numbers below zero: in brackets or with a minus behind, if some text does; else ""."""
    if any(text[0] == "(" and _AROUND.fullmatch(text) for text in texts):
        return "()"
    return "-" if any(text[-1] == "-" and _BEHIND.fullmatch(text) for text in texts) else ""


def _describe_style(decimal: str, thousands: str, prefix: str, suffix: str, negative: str) -> str:
    marks = []
    if decimal == ",":
        marks.append("a decimal comma")
    if thousands:
        marks.append(f"{thousands!r} between thousands")
    marks += [f"{unit} cut off" for unit in (prefix, suffix) if unit]
    if negative:
        marks.append("a minus behind" if negative == "-" else "brackets for a minus")
    return " and ".join(marks)


def _doubt(bodies: Iterable[str], decimal: str, thousands: str) -> str:
    if thousands != "," and not (decimal == "," and not thousands):
        return ""
    marked = [body for body in bodies if "," in body]
    if (
        marked
        and all(re.fullmatch(r"[+-]?\d{1,3},\d{3}", body) for body in marked)
        and not any("." in b for b in bodies)
    ):
        return f"{marked[0]!r} could also be read with " + (
            "a decimal comma" if thousands else "a comma between thousands"
        )
    return ""


def guess_dates(texts: Sequence[str], counts: Array, *, day_first: bool | None = None) -> Guess | None:
    """The date format that reads all, or all but 1%, of the rows; None if there is none.

    Args:
        texts, counts: as in `guess_numbers`.
        day_first: what other columns of the table showed; None if nothing.
    """
    total = int(counts.sum())
    if total == 0:
        return None
    sample = texts[:50]
    for shape, formats in _STAMPS:
        if sum(shape.fullmatch(text) is not None for text in sample) > 0.9 * len(sample):
            return _try_formats(texts, counts, formats, total, day_first)
    if sum(_ISO.fullmatch(text) is not None for text in sample) > 0.9 * len(sample):
        return _try_formats(texts, counts, ("iso",), total, day_first)
    for shape, formats in _SHAPES:
        if sum(shape.fullmatch(text) is not None for text in sample) > 0.9 * len(sample):
            timed = [day + time for time in _TIMES for day in formats]
            return _try_formats(texts, counts, tuple(timed), total, day_first)
    return None


def _try_formats(
    texts: Sequence[str], counts: Array, formats: tuple[str, ...], total: int, day_first: bool | None
) -> Guess | None:
    series = _as_series(texts)
    first, first_counts = series.iloc[:_PROBE], counts[:_PROBE]
    tried = []
    for date_format in formats:
        gone = np.isnat(parse_dates(first, CellFormat(date_format=date_format)))
        if int(first_counts[gone].sum()) > BAD_SHARE * total:
            continue
        failed = np.isnat(parse_dates(series, CellFormat(date_format=date_format)))
        tried.append((int(counts[failed].sum()), date_format, np.flatnonzero(failed)))
    fewest = min((rows for rows, _, _ in tried), default=total)
    if fewest > BAD_SHARE * total:
        return None
    ties = [attempt for attempt in tried if attempt[0] == fewest]
    rows, chosen, failed_rows = ties[0]
    doubt = ""
    if len(ties) > 1 and {_is_day_first(attempt[1]) for attempt in ties} == {True, False}:
        wanted = day_first if day_first is not None else _is_day_first(chosen)
        rows, chosen, failed_rows = next(attempt for attempt in ties if _is_day_first(attempt[1]) == wanted)
        doubt = (
            "" if day_first is not None else "no day is above 12, so that day and month could be the other way round"
        )
    reason = "dates as ISO 8601" if chosen == "iso" else f"dates written like {texts[0]!r} ({chosen})"
    return Guess(
        format=CellFormat(date_format=chosen),
        bad=tuple(texts[int(index)] for index in failed_rows),
        bad_rows=rows,
        reason=reason,
        doubt=doubt,
    )


def _is_day_first(date_format: str) -> bool:
    return date_format.startswith("%d")


def is_day_first(guess: Guess) -> bool | None:
    """What a guess without doubt says of the order of day and month; None if nothing."""
    if guess.doubt or not {"%d", "%m"} <= set(re.findall("%.", guess.format.date_format)):
        return None
    if guess.format.date_format[:2] not in ("%d", "%m"):
        return None
    return _is_day_first(guess.format.date_format)


def _as_series(texts: Sequence[str]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(list(texts), dtype="str")


def speaks_of_time(name: str) -> bool:
    """Whether a word of a column's name says that it holds moments; the `date` in `candidate_id` is none."""
    return bool(_DATE_NAME.search(name))


def guess_number_dates(name: str, values: Array, *, is_code: bool = False) -> Guess | None:
    """Whether whole numbers are moments: seconds or milliseconds since 1970, or digits such as 20240131.

    Args:
        values: (n,) float64 without NaN.
        is_code: whether the name says that they stand for things: no seconds then, of which any number may be some.
    """
    if len(values) < 2 or not np.all(values == np.floor(values)):
        return None
    low, high = float(values.min()), float(values.max())
    named = speaks_of_time(name)
    varied = len(np.unique(values[:10000])) > min(10, len(values) // 2)
    for scale, date_format, unit in ((1.0, "epoch_s", "seconds"), (1e3, "epoch_ms", "milliseconds")):
        # 2000 to 2039; with a name that speaks of time, 1973 to 2096
        wide, narrow = (1e8 * scale, 4e9 * scale), (9.46e8 * scale, 2.2e9 * scale)
        start, end = wide if named else narrow
        if start <= low and high <= end and varied and not is_code:
            return Guess(format=CellFormat(date_format=date_format), reason=f"{unit} since 1970")
    if low >= 19000101 and high <= 21001231 and varied:
        year, rest = np.divmod(values.astype(np.int64), 10000)
        month, day = np.divmod(rest, 100)
        if np.all((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (year >= 1900)):
            return Guess(format=CellFormat(date_format="%Y%m%d"), reason="digits of year, month and day")
    return None
