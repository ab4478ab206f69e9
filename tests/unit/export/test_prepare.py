"""The pre-step that travels with a graph reads cells as the training did."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from automl import cells
from automl.export import _prepare as prepare
from automl.schema import CellFormat

NUMBERS = [
    "1", " 2.50 ", "-3e5", ".5", "5.", "1,234", "1.234,5", "12,5", "$5", "-$5", "7 %", "7%", "$1,234.5", "−4", "１２",
    "٣", "true", "FALSE", "inf", "-Infinity", "nan", "NA", "?", "", "  ", "abc", "1e39", "3.4e38", "--5", "1_000",
    "($1,234.5)", "( 7 )", "7.5-",
    "0x10", None, 1, 2.5, True, float("nan"), float("inf"), 1e39, 10**20,
]  # fmt: skip
FORMATS = [
    CellFormat(),
    CellFormat(missing=("NA", "?", "1")),
    CellFormat(decimal=",", thousands="."),
    CellFormat(thousands=",", prefix="$"),
    CellFormat(suffix="%"),
    CellFormat(thousands=",", prefix="$", negative="()"),
    CellFormat(negative="-"),
]
TEXTS = [
    "Wien", " Wien ", "Zu\u0308rich", "\ufeffZürich\u200b", "3.0", "3", 3, 3.0, 0.1, "0.10", "1.50", "007", "-0.0",
    True, "true", "FALSE", "False", "NA", "?", "", " ", None, float("nan"), "1000000000000000.0", 1e15, 10**18,
]  # fmt: skip
DATES = [
    "2020-01-31", "2020-01-31 12:30", "2020-01-31T12:30:59.75", "2020-01-31T12:30:00Z", "2020-01-31T12:30:00+02:00",
    "2020-01", "2020", "1969-12-31 23:59:59", "2020-02-30", "no date", "", None, "20200131",
    "2024-1-5", "2024-1", "2024/01/05", "2024/1", "2024.1.5", "2024 01 05", "2024\\01\\05", "2024-01/05", "202401",
    "2024-01-05 7:30", "2024-01-05 7", "2024-01-05 07", "2024-1-1T1:1:1", "2024 1 5 7:30", "20240105T10:30",
    "20240105 10", "20240105T103015.25", "20240105T103", "2024010510", "2024-01-05T0730", "2024-01-05T0730:15",
    "2024-01-05T07:30:15,5", "2024-01-05T07:30:15.", "2024-01-05T07:30:15.123456789", "2024-01-05T07:30:15." + "1" * 19,
    "2024-01-05T07Z", "2024-01-05Z", "2024-01-05T07 +2", "2024-01-05T07:30+023", "2024-01-05T07:30-2:3",
    "2024-01-05T07:30 Z", "2024-01-05T07:30+24:00", "2024-01-05T07:30+02:60", "2024-01-05T07:30+02:",
    "2024-01-05T07:30z", "2024-01-05T24:00", "2024-01-05T23:59:60", "2024-01-05  07:30", "2024-01-05t07:30",
    "2024-001", "2024-W01-1", "0000-02-29", "-0001-12-31", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00",
    "10000-01-01", "２０２４-01-05", "now", "today", "nan", 2024, 20240105, 2024.5, "0001-01-01T00:00:00.123456789",
]  # fmt: skip


def form(cell_format: CellFormat) -> dict[str, object]:
    names = ("decimal", "thousands", "prefix", "suffix", "negative", "missing", "date_format")
    return {name: getattr(cell_format, name) for name in names}


@pytest.mark.parametrize("cell_format", FORMATS, ids=str)
def test_numbers_are_read_as_in_training(cell_format: CellFormat) -> None:
    expected = cells.parse_numbers(pd.Series(NUMBERS, dtype=object), cell_format)
    marks = frozenset(cell_format.missing)
    found = [prepare.read_number(cell, form(cell_format), marks) for cell in NUMBERS]
    np.testing.assert_array_equal(np.array(found), expected)


@pytest.mark.parametrize("marks", [(), ("NA", "?", "3")], ids=str)
def test_texts_are_read_as_in_training(marks: tuple[str, ...]) -> None:
    expected = [text or "" for text in cells.to_text(pd.Series(TEXTS, dtype=object), marks)]
    assert [prepare.read_text(cell, frozenset(marks)) for cell in TEXTS] == expected


@pytest.mark.parametrize(
    ("pattern", "extra"),
    [("iso", []), ("%d.%m.%Y", ["31.01.2020", "1.2.2021"]), ("epoch_s", [1580000000, "1580000000.9", -5.5]),
     ("epoch_ms", [1580000000999, "-1"])],
)  # fmt: skip
def test_dates_are_read_as_in_training(pattern: str, extra: list[object]) -> None:
    values = [*DATES, *extra]
    cell_format = CellFormat(date_format=pattern)
    moments = cells.parse_dates(pd.Series(values, dtype=object), cell_format).astype("datetime64[s]")
    expected = np.where(np.isnat(moments), np.nan, moments.astype(np.int64))
    found = [prepare.read_date(cell, form(cell_format)) for cell in values]
    np.testing.assert_array_equal(np.array(found), expected)


def dates_of_training(values: list[object], pattern: str = "iso") -> list[float]:
    moments = cells.parse_dates(pd.Series(values, dtype=object), CellFormat(date_format=pattern))
    seconds = moments.astype("datetime64[s]")
    return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64)).tolist()


def digits(most: int) -> st.SearchStrategy[str]:
    return st.text("0123459", min_size=1, max_size=most)


SPACE, MARK = st.sampled_from(["", "", " ", "\t", "  "]), st.sampled_from([":", ":", ""])
DAYS = st.builds(
    lambda year, mark, month, day, other: f"{year}{mark}{month}" + (f"{other or mark}{day}" if day else ""),
    st.sampled_from(["2024", "1969", "0000", "0099", "9999", "-0044", "24"]),
    st.sampled_from(["-", "-", "/", ".", " ", "\\", "", "_"]),
    st.sampled_from(["01", "1", "12", "2", "02", "13", "0"]),
    st.sampled_from(["05", "5", "31", "29", "", "0"]),
    st.sampled_from(["", "", "", "", "/"]),
)
TIMES = st.builds(
    lambda start, hour, one, minute, two, second, rest: f"{start}{hour}{one}{minute}{two}{second}{rest}",
    st.sampled_from(["T", " ", "T", " ", "  ", "t", ""]),
    digits(2),
    MARK,
    st.one_of(st.just(""), digits(2)),
    MARK,
    st.one_of(st.just(""), digits(2)),
    st.one_of(st.just(""), st.builds(lambda mark, part: mark + part, st.sampled_from(".,"), digits(20))),
)
ZONES = st.one_of(
    st.sampled_from(["", "", "Z", "z", " UTC"]),
    st.builds(
        lambda space, sign, hour, mark, minute, end: f"{space}{sign}{hour}{mark}{minute}{end}",
        SPACE,
        st.sampled_from("+-"),
        digits(2),
        MARK,
        st.one_of(st.just(""), digits(2)),
        SPACE,
    ),
)


@given(st.lists(st.builds("{}{}{}".format, DAYS, st.one_of(st.just(""), TIMES), ZONES), min_size=8, max_size=8))
def test_dates_are_read_as_in_training_however_they_are_written(texts: list[str]) -> None:
    found = [prepare.read_date(text, form(CellFormat(date_format="iso"))) for text in texts]
    np.testing.assert_array_equal(found, dates_of_training([*texts]), err_msg=str(texts))


def test_a_long_column_of_text_gives_the_dates_that_each_cell_gives() -> None:
    for text in DATES:
        if isinstance(text, str):
            many = cells.parse_dates(pd.Series([text] * 65, dtype="str"), CellFormat(date_format="iso"))
            assert str(many[0]) == str(cells.parse_dates(pd.Series([text]), CellFormat(date_format="iso"))[0]), text


OLD_EDGES = re.compile("^[\\s\ufeff\u200b]+|[\\s\ufeff\u200b]+$")
READERS: list[Callable[[str], str]] = [prepare.read_text, lambda text: cells.text_of(text) or ""]
ODD = st.text(st.sampled_from("a3.0é\ufeff\u200b \t\n\x1c\x85\xa0\u2003\u3000\u0300\u0327"), max_size=30)


def test_the_blanks_at_the_edges_are_all_that_unicode_has() -> None:
    spaces = {chr(code) for code in range(0x110000) if chr(code).isspace()}
    assert set(cells._BLANKS) == set(prepare._BLANKS) == spaces | {"\ufeff", "\u200b"}


@given(st.one_of(ODD, st.text(max_size=30)))
@example("\ufeff\n é \u200b\u3000")
def test_a_text_is_stripped_as_the_pattern_of_its_edges_says(text: str) -> None:
    stripped = text.strip()
    expected = stripped if stripped.isascii() else OLD_EDGES.sub("", unicodedata.normalize("NFC", stripped))
    assume(not re.fullmatch(r"(?i)true|false|[+-]?\d+\.0+", expected))
    assert [read(text) for read in READERS] == [expected, expected]


@pytest.mark.parametrize("read", READERS, ids=["pre-step", "training"])
def test_thirty_marks_in_a_row_are_composed_and_more_are_left_as_they_are(read: Callable[[str], str]) -> None:
    assert read(" e" + "\u0301" * 30) == "é" + "\u0301" * 29
    assert read(" e" + "\u0301" * 31) == "e" + "\u0301" * 31
    assert read("Zu\u0308rich " + "中" * 40) == "Zürich " + "中" * 40


HEAVY = {
    "blanks within": "é" + " " * 1_000_000 + "x",
    "marks out of order": "a" + "\u0300\u0327" * 250_000,
    "marks that have no class": "a" + "\u0f73" * 300_000,
    "marks at the limit": ("a" + "\u0300\u0327" * 15) * 16_000,
    "a language without blanks": "中" * 330_000,
    "digits and a letter": "1" * 1_000_000 + "x",
    "digits, a point, and a letter": "1" * 500_000 + "." + "1" * 500_000 + "x",
    "wide digits": "１" * 330_000 + "x",
    "a kana's marks": "1" + "\uff9e\u0300" * 250_000,
}


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY.keys())
def test_a_cell_of_a_megabyte_is_read_in_a_moment(text: str) -> None:
    """By process time, which other work on the machine does not change; it takes hours where time grows as n²."""
    cell_format = CellFormat(date_format="%d/%m/%Y")
    reads: list[Callable[[], object]] = [
        lambda: prepare.read_text(text),
        lambda: prepare.read_number(text, form(cell_format)),
        lambda: prepare.read_date(text, form(cell_format)),
        lambda: cells.to_text(pd.Series([text], dtype=object)),
        lambda: cells.to_labels(pd.Series([text], dtype=object), "str"),
        lambda: cells.parse_numbers(pd.Series([text], dtype=object)),
        lambda: cells.parse_dates(pd.Series([text], dtype=object), cell_format),
    ]
    for read in reads:
        began = time.process_time()
        read()
        assert time.process_time() - began < 1.0


def test_a_column_that_no_row_has_is_named() -> None:
    entry = {"name": "age", "column": "age", "required": True, "dtype": "float32", "kind": "number"}
    read = prepare.Prepare({"inputs": [{**entry, "format": form(CellFormat())}]})
    assert read([{"age": "41"}, {}])["age"].tolist()[0] == [41.0]
    with pytest.raises(ValueError, match="'age'"):
        read([{"height": 3}])
