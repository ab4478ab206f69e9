"""Cells become text, numbers and dates: the same from typed columns and from text."""

from __future__ import annotations

import datetime
import decimal
import time

import numpy as np
import pandas as pd
import pytest

from automl import cells
from automl.schema import CellFormat, Column, Role

MANY = cells.SMALL_ROWS + 1  # enough rows for the vectorised path


def both_sizes(values: list[object], dtype: object = None) -> list[pd.Series]:
    """The same cells as a short column and, repeated, as a long one."""
    return [pd.Series(values, dtype=dtype), pd.Series(values * MANY, dtype=dtype)]


@pytest.mark.parametrize(
    ("values", "dtype", "texts"),
    [
        ([3.0, 0.1, np.nan, -0.0, 1e20], None, ["3", "0.1", None, "0", "1e+20"]),
        ([3, -7], None, ["3", "-7"]),
        ([True, False], None, ["True", "False"]),
        (["\ufeff 33", "a\u200b\u00a0"], object, ["33", "a"]),
        ([True, None, False], object, ["True", None, "False"]),
        ([3, None], "Int64", ["3", None]),
        ([" a ", "", "  ", None, "e\u0301"], "str", ["a", None, None, None, "é"]),
        ([" a ", "", None], object, ["a", None, None]),
        (["3.0", "-12.00", "0.10", "01.0", "true", "FALSE"], "str", ["3", "-12", "0.10", "01.0", "True", "False"]),
        ([1, 1.5, True, "1", "x", None], object, ["1", "1.5", "True", "1", "x", None]),
        (["b", None, "a"], "category", ["b", None, "a"]),
        ([pd.Timestamp("2024-01-31"), pd.NaT], None, ["2024-01-31", None]),
        ([pd.Timestamp("2024-01-31 12:30")], None, ["2024-01-31 12:30:00"]),
        ([decimal.Decimal("1.50")], object, ["1.50"]),
        ([b"ab"], object, ["ab"]),
    ],
)
def test_text_is_canonical_in_short_and_long_columns(
    values: list[object], dtype: object, texts: list[str | None]
) -> None:
    short, long = both_sizes(values, dtype)
    assert cells.to_text(short).tolist() == texts
    assert cells.to_text(long).tolist() == texts * MANY


def test_missing_marks_become_none() -> None:
    for series in both_sizes(["a", "?", "NA"], "str"):
        assert cells.to_text(series, missing=("?",)).tolist()[:3] == ["a", None, "NA"]


@pytest.mark.parametrize(
    ("label_type", "values", "labels"),
    [
        ("int", [1, 2.0, "3", " 4.0 ", None, "x"], ["1", "2", "3", "4", None, None]),
        ("float", ["0.0", 1.5], ["0", "1.5"]),
        ("bool", [True, "false", "1", 0, None], ["True", "False", "True", "False", None]),
        ("str", [" yes ", "true", "1.0", "", None, 3], ["yes", "true", "1.0", None, None, "3"]),
    ],
)
def test_labels_keep_the_form_of_their_type(label_type: str, values: list[object], labels: list[str | None]) -> None:
    assert cells.to_labels(pd.Series(values, dtype=object), label_type) == labels


@pytest.mark.parametrize(
    ("cell_format", "texts", "numbers"),
    [
        (
            CellFormat(),
            ["1.5", " 2 ", "+3", "-.5", "1e3", "", "x", "1_000", "0x1F"],
            [1.5, 2, 3, -0.5, 1000, None, None, None, None],
        ),
        (
            CellFormat(),
            ["inf", "-Infinity", "nan", "1e400", "1e-400", "-4e38", "3e38"],
            [None, None, None, None, 0, None, 3e38],
        ),
        (CellFormat(), ["true", "False", "１２", "٣", "\u22125", "½"], [1, 0, 12, 3, -5, None]),
        (CellFormat(decimal=","), ["1,5", "-2,25", "7", "1.5"], [1.5, -2.25, 7, 1.5]),
        (CellFormat(decimal=",", thousands="."), ["1.234,5", "1.234", "12,5", "1.5"], [1234.5, 1234, 12.5, 1.5]),
        (CellFormat(thousands=","), ["1,234.5", "1,234,567", "12", "1,23"], [1234.5, 1234567, 12, None]),
        (CellFormat(thousands=" "), ["1 234", "1\u00a0234", "1\u202f234.5"], [1234, 1234, 1234.5]),
        (CellFormat(thousands="'"), ["1'234", "1\u2019234"], [1234, 1234]),
        (CellFormat(prefix="$", thousands=","), ["$1,234.50", "-$2", "$-3", "$ 4", "5"], [1234.5, -2, -3, 4, 5]),
        (CellFormat(suffix="%"), ["5%", "5.5 %", "6"], [5, 5.5, 6]),
        (CellFormat(missing=("-999", "-")), ["-999", "-", "3"], [None, None, 3]),
    ],
)
def test_numbers_are_read_by_their_format(
    cell_format: CellFormat, texts: list[str], numbers: list[float | None]
) -> None:
    wanted = np.array([np.nan if number is None else number for number in numbers])
    for dtype in ("str", object):
        short, long = both_sizes(list(texts), dtype)
        np.testing.assert_array_equal(cells.parse_numbers(short, cell_format), wanted)
        np.testing.assert_array_equal(cells.parse_numbers(long, cell_format), np.tile(wanted, MANY))


