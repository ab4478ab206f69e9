"""Columns of words: texts, identifiers, codes or categories."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pandas as pd

from automl import cells
from automl.data.evidence import Evidence
from automl.data.formats import MISSING, ODD_MISSING, find_unread_quantity
from automl.data.remarks import Remarks
from automl.matrix import Array
from automl.schema import CellFormat, Column, Role

_UUID = re.compile(r"\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}")
_ISO_CODE = re.compile(r"[A-Z]{2}")
# Words of which so many rows, and more than so many different ones, are numbers may be meant as numbers.
MOSTLY_NUMBERS, FEW_NUMBERS = 0.75, 10


def ignored_column(name: str, reason: str) -> Column:
    return Column(name=name, role=Role.IGNORE, reason=reason, required=False)


def code_column(evidence: Evidence, reason: str, remarks: Remarks) -> Column:
    distinct, rows = evidence.n_distinct, evidence.n_present
    if distinct == rows and rows >= 20:
        return ignored_column(evidence.name, f"an identifier: {reason}, every one different")
    if distinct == 1 and rows == evidence.n_rows:
        return ignored_column(evidence.name, "has one value")
    remarks.add("category", evidence.name, "kept as a category", reason)
    return category_column(evidence, reason, remarks)


def word_column(evidence: Evidence, texts: list[str], counts: Array, remarks: Remarks) -> Column:
    name, rows, distinct = evidence.name, int(counts.sum()), len(texts)
    if distinct == 1 and rows == evidence.n_rows:
        return ignored_column(name, f"has one value, {texts[0][:40]!r}")
    lengths = np.array([len(text) for text in texts])
    words = np.array([text.count(" ") + 1 for text in texts])
    mean_words = float((words * counts).sum() / rows)
    mean_length = float((lengths * counts).sum() / rows)
    share = distinct / rows
    for pattern, what in ((_UUID, "UUIDs"), (_EMAIL, "e-mail addresses")):
        if share > 0.5 and distinct >= 10 and all(pattern.fullmatch(text) for text in texts):
            return ignored_column(name, f"an identifier: {what}")
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
        return ignored_column(name, quantity or "an identifier: every value is different")
    if rows > 100 and share > 0.98 and mean_words < 1.5:
        return ignored_column(name, quantity or f"an identifier: {share:.1%} of the values are different")
    if quantity:
        remarks.add("category", name, "taken as categories", f"it holds {quantity}")
    _tell_numbers(name, texts, counts, remarks)
    _tell_alike(name, texts, remarks)
    reason = f"words, {distinct} distinct" if distinct > 2 else "two values" if distinct == 2 else "one value or none"
    return category_column(evidence, reason, remarks)


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


def category_column(evidence: Evidence, reason: str, remarks: Remarks, levels: tuple[str, ...] = ()) -> Column:
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
