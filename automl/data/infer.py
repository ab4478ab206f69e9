"""What role each column plays, with the reason, from all of its rows."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any

import numpy as np
import pandas as pd

from automl import cells
from automl.data.asked import force_role
from automl.data.evidence import Evidence
from automl.data.formats import (
    MISSING,
    NO_DATE,
    NO_VALUE,
    ODD_MISSING,
    Guess,
    find_date_marks,
    find_far_marks,
    guess_dates,
    guess_grouped,
    guess_number_dates,
    guess_numbers,
    speaks_of_time,
)
from automl.data.remarks import Remarks
from automl.data.survey import Survey, survey
from automl.data.words import category_column, code_column, ignored_column, word_column
from automl.matrix import Array
from automl.recipe import DataOptions
from automl.schema import CellFormat, Column, Notice, Role, Schema

_ID_NAME = re.compile(
    r"(?:^|[_\W])(?:id|idx|index|key|uuid|guid|rowid|rownum|row|nr|no)$|(?-i:[a-z](?:Id|ID)$)", re.IGNORECASE
)
_CODE_NAME = re.compile(
    r"zip|postal|postcode|(?:^|[_\W])plz|area_?code|fips"
    r"|(?:^|[_\W])(?:naics|sic|icd|sku|ean|isbn|npi)(?:$|[_\W])|(?:^|_)code$",
    re.IGNORECASE,
)
_YEAR_NAME = re.compile(r"year|(?:^|[_\W])(?:yr|jahr)(?:$|[_\W])", re.IGNORECASE)
_STEP_NAME = re.compile(r"t|time|timestep|step|tick|day|week|month|period", re.IGNORECASE)
_TRUTH_WORDS = {"true", "false"}
_EXPONENT_CODE = re.compile(r"\d+[eE]\d+")
LEADING_ZEROS = "leading zeros, so codes rather than numbers"
TOO_SHORT = "the time was too short to look at it; give it more with --time"
_FLOAT32_STEPS = 1e-4  # float32 may blur a value by so much of the column's spread


def infer_schema(
    frame: pd.DataFrame,
    options: DataOptions,
    *,
    separator: str = "",
    total_rows: int | None = None,
    deadline: float = float("inf"),
) -> tuple[Schema, pd.DataFrame, list[Notice]]:
    """Give each column a role.

    Args:
        frame: raw feature columns (n, d); see `automl.data.table.RawTable`.
        options: `roles` overrides guesses, `drop` leaves out, `keep` uses what looks like an identifier.
        separator: of the text table; a semicolon speaks for decimal commas.
        total_rows: of the file that the frame was drawn from; its own rows without it.
        deadline: `time.monotonic()` from which on no further column is looked at, but for those that options name:
            what is left of a very wide table is left out, and noticed.

    Returns:
        The schema with every column in it, the typed frame of its features, and what was guessed and dropped.

    Raises:
        DataError: if a column cannot play the role asked for, or holds lists, objects or complex numbers.
    """
    remarks = Remarks()
    dropped = set(options.drop)
    used = [name for name in map(str, frame.columns) if name not in dropped and options.roles.get(name) != "ignore"]
    labels = columns_of(frame)
    found, table = survey(frame, labels, used, {*options.roles, *options.keep}, deadline, separator)
    table = dataclasses.replace(table, rows=total_rows or len(frame))
    unseen = {name for name in used if name not in found}
    columns = []
    for name in map(str, frame.columns):
        if name not in found:
            columns.append(ignored_column(name, TOO_SHORT if name in unseen else "left out as asked"))
            if name in unseen:
                remarks.add("column", name, "not used", TOO_SHORT)
            continue
        column = _infer_column(found[name], options, table, remarks)
        columns.append(column)
        if column.role is Role.IGNORE:
            remarks.add("column", name, "not used", column.reason)
    typed = cells.parse_frame(frame, [column for column in columns if column.role is not Role.IGNORE])
    columns = _finish(columns, typed, set(options.keep) | set(options.roles), remarks)
    features = [column.name for column in columns if column.role is not Role.IGNORE]
    return Schema(tuple(columns)), typed[features] if len(features) < typed.shape[1] else typed, remarks.notices()


def digest(values: Array) -> str:
    """16 hex digits of an array's content."""
    plain = pd.util.hash_array(values) if values.dtype == object else np.ascontiguousarray(values)
    content = plain.tobytes()
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _infer_column(evidence: Evidence, options: DataOptions, table: Survey, remarks: Remarks) -> Column:
    name = evidence.name
    forced = options.roles.get(name)
    if forced is not None:
        return force_role(evidence, Role(forced), table, remarks)
    if evidence.is_empty:
        return ignored_column(name, "every cell is missing")
    column = _guess_role(evidence, table, remarks, kept=name in options.keep)
    if column.role is Role.IGNORE and name in options.keep:
        return force_role(evidence, Role.NUMBER if evidence.values is not None else Role.CATEGORY, table, remarks)
    return column


