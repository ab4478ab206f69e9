"""What `automl fit` says where it found nothing, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.evaluate.usable import explain_failure
from automl.run import Run
from automl.search.trial import TrialResult

CONSTANT = TrialResult(
    trial=0, candidate="dummy", label="constant", params={}, origin="baseline", status="ok", score=0.5
)


@pytest.mark.parametrize(
    ("seconds", "trials", "reason"),
    [
        (None, 1, "1 trial is too few for a first model: the constant one is the first of them"),
        (60.0, 1, "1 trial is too few for a first model: the constant one is the first of them"),
        (None, 2, "2 trials are too few for a first model: the constant one is the first of them"),
        (3.0, None, "the time was too short for a first model"),
        (3.0, 20, "the time was too short for a first model"),
    ],
)
def test_what_there_was_too_little_of_is_named(
    seconds: float | None, trials: int | None, reason: str, tmp_path: Path
) -> None:
    record = {"budget_seconds": seconds, "trials_budget": trials}
    run = Run.create(tmp_path / "run", data_name="t", record=record)
    assert explain_failure(run, [CONSTANT]).endswith(f"run: {reason}")
