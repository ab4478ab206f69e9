"""Figures as people write them."""

from __future__ import annotations

import pytest

from automl.report.text import (
    clean_line,
    format_count,
    format_duration,
    format_figure,
    format_megabytes,
    format_score,
    format_share,
    join_words,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (1234567, "1,234,567"),
        (0.5, "0.5"),
        (0.000123456, "0.0001235"),
        (1234.567, "1,235"),
        (12.3456, "12.35"),
        (-0.25, "-0.25"),
        (1.5e-9, "1.5e-09"),
        (1e-6, "1e-06"),
        (True, "True"),
        ("text", "text"),
    ],
)
def test_figures_have_four_significant_digits(value: object, text: str) -> None:
    assert format_figure(value) == text


def test_scores_in_large_units_lose_the_digits_that_mean_nothing() -> None:
    assert format_score(0.84713) == "0.8471"
    assert format_score(9.87654) == "9.8765"
    assert format_score(523.4567) == "523.46"
    assert format_score(31234.5678) == "31,235"
    assert format_score(999.5, like=31234.5678) == "1,000"
    assert format_score(None) == "–"


def test_durations_are_told_in_two_units_at_most() -> None:
    told = [format_duration(seconds) for seconds in (0.04, 9.94, 9.96, 59.7, 61, 300, 3599.6, 7380, None)]
    assert told == ["0.0 s", "9.9 s", "10 s", "1 min", "1 min 01 s", "5 min", "1 h", "2 h 03 min", "–"]


def test_shares_never_round_to_none_or_all() -> None:
    assert [format_share(share) for share in (0, 0.0004, 0.034, 0.62, 0.994, 0.997, 0.99999, 1)] == [
        "0%",
        "<0.1%",
        "3.4%",
        "62%",
        "99%",
        "99.7%",
        ">99.9%",
        "100%",
    ]


def test_a_share_below_nothing_has_its_sign() -> None:
    """R² of a model that is worse than the mean."""
    told = [format_share(share) for share in (-0.0004, -0.034, -0.62, -0.99999, -1, -2.5)]
    assert told == [">-0.1%", "-3.4%", "-62%", "<-99.9%", "-100%", "-250%"]


def test_counts_sizes_and_lists() -> None:
    assert format_count(1, "class", "classes") == "1 class"
    assert format_count(7043, "row") == "7,043 rows"
    assert [format_megabytes(size) for size in (0.004, 2.13, 1234.0)] == ["4 kB", "2.1 MB", "1,234 MB"]
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"]) == "a, b and c"
    assert join_words(["a", "b", "c", "d", "e"], 3) == "a, b and 3 more"


def test_a_line_is_cut_and_has_no_line_ends() -> None:
    assert clean_line("a\nb\tc") == "a b c"
    assert clean_line("x" * 10, limit=4) == "xxx…"


def test_scores_in_tiny_units_keep_three_digits_that_mean_something() -> None:
    assert format_score(1.23e-5) == "0.0000123"
    assert format_score(0.0) == "0.0000"
    assert format_score(0.0123) == "0.0123"
    assert format_score(1.5e-5, like=1.23e-5) == "0.0000150"