@pytest.mark.parametrize(
    ("values", "dtype", "numbers"),
    [
        ([1, None], "Int64", [1, np.nan]),
        ([True, False], None, [1, 0]),
        ([np.inf, -np.inf, 2.5], None, [np.nan, np.nan, 2.5]),
        ([pd.Timedelta("1min"), pd.NaT], None, [60, np.nan]),
        ([pd.Timestamp("2024-01-01")], None, [np.nan]),
        ([1 + 2j], None, [np.nan]),
        ([decimal.Decimal("1.5"), None, "2"], object, [1.5, np.nan, 2]),
        (["1", "2"], "category", [1, 2]),
    ],
)
def test_numbers_of_typed_columns(values: list[object], dtype: object, numbers: list[float]) -> None:
    short, long = both_sizes(values, dtype)
    np.testing.assert_array_equal(cells.parse_numbers(short), numbers)
    np.testing.assert_array_equal(cells.parse_numbers(long), numbers * MANY)


def test_a_missing_mark_counts_in_typed_columns_too() -> None:
    for series in both_sizes([-999.0, 3.0]):
        assert np.isnan(cells.parse_numbers(series, CellFormat(missing=("-999",)))[0])


def test_text_numbers_are_exact_to_the_last_bit() -> None:
    values = np.random.default_rng(3).normal(size=70) * 10.0 ** np.arange(-35, 35)
    texts = pd.Series([repr(float(value)) for value in values], dtype="str")
    np.testing.assert_array_equal(cells.parse_numbers(texts), values)
    np.testing.assert_array_equal(cells.parse_numbers(pd.concat([texts, pd.Series(["x"])])).tolist()[:-1], values)


@pytest.mark.parametrize(
    ("date_format", "cell", "moment"),
    [
        ("iso", "2024-01-31", "2024-01-31T00:00"),
        ("iso", "2024-01-31 12:30:01.5", "2024-01-31T12:30:01.5"),
        ("iso", "2024-01-31T01:00:00+02:00", "2024-01-30T23:00"),
        ("iso", "2024-02-30", None),
        ("iso", "word", None),
        ("%d/%m/%Y", "01/02/2024", "2024-02-01T00:00"),
        ("%m/%d/%Y", "01/02/2024", "2024-01-02T00:00"),
        ("%d/%m/%Y", "2024-02-01", "2024-02-01T00:00"),
        ("%Y%m%d", 20240131, "2024-01-31T00:00"),
        ("epoch_s", 1700000000, "2023-11-14T22:13:20"),
        ("epoch_ms", "1700000000000", "2023-11-14T22:13:20"),
        ("epoch_s", "2024-01-31", "2024-01-31T00:00"),
        ("epoch_s", 1e300, None),
        ("iso", datetime.date(2024, 1, 31), "2024-01-31T00:00"),
        ("%d.%m.%Y", pd.Timestamp("2024-01-31", tz="Europe/Berlin"), "2024-01-30T23:00"),
    ],
)
def test_dates_are_read_by_their_format_or_as_iso(date_format: str, cell: object, moment: str | None) -> None:
    for series in (pd.Series([cell, None], dtype=object), pd.Series([cell, None] * MANY, dtype=object)):
        moments = cells.parse_dates(series, CellFormat(date_format=date_format))
        assert moments.dtype == np.dtype("datetime64[us]")
        assert np.isnat(moments[1])
        assert np.isnat(moments[0]) if moment is None else moments[0] == np.datetime64(moment)


def test_words_for_the_present_day_are_no_dates() -> None:
    """pandas reads them as the moment of reading: a model would be trained on one date and asked for another."""
    for date_format in ("iso", "%d/%m/%Y"):
        found = cells.parse_dates(pd.Series(["now", "today", None], dtype=object), CellFormat(date_format=date_format))
        assert np.isnat(found).all()


