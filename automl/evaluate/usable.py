"""Whether what a run deployed is of use: more than a constant, and within what the user demanded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from automl.errors import ConstraintError, SearchError
from automl.files import read_json
from automl.recipe import Recipe
from automl.run import Run
from automl.search.trial import TrialResult

# The family that every other model has to beat.
CONSTANT = "dummy"


def has_usable_model(run: Run) -> bool:
    """Whether the deployed model is more than a constant."""
    if not run.ensemble_path.exists():
        return False
    return any(member["candidate"] != CONSTANT for member in read_json(run.ensemble_path)["members"])


def has_rival(results: Iterable[TrialResult]) -> bool:
    """Whether more than the constant finished. The constant may still be the best: then there is nothing to learn."""
    return any(result.status == "ok" and result.candidate != CONSTANT for result in results)


def explain_failure(run: Run, results: Iterable[TrialResult]) -> str:
    """Why nothing but the constant finished: the reason that most configurations gave."""
    results = list(results)
    finished = len(results)
    reasons = [result.reason for result in results if result.reason and result.status != "pruned"]
    common = max(set(reasons), key=reasons.count) if reasons else _explain_shortage(run.record, finished)
    return f"Nothing but the constant model finished in {run.path}: {common}"


def _explain_shortage(record: dict[str, Any], finished: int) -> str:
    """What there was too little of for a first model: configurations, if all that were asked for finished, or time."""
    trials = record.get("trials_budget")
    if trials and (record.get("budget_seconds") is None or finished >= trials):
        count = "1 trial is" if trials == 1 else f"{trials} trials are"
        return f"{count} too few for a first model: the constant one is the first of them"
    return "the time was too short for a first model"


def check_outcome(run: Run, recipe: Recipe, results: Iterable[TrialResult]) -> None:
    """Hold what a run that ended deployed against what makes it of use.

    Args:
        results: of its trials.

    Raises:
        SearchError: if nothing but the constant finished.
        ConstraintError: as `check_constraints`.
    """
    record = run.record
    if not record.get("usable", True):
        raise SearchError(explain_failure(run, results))
    evaluation = read_json(run.evaluation_path) if run.evaluation_path.exists() else {}
    check_constraints(recipe, evaluation.get("cost") or {}, run.path, complete=record["status"] == "complete")


def check_constraints(recipe: Recipe, cost: dict[str, float], place: Path, *, complete: bool = True) -> None:
    """Hold the deployed model against what the user demanded of it.

    Args:
        cost: what was measured of the model; of a run that is complete what is not there was not kept either.
        place: the run's folder, for the message.

    Raises:
        ConstraintError: if it is slower or larger, or that is not known; the run is complete all the same.
    """
    asked = {"row_ms": recipe.constraints.latency_ms, "size_mb": recipe.constraints.size_mb}
    for name, flag, unit in (("row_ms", "--max-latency", "ms"), ("size_mb", "--max-size", "MB")):
        limit, found = asked[name], cost.get(name)
        if limit is None or (found is not None and found <= limit):
            continue
        if found is not None:
            raise ConstraintError(
                f"No model keeps {flag} {limit:g}{unit}: the one that comes nearest, in {place}, has {found:g} {unit}",
                hint=f"Allow more with {flag}, or begin from --recipe quick",
            )
        if complete:
            raise ConstraintError(
                f"Whether the model in {place} keeps {flag} {limit:g}{unit} is not known: there was no time to measure",
                hint="Give it more with --time",
            )
