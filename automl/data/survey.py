"""The first look at all columns of a table, and what they tell about each other."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from automl import cells
from automl.data.evidence import Evidence, collect
from automl.data.formats import (
    NO_DATE,
    NO_VALUE,
    Guess,
    guess_dates,
    guess_numbers,
    is_comma_evidence,
    is_day_first,
)
from automl.schema import Role, Schema

_POINT = r"^\s*[+-]?(?:\d*\.(?:\d{1,2}|\d{4,})|0\d*\.\d+)\s*$"
# So many columns are looked at whatever the time; of a wide table this is not all.
FEWEST_COLUMNS = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Survey:
    """What the columns of one table tell about each other.

    Attributes:
        comma: whether some column can only be meant with decimal commas.
        day_first: the order of day and month, where a column leaves no doubt of it.
        guesses: column → number format and date format of its texts alone, as they need not be guessed twice.
        rows: of the file that the columns were drawn from.
    """

    comma: bool
    day_first: bool | None
    guesses: dict[str, tuple[Guess | None, Guess | None]]
    rows: int = 0


def shows_points(frame: pd.DataFrame, separator: str) -> bool:
    """Whether numbers of a table with semicolons have decimal points beyond doubt: 12.5 or 0.125, but not 1.250."""
    if separator != ";":
        return False
    return any(
        pc.any(pc.match_substring_regex(cells.as_arrow(column), _POINT)).as_py()
        for _, column in frame.items()
        if isinstance(column.dtype, pd.StringDtype)
    )


def find_day_order(schema: Schema) -> bool | None:
    """Whether the table's dates of two numbers have the day first; None if there are none, or of both kinds."""
    orders = {is_day_first(Guess(format=column.format)) for column in schema.of(Role.DATE)} - {None}
    return orders.pop() if len(orders) == 1 else None


def survey(
    frame: pd.DataFrame, labels: dict[str, Any], used: list[str], wanted: set[str], deadline: float, separator: str
) -> tuple[dict[str, Evidence], Survey]:
    """Look at every cell of the columns, as far as the time goes.

    Args:
        labels: name → label of the column in `frame`.
        used: names of the columns that are looked at, in their order; of those in `wanted` none is left out.
        deadline: `time.monotonic()` from which on no other is begun.
        separator: of the text table; a semicolon speaks for decimal commas.
    """
    found: dict[str, Evidence] = {}
    guesses: dict[str, tuple[Guess | None, Guess | None]] = {}
    for name in used:
        if len(found) >= FEWEST_COLUMNS and name not in wanted and time.monotonic() > deadline:
            continue
        evidence = found[name] = collect(name, frame[labels[name]])
        if evidence.texts:
            texts, counts = evidence.without(NO_VALUE)
            numbers = guess_numbers(texts, counts)
            if numbers is None:
                texts, counts = evidence.without((*NO_VALUE, *NO_DATE))
            guesses[name] = numbers, guess_dates(texts, counts) if numbers is None else None
    return found, _compare_columns(guesses, separator)


def _compare_columns(guesses: dict[str, tuple[Guess | None, Guess | None]], separator: str) -> Survey:
    """Marks and orders that are beyond doubt in one column decide for the doubtful ones."""
    comma = any(numbers is not None and is_comma_evidence(numbers) for numbers, _ in guesses.values())
    votes = {is_day_first(dates) for _, dates in guesses.values() if dates is not None} - {None}
    return Survey(comma or separator == ";", votes.pop() if len(votes) == 1 else None, guesses)