def test_a_cell_with_nanoseconds_takes_no_date_from_the_others() -> None:
    texts = ["2024-01-05T07:30:15.123456789", "1677-01-01", "0001-01-01T00:00:00.123456789", "word", None]
    found = cells.parse_dates(pd.Series(texts, dtype=object), CellFormat(date_format="iso"))
    days = [str(moment)[:10] for moment in found]
    assert days == ["2024-01-05", "1677-01-01", "0001-01-01", "NaT", "NaT"]


def test_a_typed_table_has_the_columns_asked_for_in_their_order() -> None:
    columns = [
        Column(name="d", role=Role.DATE, format=CellFormat(date_format="iso")),
        Column(name="c", role=Role.CATEGORY, format=CellFormat(missing=("?",))),
        Column(name="n", role=Role.NUMBER),
        Column(name="gone", role=Role.NUMBER),
        Column(name="t", role=Role.TEXT),
    ]
    for rows in (2, 2 * MANY):
        frame = pd.DataFrame(
            {
                "n": ["1", "2"] * (rows // 2),
                "t": ["x y", None] * (rows // 2),
                "c": ["?", "b"] * (rows // 2),
                "d": "2024-01-31",
            },
            index=range(100, 100 + rows),
        )
        typed = cells.parse_frame(frame, columns)
        assert list(typed.columns) == ["d", "c", "n", "gone", "t"]
        assert typed.index[0] == 100
        assert [str(dtype) for dtype in typed.dtypes] == ["datetime64[us]", "object", "float64", "float64", "object"]
        assert typed.iloc[0, 1:].tolist()[:2] == [None, 1.0]
        assert typed["gone"].isna().all()
        assert typed["t"].tolist()[:2] == ["x y", None]


def test_a_path_of_a_picture_keeps_the_form_in_which_its_file_is_named() -> None:
    """macOS names a file "Ka" + combining dots: in form NFC it is another file, or none."""
    column = Column(name="photo", role=Role.IMAGE, format=CellFormat(missing=("none",)))
    for series in both_sizes([" /a/Ka\u0308se.png ", "/a/7.0", "", "none", None], "str"):
        found = cells.parse_frame(pd.DataFrame({"photo": series}), [column])["photo"]
        assert found.tolist()[:5] == ["/a/Ka\u0308se.png", "/a/7.0", None, None, None]


def test_truth_values_match_whatever_way_they_are_written() -> None:
    column = Column(name="b", role=Role.CATEGORY, levels=("True", "False"))
    for values in ([True, False], [1, 0], ["true", "0.0"], [1.0, 0.0], ["TRUE", "False"]):
        for frame in (pd.DataFrame({"b": values}), pd.DataFrame({"b": values * MANY})):
            assert cells.parse_frame(frame, [column])["b"].tolist()[:2] == ["True", "False"]


def test_an_empty_table_stays_empty_and_typed() -> None:
    columns = [Column(name="n", role=Role.NUMBER), Column(name="c", role=Role.CATEGORY)]
    typed = cells.parse_frame(pd.DataFrame({"n": [], "c": []}), columns)
    assert typed.shape == (0, 2)
    assert [str(dtype) for dtype in typed.dtypes] == ["float64", "object"]


def test_one_row_of_a_hundred_columns_takes_milliseconds() -> None:
    frame = pd.DataFrame([{f"c{i}": "word" if i % 3 else 1.5 for i in range(100)}])
    columns = [Column(name=f"c{i}", role=Role.CATEGORY if i % 3 else Role.NUMBER) for i in range(100)]
    cells.parse_frame(frame, columns)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        cells.parse_frame(frame, columns)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.010


def test_what_only_looks_like_infinity_or_is_beyond_floats_is_no_number() -> None:
    for series in both_sizes(["--inf", "+-infinity", "inf", "-Infinity"], "str"):
        assert np.isnan(cells.parse_numbers(series)[:4]).all()
    assert np.isnan(cells.read_number("--inf")) and cells.read_number("-inf") == -np.inf
    assert np.isnan(cells.parse_numbers(pd.Series([10**400, "x"], dtype=object))).all()


def test_codes_of_sixteen_digits_are_whole_numbers_as_long_as_floats_are_exact() -> None:
    for series in both_sizes([4111111111111111.0, 9007199254740991.0], "float64"):
        assert cells.to_text(series).tolist()[:2] == ["4111111111111111", "9007199254740991"]
    for series in both_sizes(["4111111111111111.0", "9999999999999999.0"], "str"):
        assert cells.to_text(series).tolist()[:2] == ["4111111111111111", "9999999999999999.0"]
