"""How many values lie in their intervals, and how well that is known."""

from __future__ import annotations

import numpy as np
import pytest

from automl.evaluate.coverage import measure_coverage
from automl.intervals import Intervals, learn_intervals


def make_intervals() -> Intervals:
    """Of errors that are evenly spread from -1 to 1."""
    learned = learn_intervals(np.linspace(-1, 1, 2_001), np.zeros(2_001))
    assert learned is not None
    return learned


def test_the_share_has_the_interval_of_so_many_rows() -> None:
    y = np.random.default_rng(0).uniform(-1, 1, 1_000)
    held = measure_coverage(make_intervals(), y, np.zeros(1_000), 0.8)
    assert held["covered"] == pytest.approx(np.mean(np.abs(y) < 0.8), abs=0.002)
    assert held["mean_width"] == pytest.approx(1.6, abs=0.01)
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1_000)
    assert (held["high"] - held["low"]) / 2 == pytest.approx(half, rel=0.05)
    every = measure_coverage(make_intervals(), np.zeros(10), np.zeros(10), 0.8)
    assert every["covered"] == 1.0 == pytest.approx(every["high"]) and 0.6 < every["low"] < 0.9


def test_rows_of_one_group_tell_as_much_as_one() -> None:
    y = np.random.default_rng(1).uniform(-1, 1, 200)
    once = measure_coverage(make_intervals(), y, np.zeros(200), 0.8)
    copies, units = np.repeat(y, 20), np.repeat(np.arange(200), 20)
    held = measure_coverage(make_intervals(), copies, np.zeros(4_000), 0.8, units=units)
    for key in ("covered", "low", "high"):
        assert held[key] == pytest.approx(once[key], abs=1e-3)
    apart = measure_coverage(make_intervals(), copies, np.zeros(4_000), 0.8)
    assert apart["high"] - apart["low"] < 0.3 * (once["high"] - once["low"])


def test_rows_count_by_their_weight() -> None:
    y, weight = np.array([0.0] * 50 + [5.0] * 50), np.array([3.0] * 50 + [1.0] * 50)
    assert measure_coverage(make_intervals(), y, np.zeros(100), 0.8, weight=weight)["covered"] == pytest.approx(0.75)
