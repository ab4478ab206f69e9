"""Document frequencies in a table of fixed size: never too low, and right where the table is large."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.preprocess.sketch import FrequencySketch, find_floor
from automl.preprocess.tokens import mix


def make_keys(count: int) -> np.ndarray:
    return mix(np.arange(1, count + 1, dtype=np.uint64))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=300))
def test_what_a_crowded_table_tells_is_never_less_than_the_frequency(frequencies: list[int]) -> None:
    sketch = FrequencySketch(bits=4)
    keys = make_keys(len(frequencies))
    sketch.add(keys[::2], np.array(frequencies)[::2])
    sketch.add(keys[1::2], np.array(frequencies)[1::2])
    assert (sketch.bound(keys) >= frequencies).all()


def test_a_table_with_room_tells_the_frequency_itself() -> None:
    sketch = FrequencySketch(bits=16)
    keys, frequencies = make_keys(100), np.arange(1, 101)
    sketch.add(keys, frequencies)
    sketch.add(keys, frequencies)
    np.testing.assert_array_equal(sketch.bound(keys), 2 * frequencies)
    assert not sketch.bound(make_keys(200)[100:]).any()


def test_at_most_so_many_reach_the_floor() -> None:
    assert find_floor(np.array([5, 1, 1, 3, 0]), 2) == 2
    assert find_floor(np.array([5, 5, 5, 3]), 2) == 6  # ties are left out together
    assert find_floor(np.array([0, 0, 7]), 2) == 1
