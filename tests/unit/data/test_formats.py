"""Formats of numbers and dates, told from the first texts where that suffices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl import cells
from automl.data.formats import guess_dates, guess_numbers, speaks_of_time
from automl.matrix import Array
from automl.schema import CellFormat

ISO = CellFormat(date_format="iso", missing=("NA",))
DATES = (
    "2020-01-31", "2020-01-31 10:20:30", "2020-01-31T10:20", "2020-1-3", "2020-02-30", " 2021-05-06 ", "NA", "",
    "2020-01-31T10:20:30Z", "2020-01-31 10", "2020-01-31T10:20:30.123456", "0001-01-01", "2020-01", "1600-01-01",
    "2020-01-31T10:20:30+02:00",
)  # fmt: skip


def counts_of(texts: list[str]) -> Array:
    return np.ones(len(texts), dtype=np.int64)


def test_a_few_words_among_many_numbers_do_not_hide_them() -> None:
    texts = [f"{i},5 €" for i in range(3_000)]
    texts[1500:1510] = [f"none {i}" for i in range(10)]
    guess = guess_numbers(texts, counts_of(texts))
    assert guess is not None and (guess.format.decimal, guess.format.suffix, guess.bad_rows) == (",", "€", 10)


def test_days_are_dates_and_no_numbers() -> None:
    texts = [f"20{i % 90 + 10}-0{i % 9 + 1}-1{i % 7}" for i in range(3_000)]
    assert guess_numbers(texts, counts_of(texts)) is None
    dates = guess_dates(texts, counts_of(texts))
    assert dates is not None and dates.format.date_format == "iso"


@pytest.mark.parametrize(
    ("written", "expected"), [("%Y-%m", "%Y-%m"), ("%m/%Y", "%m/%Y"), ("%b %Y", "%b %Y"), ("%B-%Y", "%B-%Y")]
)
def test_months_are_dates(written: str, expected: str) -> None:
    texts = [f"{month:{written}}" for month in pd.period_range("1998-03", periods=70, freq="M")]
    assert guess_numbers(texts, counts_of(texts)) is None
    guess = guess_dates(texts, counts_of(texts))
    assert guess is not None and (guess.format.date_format, guess.bad, guess.doubt) == (expected, (), "")


@pytest.mark.parametrize("text", ["20{:02d}-{:02d}", "{:02d}/{:02d}17"])
def test_seasons_and_codes_are_no_months(text: str) -> None:
    texts = [text.format(n, (n + 1) % 100) for n in range(70)]
    assert guess_dates(texts, counts_of(texts)) is None


@pytest.mark.parametrize("first", DATES)
@pytest.mark.parametrize("second", DATES)
def test_a_whole_column_of_dates_is_read_as_its_cells_are_one_by_one(first: str, second: str) -> None:
    column = pd.Series([first, second, None] * 30, dtype="str")
    alone = [cells.parse_dates(column[place : place + 1], ISO)[0] for place in range(3)]
    np.testing.assert_array_equal(cells.parse_dates(column, ISO), np.array(alone * 30))


@pytest.mark.parametrize(
    ("style", "negative"),
    [
        (lambda value: f"(${-value:,.2f})" if value < 0 else f"${value:,.2f}", "()"),
        (lambda value: f"{-value:.2f}-" if value < 0 else f"{value:.2f}", "-"),
        (lambda value: f"{value:.2f}".replace(".", ","), ""),
    ],
    ids=["brackets", "behind", "before"],
)
@pytest.mark.parametrize("count", [20, 500])  # few cells are read in another way than many
def test_minus_signs_of_ledgers_are_read(style, negative: str, count: int) -> None:  # type: ignore[no-untyped-def]
    values = np.round(np.random.default_rng(2).normal(0, 5000, count), 2)
    texts = [style(value) for value in values]
    guess = guess_numbers(texts, counts_of(texts))
    assert guess is not None
    assert (guess.format.negative, guess.bad) == (negative, ())
    np.testing.assert_allclose(cells.parse_numbers(pd.Series(texts, dtype="str"), guess.format), values)
    if negative:
        assert ("brackets" if negative == "()" else "a minus behind") in guess.reason


def test_a_minus_behind_words_and_brackets_around_them_make_no_number() -> None:
    for texts in (["A-", "B-", "A", "B+"], ["(none)", "(all)", "(some)"], ["1-2", "3-4", "5-6"]):
        assert guess_numbers(texts, counts_of(texts)) is None


@pytest.mark.parametrize(
    "name",
    ["date", "createdAt", "created_at", "event_time", "Timestamp", "birthDate", "date_key", "TIME_MS", "TransactionDT"],
)
def test_a_name_with_a_word_of_time_speaks_of_it(name: str) -> None:
    assert speaks_of_time(name)


@pytest.mark.parametrize(
    "name", ["candidate_id", "mandate_no", "lifetime_value", "sentiment", "holidays", "format", "v"]
)
def test_a_word_of_time_within_another_says_nothing(name: str) -> None:
    assert not speaks_of_time(name)
