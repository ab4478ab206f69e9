"""Which parameters mattered: known where the score was made from one of them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from automl.search.insight import MIN_TRIALS, describe_parameters
from automl.search.records import Records
from automl.search.study import measure_importances
from automl.search.trial import TrialResult
from automl.space import Choice, Condition, Float, SearchSpace
from tests.unit.search.runs import make_regression_table, store_run


def test_the_parameter_that_makes_the_score_is_the_important_one() -> None:
    space = SearchSpace(
        {"rate": Float(1e-4, 1.0, 0.1, log=True), "noise": Float(0.0, 1.0, 0.5), "same": Choice(("a", "b"), "a")}
    )
    rng = np.random.default_rng(0)
    trials = [
        ({"rate": float(10 ** rng.uniform(-4, 0)), "noise": float(rng.random()), "same": "a"}, 0.0) for _ in range(60)
    ]
    trials = [(params, -abs(math.log10(params["rate"]) + 2)) for params, _ in trials]
    shares = measure_importances(trials, space, maximize=True)
    assert set(shares) == {"rate", "noise"}  # what never varied says nothing
    assert shares["rate"] > 0.8
    assert abs(sum(shares.values()) - 1) < 1e-3


def test_a_parameter_that_is_not_always_asked_is_left_out() -> None:
    space = SearchSpace(
        {"kind": Choice(("a", "b"), "a"), "extra": Float(0.0, 1.0, 0.5)}, {"extra": Condition("kind", ("b",))}
    )
    trials = [({"kind": "a"}, 1.0), ({"kind": "b", "extra": 0.3}, 2.0)] * 4
    assert measure_importances(trials, space, maximize=False) == {"kind": 1.0}


def test_a_family_with_enough_trials_is_described(tmp_path: Path) -> None:
    stored = store_run(tmp_path / "run", make_regression_table(), "price")
    records = Records(stored.run.search)
    for number in range(MIN_TRIALS + 2):
        spec = stored.spec(number, "linear", model__alpha=1.0 / (number + 1))
        facts = {key: getattr(spec, key) for key in ("candidate", "label", "params", "origin")}
        result = TrialResult(trial=number, status="ok", score=float(number), **facts)
        records.add_result(result)
    records.add_result(dataclasses.replace(result, trial=99, status="crashed", score=None))
    found = describe_parameters(stored.run, maximize=False, seconds=None)
    family = found["families"]["linear"]
    assert family["trials"] == MIN_TRIALS + 2
    assert family["importances"] == {"model.alpha": 1.0}
    assert family["values"]["model.alpha"]["scores"] == [float(number) for number in range(MIN_TRIALS + 2)]
    assert describe_parameters(stored.run, maximize=False, seconds=-1.0) == {"families": {}, "skipped": ["parameters"]}