def _guess_role(evidence: Evidence, table: Survey, remarks: Remarks, *, kept: bool) -> Column:
    name = evidence.name
    if evidence.kind == "date":
        return _date_column(evidence, Guess(format=CellFormat(date_format="iso"), reason="a column of dates"), remarks)
    if evidence.kind == "category":
        return category_column(evidence, "a column of categories", remarks)
    if evidence.kind == "bool":
        return category_column(evidence, "true or false", remarks)
    if evidence.values is not None:
        grouped = guess_grouped(evidence, comma=table.comma)
        return _number_column(evidence, evidence.values, grouped, remarks, file_rows=table.rows)
    texts, counts = evidence.without((*MISSING, *ODD_MISSING))
    if not texts:
        return ignored_column(name, "every cell is missing")
    words = {text.lower() for text in texts}
    if words & _TRUTH_WORDS and words <= {*_TRUTH_WORDS, "0", "1"}:
        return category_column(evidence, "true or false", remarks, levels=("False", "True"))
    number_texts, number_counts = evidence.without(NO_VALUE)
    numbers, dates = table.guesses[name]
    if table.comma:
        numbers = guess_numbers(number_texts, number_counts, comma=True)
    if numbers is not None and not all(_EXPONENT_CODE.fullmatch(text) for text in number_texts):
        return _text_numbers(evidence, numbers, remarks, file_rows=table.rows)
    if table.day_first is not None or table.guesses[name][0] is not None:
        date_texts, date_counts = evidence.without((*NO_VALUE, *NO_DATE))
        dates = guess_dates(date_texts, date_counts, day_first=table.day_first)
    if dates is not None:
        return _date_column(evidence, dates, remarks)
    return word_column(evidence, texts, counts, remarks)


def _text_numbers(evidence: Evidence, guess: Guess, remarks: Remarks, *, file_rows: int) -> Column:
    if _has_leading_zeros(evidence):
        return code_column(evidence, LEADING_ZEROS, remarks)
    marks = tuple(mark for mark in NO_VALUE if evidence.count(mark))
    cell_format = dataclasses.replace(guess.format, missing=marks)
    for mark in marks:
        if mark not in MISSING:
            remarks.add("missing", evidence.name, f"{mark!r} counts as missing", "it stands among numbers")
    if guess.bad:
        listed = ", ".join(repr(text[:40]) for text in guess.bad[:5]) + (" …" if len(guess.bad) > 5 else "")
        remarks.add(
            "number",
            evidence.name,
            f"{guess.bad_rows} unreadable cell(s) count as missing: {listed}",
            "all others are numbers",
        )
    if evidence.any_match(r"(?i)^[+-]?inf(inity)?$"):
        infinite = ("inf", "infinity")
        found = zip(evidence.texts, evidence.counts, strict=True)
        evidence.infinite = sum(int(count) for text, count in found if text.lower().lstrip("+-") in infinite)
    values = cells.parse_numbers(evidence.series, cell_format)
    known = dataclasses.replace(guess, format=cell_format)
    return _number_column(evidence, values, known, remarks, file_rows=file_rows)


def _has_leading_zeros(evidence: Evidence) -> bool:
    return evidence.any_match(r"^[+-]?0\d+$") and evidence.all_match(r"^\d+$", aside=NO_VALUE)


def _number_column(evidence: Evidence, values: Array, guess: Guess, remarks: Remarks, *, file_rows: int) -> Column:
    name = evidence.name
    if _has_leading_zeros(evidence):
        return code_column(evidence, LEADING_ZEROS, remarks)
    if guess.format.thousands == ".":
        values = cells.parse_numbers(evidence.series, guess.format)
    if evidence.infinite:
        remarks.add(
            "number", name, f"{evidence.infinite} infinite cell(s) count as missing", "no model can use infinity"
        )
    good = values[~np.isnan(values)]
    if len(good) == 0:
        return ignored_column(name, "every cell is missing")
    whole = bool(np.all(good == np.floor(good)))
    is_long = whole and np.abs(good).max() >= 2**53
    if is_long and (evidence.kind == "int" or evidence.all_match(r"^[+-]?\d+$", aside=NO_VALUE)):
        return code_column(evidence, "integers too long to be exact numbers", remarks)
    distinct = len(np.unique(good))
    if distinct == 1:
        if len(good) < len(values):
            return category_column(evidence, "one value or none", remarks)
        return ignored_column(name, f"has one value, {cells.number_text(good[0])}")
    moments = guess_number_dates(name, good, is_code=_names_codes(name))
    if moments is not None:
        return _date_column(evidence, moments, remarks)
    if whole and _CODE_NAME.search(name) and good.min() >= 0:
        return code_column(evidence, "its name says codes", remarks)
    reason = _identifier_reason(name, good, distinct, whole, len(values), file_rows)
    if reason:
        return ignored_column(name, reason)
    if guess.reason:
        remarks.add("number", name, f"read as numbers with {guess.reason}", guess.doubt or "all rows agree")
    _suspect_marks(name, good, remarks)
    kind = "whole numbers" if whole else "numbers"
    return Column(name=name, role=Role.NUMBER, reason=f"{kind}, {distinct} distinct", format=guess.format)


