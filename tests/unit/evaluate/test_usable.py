"""A constant that wins is an answer; a constant that is alone is a failure."""

from __future__ import annotations

import pytest

from automl.evaluate.usable import has_rival
from automl.search.trial import TrialResult


def result(candidate: str, status: str) -> TrialResult:
    return TrialResult(
        trial=0, candidate=candidate, label=candidate, params={}, origin="baseline", status=status, score=None
    )  # fmt: skip


@pytest.mark.parametrize(
    ("candidate", "status", "expected"),
    [("linear", "ok", True), ("linear", "failed", False), ("linear", "pruned", False), ("dummy", "ok", False)],
)
def test_only_a_finished_model_is_a_rival_of_the_constant(candidate: str, status: str, expected: bool) -> None:
    assert has_rival([result("dummy", "ok"), result(candidate, status)]) is expected
