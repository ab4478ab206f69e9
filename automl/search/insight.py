"""What a finished search says of its parameters, for the report: which mattered, and where they were tried."""

from __future__ import annotations

import time
from typing import Any

from automl.errors import AutoMLError
from automl.run import Run
from automl.search.data import open_data
from automl.search.records import read_results
from automl.search.study import measure_importances
from automl.search.trial import TrialResult, candidates, trial_space
from automl.space import Float, Int, SearchSpace

# Fewer trials of a family say nothing of its parameters.
MIN_TRIALS = 6
MOST_PARAMETERS = 8


def describe_parameters(run: Run, *, maximize: bool, seconds: float | None) -> dict[str, Any]:
    """Importance of the parameters of each family with enough trials, and the trials to be drawn along them.

    Args:
        seconds: no family is begun after this time; None for all of them.

    Returns:
        "families": name → "trials", "importances" (parameter → share) and "values" (parameter → {"values", "scores",
        "log"}); "skipped": ["parameters"] if the time did not allow every family.
    """
    began, families, skipped = time.monotonic(), {}, False
    by_family: dict[str, list[TrialResult]] = {}
    for result in read_results(run.search):
        if result.status in {"ok", "pruned"} and result.score is not None:
            by_family.setdefault(result.candidate, []).append(result)
    for name, results in by_family.items():
        if len(results) < MIN_TRIALS:
            continue
        if seconds is not None and time.monotonic() - began > seconds:
            skipped = True
            break
        families[name] = _describe_family(run, name, results, maximize)
    return {"families": families, "skipped": ["parameters"] if skipped else []}


def _describe_family(run: Run, name: str, results: list[TrialResult], maximize: bool) -> dict[str, Any]:
    data = open_data(str(run.path))
    try:
        space = trial_space(candidates.get(name), data.task, data.table)
    except AutoMLError:  # a plug-in that is no longer installed
        return {"trials": len(results), "importances": {}, "values": {}}
    trials = [(result.params, float(result.score or 0.0)) for result in results if _fits(space, result)]
    importances = measure_importances(trials, space, maximize=maximize) if len(trials) >= MIN_TRIALS else {}
    kept = sorted(importances, key=lambda parameter: -importances[parameter])[:MOST_PARAMETERS]
    values = {
        parameter: {
            "values": [params[parameter] for params, _ in trials],
            "scores": [score for _, score in trials],
            "log": isinstance(kind := space.parameters[parameter], Float | Int) and kind.log,
        }
        for parameter in kept
    }
    return {"trials": len(trials), "importances": {name: importances[name] for name in kept}, "values": values}


def _fits(space: SearchSpace, result: TrialResult) -> bool:
    """Whether every active parameter was set, within its range."""
    active = dict(space.walk(dict(result.params)))
    return all(name in result.params and kind.contains(result.params[name]) for name, kind in active.items())
