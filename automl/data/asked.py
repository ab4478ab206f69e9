"""Columns in the roles that a user asked for."""

from __future__ import annotations

import dataclasses
import shlex

import numpy as np
import pandas as pd

from automl import cells
from automl.data.evidence import Evidence
from automl.data.formats import (
    MISSING,
    NO_DATE,
    NO_VALUE,
    ODD_MISSING,
    Guess,
    find_date_marks,
    guess_dates,
    guess_grouped,
    guess_number_dates,
    guess_numbers,
)
from automl.data.remarks import Remarks
from automl.data.survey import Survey
from automl.data.words import category_column, ignored_column
from automl.errors import DataError
from automl.matrix import Array
from automl.schema import CellFormat, Column, Role


def force_role(evidence: Evidence, role: Role, table: Survey, remarks: Remarks) -> Column:
    """The column in the role a user asked for."""
    name, reason = evidence.name, "as asked"
    if role is Role.IGNORE:
        return ignored_column(name, "left out as asked")
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
        return category_column(evidence, reason, remarks)
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
    plain = guess.format if guess else CellFormat(date_format="iso")
    cell_format = dataclasses.replace(plain, missing=(*MISSING, *find_date_marks(evidence)))
    if np.isnat(cells.parse_dates(evidence.series, cell_format)).all() and evidence.n_present:
        raise _role_error(evidence, Role.DATE)
    return Column(name=evidence.name, role=Role.DATE, reason="as asked", format=cell_format)


def _role_error(evidence: Evidence, role: Role) -> DataError:
    example = next((text for text in cells.to_text(evidence.series.iloc[:1000]) if text is not None), "")
    return DataError(
        f"Column {evidence.name!r} cannot be a {role}: it holds {example[:40]!r}",
        hint=f"--role {shlex.quote(f'{evidence.name}=category')}, or leave --role out",
    )
