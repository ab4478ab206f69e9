"""Which of thousands of complete configurations are looked at."""

from __future__ import annotations

from automl.search.contenders import BEST_OF_A_FAMILY, FIRST_OF_A_FAMILY, choose_contenders
from tests.unit.search.test_records import make_result


def test_they_are_the_members_the_first_and_the_best_of_each_family() -> None:
    results = {at: make_result(at, score=1.0 + abs(at - 500), candidate="linear") for at in range(1000)}
    results[1000] = make_result(1000, score=3.0, candidate="xgboost")
    results[1001] = make_result(1001, score=0.1, candidate="xgboost", status="pruned")
    chosen = choose_contenders(results, [900], maximize=False)
    assert {0, 1, 500, 900, 1000} <= set(chosen) and 1001 not in chosen
    assert len(chosen) == FIRST_OF_A_FAMILY + BEST_OF_A_FAMILY + 2
    best = choose_contenders(results, [], maximize=True)
    assert 999 in best and 500 not in best


def test_of_a_short_search_they_are_all_that_are_complete() -> None:
    results = {at: make_result(at, score=float(at), candidate=f"family {at % 3}") for at in range(60)}
    assert choose_contenders(results, [], maximize=True) == list(range(60))
