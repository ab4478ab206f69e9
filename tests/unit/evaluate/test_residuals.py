"""Errors that were planted are where the figures say they are."""

from __future__ import annotations

import numpy as np

from automl.evaluate.residuals import describe_bands, describe_coverage, describe_levels, describe_plane, halve


def test_the_plane_counts_every_row_but_the_far_ones() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(100, 10, 1_000)
    predicted = y + rng.normal(0, 1, 1_000)
    y[0] = 1e6
    plane = describe_plane(y, predicted)
    assert sum(plane["rows"]) + plane["left_out"] == 1_000
    assert 1 <= plane["left_out"] <= 20
    assert max(plane["true"]) < 200


def test_bands_show_where_errors_grow() -> None:
    rng = np.random.default_rng(0)
    along = rng.uniform(0, 10, 5_000)
    bands = describe_bands(along, rng.normal(0, 1, 5_000) * along, bands=5)
    assert [band["rows"] for band in bands] == [1_000] * 5
    widths = [band["high"] - band["low"] for band in bands]
    assert widths == sorted(widths)
    assert abs(bands[-1]["high"] - 1.645 * 9) < 1.5


def test_bands_leave_out_missing_values_and_need_some_rows() -> None:
    along = np.array([np.nan] * 30 + list(range(30)), dtype=np.float64)
    assert sum(band["rows"] for band in describe_bands(along, np.zeros(60), bands=3)) == 30
    assert describe_bands(along[:35], np.zeros(35)) == []


def test_a_level_has_its_mean_error_with_an_interval() -> None:
    codes = np.array([0] * 50 + [1] * 4 + [-1] * 10, dtype=np.int64)
    residuals = np.where(codes == 0, np.tile([1.0, 3.0], 32), 0.0)
    (level,) = describe_levels(["north", "south"], codes, residuals)  # four rows of south say nothing
    assert (level["level"], level["mean"], level["rows"]) == ("north", 2.0, 50)
    half = 1.96 * np.std([1.0, 3.0] * 25, ddof=1) / np.sqrt(50)
    assert np.allclose([level["low"], level["high"]], [2 - half, 2 + half])


def test_coverage_is_what_was_asked_for_on_even_errors_and_is_measured_on_the_other_half() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(0, 1, 4_000)
    by_level = {entry["level"]: entry for entry in describe_coverage(y, np.zeros(4_000), 0, None)}
    assert set(by_level) == {0.5, 0.8, 0.9, 0.95}
    assert abs(by_level[0.9]["observed"] - 0.9) < 0.02
    assert abs(by_level[0.9]["half_width"] - 1.645) < 0.08


def test_halves_are_even_and_keep_units_together() -> None:
    assert halve(101, 3, None).sum() == 50
    units = np.repeat(np.arange(40), 5)
    mask = halve(200, 3, units)
    assert all(len(set(mask[units == unit])) == 1 for unit in range(40))
    assert mask.sum() == 100
