"""Batches of a run by trials begin and end at fixed numbers, and a kill in the middle of one does not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.search.batches import end_of_batch, find_late, start_of_batch
from automl.search.records import Records
from tests.unit.search.test_records import make_result, make_spec


@pytest.mark.parametrize(
    ("number", "start", "end"), [(0, 0, 2), (1, 0, 2), (2, 2, 8), (7, 2, 8), (8, 8, 16), (17, 16, 24)]
)
def test_each_trial_belongs_to_one_batch(number: int, start: int, end: int) -> None:
    assert (start_of_batch(number), end_of_batch(number + 1)) == (start, end)


def test_what_is_left_of_a_batch_is_judged_without_those_of_it_that_are_complete(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in range(8):
        records.add_spec(make_spec(number))
    for number in (0, 1, 2, 4):
        records.add_result(make_result(number))
    records.add_result(make_result(5, status="pruned"))
    assert find_late(records) == {2, 4}


def test_after_a_whole_batch_all_is_known(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in range(8):
        records.add_spec(make_spec(number))
        records.add_result(make_result(number))
    assert find_late(records) == set()
