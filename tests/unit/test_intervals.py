"""Intervals hold the share of new rows that was asked for, are wide where the model errs, and say what they cannot."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.errors import UsageError
from automl.intervals import SHARES, Intervals, find_floor, learn_intervals
from automl.matrix import Array


def make_errors(rows: int, seed: int) -> tuple[Array, Array]:
    """True values and predictions; the larger the prediction the larger the error, which leans upwards."""
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(10, 100, rows)
    return predicted * (1 + 0.2 * (rng.exponential(size=rows) - 1)), predicted


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_of_new_rows_as_many_lie_inside_as_were_asked_for(level: float) -> None:
    intervals = learn_intervals(*make_errors(3_000, seed=0))
    assert intervals is not None
    y, predicted = make_errors(20_000, seed=1)
    low, high = intervals.around(predicted, level)
    inside = (low <= y) & (y <= high)
    assert inside.mean() == pytest.approx(level, abs=0.02)
    for part in (predicted < 40, predicted > 70):  # where it errs little, and where much
        assert inside[part].mean() == pytest.approx(level, abs=0.04)
    assert (high - low)[predicted > 70].mean() > 1.8 * (high - low)[predicted < 40].mean()
    if level >= 0.8:  # most errors are small and below, the large ones above
        assert (high - predicted).mean() > 1.2 * (predicted - low).mean()


def test_few_rows_cover_no_less_than_they_should() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(300):
        learned = learn_intervals(rng.normal(size=25), np.zeros(25))
        assert learned is not None
        low, high = learned.around(np.zeros(1), 0.9)
        new = rng.normal(size=200)
        shares.append(((low <= new) & (new <= high)).mean())
    assert np.mean(shares) == pytest.approx(0.9, abs=0.015)


def test_rows_count_by_their_weight() -> None:
    y = np.repeat([1.0, 9.0], 200)
    learned = learn_intervals(y, np.zeros(400), np.repeat([1.0, 0.0], 200))
    assert learned is not None
    assert [float(end[0]) for end in learned.around(np.zeros(1), 0.9)] == [1.0, 1.0]


def test_uneven_weights_tell_as_much_as_fewer_rows() -> None:
    rng = np.random.default_rng(5)
    y, predicted = rng.normal(size=4_000), rng.normal(size=4_000)
    few = rng.random(4_000) < 0.01
    assert few.sum() < 50
    none = learn_intervals(y, predicted, few.astype(float))
    assert none is not None and (none.rows, len(none.centers)) == (few.sum(), 1)
    assert none.highest < 0.97
    same = learn_intervals(y[few], predicted[few])
    assert same is not None
    np.testing.assert_allclose(none.quantiles, same.quantiles)
    assert learn_intervals(y, predicted, np.where(np.arange(4_000) < 5, 1.0, 1e-6)) is None  # five rows, nearly
    double = learn_intervals(y, predicted, np.full(4_000, 2.0))
    plain = learn_intervals(y, predicted)
    assert double is not None and plain is not None
    np.testing.assert_allclose(double.quantiles, plain.quantiles)


def test_no_interval_begins_below_zero_where_no_value_did() -> None:
    y, predicted = make_errors(400, seed=3)
    learned = learn_intervals(y, predicted, floor=find_floor(y))
    assert learned is not None and learned.around(np.array([0.0, 5.0]), 0.95)[0].min() == 0.0
    moved = learn_intervals(y - 50, predicted - 50, floor=find_floor(y - 50))
    assert moved is not None and moved.around(np.array([-60.0]), 0.95)[0].min() < -60


@pytest.mark.parametrize(
    ("level", "told", "hint"),
    [
        (0.0, "An interval of 0 is no share between 0 and 1", "--interval 0.9"),
        (95.0, "An interval of 95 is no share between 0 and 1", "--interval 0.95"),
        (0.99, "30 scored rows tell of intervals up to 0.92, not of 0.99", "--interval 0.92"),
    ],
)
def test_a_level_that_the_rows_do_not_tell_of_is_refused(level: float, told: str, hint: str) -> None:
    learned = learn_intervals(*make_errors(30, seed=4))
    assert learned is not None
    with pytest.raises(UsageError) as caught:
        learned.around(np.zeros(1), level)
    assert (caught.value.message, caught.value.hint) == (told, hint)


def test_a_handful_of_rows_or_a_model_without_answers_tells_nothing() -> None:
    assert learn_intervals(np.zeros(19), np.zeros(19)) is None
    assert learn_intervals(np.zeros(300), np.full(300, np.nan)) is None


@given(st.integers(20, 2_500), st.integers(0, 10), st.booleans())
def test_they_nest_and_come_back_from_their_file_as_they_were(rows: int, seed: int, is_constant: bool) -> None:
    y, predicted = make_errors(rows, seed)
    learned = learn_intervals(y, np.full(rows, 50.0) if is_constant else predicted)
    assert learned is not None and learned.quantiles.shape[1] == len(SHARES)
    assert len(learned.centers) == (1 if is_constant else min(10, max(1, rows // 200)))
    again = Intervals.from_json(json.loads(json.dumps(learned.to_json())))
    levels = [level for level in (0.1, 0.33, 0.5, 0.8, 0.9, 0.99) if level <= learned.highest]
    ends = [again.around(predicted, level) for level in levels]
    for (low, high), (wider_low, wider_high) in itertools.pairwise(ends):
        assert (wider_low <= low + 1e-9).all() and (high <= wider_high + 1e-9).all()
    np.testing.assert_allclose(ends[0], learned.around(predicted, levels[0]), rtol=1e-4)
