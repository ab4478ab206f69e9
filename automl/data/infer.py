"""What role each column plays, with the reason, from all of its rows."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shlex
from typing import Any

import numpy as np
import pandas as pd

from automl import cells
from automl.data.evidence import Evidence
from automl.data.formats import (
    MISSING,
    NO_DATE,
    NO_NUMBER,
    ODD_MISSING,
    Guess,
    find_far_marks,
    find_unread_quantity,
    guess_dates,
    guess_grouped,
    guess_number_dates,
    guess_numbers,
)
from automl.data.remarks import Remarks
from automl.data.survey import Survey, survey
from automl.errors import DataError
from automl.matrix import Array
from automl.recipe import DataOptions
from automl.schema import CellFormat, Column, Notice, Role, Schema

_ID_NAME = re.compile(
    r"(?:^|[_\W])(?:id|idx|index|key|uuid|guid|rowid|rownum|row|nr|no)$|[a-z](?:Id|ID)$", re.IGNORECASE
)
_CODE_NAME = re.compile(
    r"zip|postal|postcode|(?:^|[_\W])plz|area_?code|fips|(?:^|[_\W])(?:naics|sic|icd|sku|ean|isbn)(?:$|[_\W])|(?:^|_)code$",
    re.IGNORECASE,
)
_YEAR_NAME = re.compile(r"year|(?:^|[_\W])(?:yr|jahr)(?:$|[_\W])", re.IGNORECASE)
_STEP_NAME = re.compile(r"t|time|timestep|step|tick|day|week|month|period", re.IGNORECASE)
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}")
_TRUTH_WORDS = {"true", "false"}
_ISO_CODE = re.compile(r"[A-Z]{2}")
_EXPONENT_CODE = re.compile(r"\d+[eE]\d+")
NO_VALUE = (*MISSING, *ODD_MISSING, *NO_NUMBER)
LEADING_ZEROS = "leading zeros, so codes rather than numbers"
TOO_SHORT = "the time was too short to look at it; give it more with --time"
# Words of which so many rows, and more than so many different ones, are numbers may be meant as numbers.
MOSTLY_NUMBERS, FEW_NUMBERS = 0.75, 10
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
            columns.append(_ignored(name, TOO_SHORT if name in unseen else "left out as asked"))
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


def _ignored(name: str, reason: str) -> Column:
    return Column(name=name, role=Role.IGNORE, reason=reason, required=False)


def _infer_column(evidence: Evidence, options: DataOptions, table: Survey, remarks: Remarks) -> Column:
    name = evidence.name
    forced = options.roles.get(name)
    if forced is not None:
        return _force(evidence, Role(forced), table, remarks)
    if evidence.is_empty:
        return _ignored(name, "every cell is missing")
    column = _guess_role(evidence, table, remarks, kept=name in options.keep)
    if column.role is Role.IGNORE and name in options.keep:
        return _force(evidence, Role.NUMBER if evidence.values is not None else Role.CATEGORY, table, remarks)
    return column


def _guess_role(evidence: Evidence, table: Survey, remarks: Remarks, *, kept: bool) -> Column:
    name = evidence.name
    if evidence.kind == "date":
        return _date_column(evidence, Guess(format=CellFormat(date_format="iso"), reason="a column of dates"), remarks)
    if evidence.kind == "category":
        return _category_column(evidence, "a column of categories", remarks)
    if evidence.kind == "bool":
        return _category_column(evidence, "true or false", remarks)
    if evidence.values is not None:
        grouped = guess_grouped(evidence, comma=table.comma)
        return _number_column(evidence, evidence.values, grouped, remarks, file_rows=table.rows)
    texts, counts = evidence.without((*MISSING, *ODD_MISSING))
    if not texts:
        return _ignored(name, "every cell is missing")
    words = {text.lower() for text in texts}
    if words & _TRUTH_WORDS and words <= {*_TRUTH_WORDS, "0", "1"}:
        return _category_column(evidence, "true or false", remarks, levels=("False", "True"))
    number_texts, number_counts = evidence.without((*MISSING, *ODD_MISSING, *NO_NUMBER))
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
    return _word_column(evidence, texts, counts, remarks)


def _text_numbers(evidence: Evidence, guess: Guess, remarks: Remarks, *, file_rows: int) -> Column:
    if _has_leading_zeros(evidence):
        return _code_column(evidence, LEADING_ZEROS, remarks)
    marks = tuple(mark for mark in (*MISSING, *ODD_MISSING, *NO_NUMBER) if evidence.count(mark))
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
        return _code_column(evidence, LEADING_ZEROS, remarks)
    if guess.format.thousands == ".":
        values = cells.parse_numbers(evidence.series, guess.format)
    if evidence.infinite:
        remarks.add(
            "number", name, f"{evidence.infinite} infinite cell(s) count as missing", "no model can use infinity"
        )
    good = values[~np.isnan(values)]
    if len(good) == 0:
        return _ignored(name, "every cell is missing")
    whole = bool(np.all(good == np.floor(good)))
    is_long = whole and np.abs(good).max() >= 2**53
    if is_long and (evidence.kind == "int" or evidence.all_match(r"^[+-]?\d+$", aside=NO_VALUE)):
        return _code_column(evidence, "integers too long to be exact numbers", remarks)
    distinct = len(np.unique(good))
    if distinct == 1:
        if len(good) < len(values):
            return _category_column(evidence, "one value or none", remarks)
        return _ignored(name, f"has one value, {cells.number_text(good[0])}")
    moments = guess_number_dates(name, good)
    if moments is not None:
        return _date_column(evidence, moments, remarks)
    if whole and _CODE_NAME.search(name) and good.min() >= 0:
        return _code_column(evidence, "its name says codes", remarks)
    reason = _identifier_reason(name, good, distinct, whole, len(values), file_rows)
    if reason:
        return _ignored(name, reason)
    if guess.reason:
        remarks.add("number", name, f"read as numbers with {guess.reason}", guess.doubt or "all rows agree")
    _suspect_marks(name, good, remarks)
    kind = "whole numbers" if whole else "numbers"
    return Column(name=name, role=Role.NUMBER, reason=f"{kind}, {distinct} distinct", format=guess.format)


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


def _code_column(evidence: Evidence, reason: str, remarks: Remarks) -> Column:
    distinct, rows = evidence.n_distinct, evidence.n_present
    if distinct == rows and rows >= 20:
        return _ignored(evidence.name, f"an identifier: {reason}, every one different")
    if distinct == 1 and rows == evidence.n_rows:
        return _ignored(evidence.name, "has one value")
    remarks.add("category", evidence.name, "kept as a category", reason)
    return _category_column(evidence, reason, remarks)


def _date_column(evidence: Evidence, guess: Guess, remarks: Remarks) -> Column:
    name = evidence.name
    odd = tuple(mark for mark in (*ODD_MISSING, *NO_NUMBER, *NO_DATE) if evidence.count(mark))
    for mark in odd:
        remarks.add("missing", name, f"{mark!r} counts as missing", "it stands among dates")
    cell_format = dataclasses.replace(guess.format, missing=(*MISSING, *odd))
    moments = cells.parse_dates(evidence.series, cell_format)
    good = moments[~np.isnat(moments)]
    if len(good) == 0:
        return _ignored(name, "every cell is missing")
    if len(np.unique(good)) == 1 and len(good) == len(moments):
        return _ignored(name, "has one value")
    if guess.bad:
        listed = ", ".join(repr(text[:40]) for text in guess.bad[:5])
        remarks.add("date", name, f"{guess.bad_rows} unreadable cell(s) count as missing: {listed}", guess.reason)
    if cell_format.date_format != "iso" or guess.doubt:
        remarks.add("date", name, f"read as {guess.reason}", guess.doubt or "all rows agree")
    if evidence.any_match(r"\d[+-]\d\d:?\d\d$|Z$") and evidence.kind == "text":
        remarks.add("date", name, "moments with a time zone are turned into UTC", "some cells name a zone")
    return Column(name=name, role=Role.DATE, reason=guess.reason, format=cell_format)


def _word_column(evidence: Evidence, texts: list[str], counts: Array, remarks: Remarks) -> Column:
    name, rows, distinct = evidence.name, int(counts.sum()), len(texts)
    if distinct == 1 and rows == evidence.n_rows:
        return _ignored(name, f"has one value, {texts[0][:40]!r}")
    lengths = np.array([len(text) for text in texts])
    words = np.array([text.count(" ") + 1 for text in texts])
    mean_words = float((words * counts).sum() / rows)
    mean_length = float((lengths * counts).sum() / rows)
    share = distinct / rows
    for pattern, what in ((_UUID, "UUIDs"), (_EMAIL, "e-mail addresses")):
        if share > 0.5 and distinct >= 10 and all(pattern.fullmatch(text) for text in texts):
            return _ignored(name, f"an identifier: {what}")
    spaceless = _mostly_ideographs(texts) and (mean_length >= 10 or _has_recurring_characters(texts, mean_length))
    if distinct >= 10 and (
        (mean_words >= 3 and share >= 0.3)
        or (mean_words >= 8 and share >= 0.1)
        or (share >= 0.5 and (spaceless or _has_recurring_words(texts)))
    ):
        shown = f"{mean_length:.0f} characters" if spaceless else f"{mean_words:.0f} words"
        return Column(
            name=name,
            role=Role.TEXT,
            reason=f"texts of {shown} on average, {share:.0%} of them different",
            format=CellFormat(missing=MISSING),
        )
    quantity = find_unread_quantity(texts)
    if distinct == rows and rows >= 20:
        return _ignored(name, quantity or "an identifier: every value is different")
    if rows > 100 and share > 0.98 and mean_words < 1.5:
        return _ignored(name, quantity or f"an identifier: {share:.1%} of the values are different")
    if quantity:
        remarks.add("category", name, "taken as categories", f"it holds {quantity}")
    _tell_numbers(name, texts, counts, remarks)
    _tell_alike(name, texts, remarks)
    reason = f"words, {distinct} distinct" if distinct > 2 else "two values" if distinct == 2 else "one value or none"
    return _category_column(evidence, reason, remarks)


def _tell_numbers(name: str, texts: list[str], counts: Array, remarks: Remarks) -> None:
    """Words that are mostly numbers: what a user would rather have as a number with holes."""
    seen = slice(0, 1000)
    numbers = ~np.isnan(cells.parse_numbers(pd.Series(texts[seen], dtype=object)))
    share = float(counts[seen][numbers].sum() / counts[seen].sum())
    other = next((text for text, number in zip(texts, numbers, strict=False) if not number), None)
    if share >= MOSTLY_NUMBERS and numbers.sum() > FEW_NUMBERS and other is not None:
        remarks.add(
            "category",
            name,
            f"{share:.0%} of the cells are numbers, others such as {other[:40]!r} are not: taken as categories",
            f"--role {shlex.quote(f'{name}=number')} takes the others as missing",
        )


def _tell_alike(name: str, texts: list[str], remarks: Remarks) -> None:
    """Categories that are one but for case or space, as far as there are few."""
    alike: dict[str, list[str]] = {}
    for text in texts[:1000]:
        alike.setdefault(" ".join(text.casefold().split()), []).append(text)
    first = next((group for group in alike.values() if len(group) > 1), None)
    if first is not None:
        listed = ", ".join(repr(text[:40]) for text in first[:4])
        text = f"categories differ only in case or space: {listed}"
        remarks.add("category", name, text, "they are kept apart; make them one in the file if they are")


def _has_recurring_words(texts: list[str]) -> bool:
    """Two words or more a text, out of a stock that others use too: short titles and queries, not names of rows."""
    sample = texts[:2000]
    words = [word for text in sample for word in text.lower().split() if word.isalpha()]
    return len(sample) >= 20 and len(words) >= 2 * len(sample) and len(set(words)) < 0.6 * len(words)


def _has_recurring_characters(texts: list[str], mean_length: float) -> bool:
    """Five or more a text, out of a stock that others use too; names of people are shorter."""
    sample = "".join(texts[:2000])
    return len(texts) >= 20 and mean_length >= 5 and len(set(sample)) < 0.3 * len(sample)


def _mostly_ideographs(texts: list[str]) -> bool:
    """Writing without blanks between words: Chinese, Japanese, Thai."""
    sample = "".join(texts[:200])
    wide = sum("\u0e00" <= character <= "\u0e7f" or "\u3040" <= character <= "\u9fff" for character in sample)
    return wide > 0.5 * max(len(sample), 1)


def _category_column(evidence: Evidence, reason: str, remarks: Remarks, levels: tuple[str, ...] = ()) -> Column:
    marks: tuple[str, ...] = MISSING
    others = [text for text in evidence.texts if text != "NA"]
    if evidence.count("NA") and len(others) >= 3 and all(_ISO_CODE.fullmatch(text) for text in others):
        marks = tuple(mark for mark in MISSING if mark != "NA")
        remarks.add("missing", evidence.name, "'NA' is kept as a value", "all values are codes of two letters")
    odd = tuple(mark for mark in ODD_MISSING if evidence.count(mark))
    for mark in odd:
        remarks.add("missing", evidence.name, f"{mark!r} counts as missing", "it commonly stands for no value")
    return Column(
        name=evidence.name,
        role=Role.CATEGORY,
        reason=reason,
        format=CellFormat(missing=(*marks, *odd)),
        levels=levels,
    )


def _force(evidence: Evidence, role: Role, table: Survey, remarks: Remarks) -> Column:
    """The column in the role a user asked for."""
    name, reason = evidence.name, "as asked"
    if role is Role.IGNORE:
        return _ignored(name, "left out as asked")
    if role is Role.NUMBER:
        texts, counts = evidence.without(NO_VALUE)
        guess = _guess_forced(evidence, texts, counts, comma=table.comma)
        marks = (*MISSING, *ODD_MISSING)
        cell_format = dataclasses.replace(guess.format if guess else CellFormat(), missing=marks)
        if np.isnan(cells.parse_numbers(evidence.series, cell_format)).all() and evidence.n_present:
            raise _role_error(evidence, role)
        _tell_unreadable(evidence, texts, counts, cell_format, remarks)
        return Column(name=name, role=role, reason=reason, format=cell_format)
    if role is Role.DATE:
        return _force_date(evidence, table)
    if role is Role.CATEGORY:
        return _category_column(evidence, reason, remarks)
    return Column(name=name, role=role, reason=reason, format=CellFormat(missing=MISSING))


def _guess_forced(evidence: Evidence, texts: list[str], counts: Array, *, comma: bool) -> Guess | None:
    """How the cells that hold a digit are written: the others are no numbers, and would hide it."""
    if evidence.values is not None:
        return guess_grouped(evidence, comma=comma)
    places = [place for place, text in enumerate(texts) if any(map(str.isdigit, text))]
    return guess_numbers([texts[place] for place in places], counts[places], comma=comma) if places else None


def _tell_unreadable(
    evidence: Evidence, texts: list[str], counts: Array, cell_format: CellFormat, remarks: Remarks
) -> None:
    if evidence.values is not None or not texts:
        return
    bad = np.flatnonzero(np.isnan(cells.parse_numbers(pd.Series(texts, dtype=object), cell_format)))
    if len(bad):
        listed = ", ".join(repr(texts[place][:40]) for place in bad[:5]) + (" …" if len(bad) > 5 else "")
        text = f"{int(counts[bad].sum())} unreadable cell(s) count as missing: {listed}"
        remarks.add("number", evidence.name, text, "it is a number as asked")


def _force_date(evidence: Evidence, table: Survey) -> Column:
    texts, counts = evidence.without((*NO_VALUE, *NO_DATE))
    guess = guess_dates(texts, counts, day_first=table.day_first) if texts else None
    if guess is None and evidence.values is not None:
        guess = guess_number_dates(evidence.name + " date", evidence.values[~np.isnan(evidence.values)])
    odd = tuple(mark for mark in (*ODD_MISSING, *NO_NUMBER, *NO_DATE) if evidence.count(mark))
    plain = guess.format if guess else CellFormat(date_format="iso")
    cell_format = dataclasses.replace(plain, missing=(*MISSING, *odd))
    if np.isnat(cells.parse_dates(evidence.series, cell_format)).all() and evidence.n_present:
        raise _role_error(evidence, Role.DATE)
    return Column(name=evidence.name, role=Role.DATE, reason="as asked", format=cell_format)


def _role_error(evidence: Evidence, role: Role) -> DataError:
    example = next((text for text in cells.to_text(evidence.series.iloc[:1000]) if text is not None), "")
    return DataError(
        f"Column {evidence.name!r} cannot be a {role}: it holds {example[:40]!r}",
        hint=f"--role {evidence.name}=category, or leave --role out",
    )


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
            column = _ignored(column.name, f"repeats the column {twin!r}")
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