def _names_codes(name: str) -> bool:
    """Whether a name says that its numbers stand for things: those of ten digits would be seconds since 1970. An index
    may well be of moments."""
    if speaks_of_time(name) or name.lower().endswith(("index", "idx")):
        return False
    return bool(_ID_NAME.search(name) or _CODE_NAME.search(name))


def _suspect_marks(name: str, good: Array, remarks: Remarks) -> None:
    for mark, count in find_far_marks(good):
        text = f"{count} cells are {cells.number_text(mark)}, far from all others, and stay numbers"
        remarks.add("missing", name, text, "empty the cells if they mean missing")


def _identifier_reason(name: str, good: Array, distinct: int, whole: bool, rows: int, file_rows: int) -> str:
    if not whole or distinct < len(good) or len(good) < rows or rows < 20:
        return ""
    if _ID_NAME.search(name):
        return "an identifier: whole numbers, every one different, and its name says so"
    span = float(good.max() - good.min()) + 1
    if _YEAR_NAME.search(name) or _STEP_NAME.fullmatch(name) or rows < 50 or span > 2 * file_rows:
        return ""
    return "an identifier: whole numbers that count up, every one different"


def _date_column(evidence: Evidence, guess: Guess, remarks: Remarks) -> Column:
    name = evidence.name
    odd = find_date_marks(evidence)
    for mark in odd:
        remarks.add("missing", name, f"{mark!r} counts as missing", "it stands among dates")
    cell_format = dataclasses.replace(guess.format, missing=(*MISSING, *odd))
    moments = cells.parse_dates(evidence.series, cell_format)
    good = moments[~np.isnat(moments)]
    if len(good) == 0:
        return ignored_column(name, "every cell is missing")
    if len(np.unique(good)) == 1 and len(good) == len(moments):
        return ignored_column(name, "has one value")
    if guess.bad:
        listed = ", ".join(repr(text[:40]) for text in guess.bad[:5])
        remarks.add("date", name, f"{guess.bad_rows} unreadable cell(s) count as missing: {listed}", guess.reason)
    if cell_format.date_format != "iso" or guess.doubt:
        remarks.add("date", name, f"read as {guess.reason}", guess.doubt or "all rows agree")
    if "%y" in cell_format.date_format:
        _suspect_years(name, good, remarks)
    if evidence.any_match(r"\d[+-]\d\d:?\d\d$|Z$") and evidence.kind == "text":
        remarks.add("date", name, "moments with a time zone are turned into UTC", "some cells name a zone")
    return Column(name=name, role=Role.DATE, reason=guess.reason, format=cell_format)


def _suspect_years(name: str, moments: Array, remarks: Remarks) -> None:
    """Two digits up to 68 are years of this century, which makes an early date of birth one in the future."""
    late = moments[moments > np.datetime64("now") + np.timedelta64(366, "D")]
    if len(late):
        year = np.datetime_as_string(late.max(), unit="Y")
        text = f"{len(late):,} cell(s) lie in the future, up to {year}"
        remarks.add("date", name, text, "years have two digits; write four if they are past")


def _finish(columns: list[Column], typed: pd.DataFrame, wanted: set[str], remarks: Remarks) -> list[Column]:
    """Levels, offsets and missing marks from the typed values; repeated columns set aside."""
    seen: dict[tuple[Role, str], str] = {}
    finished = []
    for column in columns:
        if column.role is Role.IGNORE:
            finished.append(column)
            continue
        values = typed[column.name].to_numpy()
        twin = seen.setdefault((column.role, digest(values)), column.name)
        if twin != column.name and column.name not in wanted:
            column = ignored_column(column.name, f"repeats the column {twin!r}")
            remarks.add("column", column.name, "not used", column.reason)
            finished.append(column)
            continue
        finished.append(_complete(column, values))
    return finished


def _complete(column: Column, values: Array) -> Column:
    gone = pd.isna(values)
    levels: tuple[str, ...] = ()
    offset = 0.0
    if column.role is Role.CATEGORY:
        codes, names = pd.factorize(values)
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        levels = tuple(name for _, name in sorted(zip(-counts, names, strict=True)))
    if column.role is Role.NUMBER:
        offset = _float32_offset(values[~gone])
    return dataclasses.replace(column, levels=levels, offset=offset, has_missing=bool(gone.any()))


def _float32_offset(good: Array) -> float:
    """What to subtract so that float32 keeps the differences; 0 where it does anyway.

    float32 has 24 bits: a value of 10^9 is kept to ±32.
    """
    if len(good) < 2:
        return 0.0
    spread = float(np.std(good))
    blur = float(np.abs(good - good.astype(np.float32).astype(np.float64)).max())
    if not np.isfinite(spread) or spread == 0 or blur <= _FLOAT32_STEPS * spread:
        return 0.0
    middle = float(np.round(np.median(good)))
    moved = good - middle
    left = float(np.abs(moved - moved.astype(np.float32).astype(np.float64)).max())
    return middle if left < blur / 2 else 0.0


def columns_of(frame: pd.DataFrame) -> dict[str, Any]:
    """Column labels by their text."""
    return {str(name): name for name in frame.columns}
