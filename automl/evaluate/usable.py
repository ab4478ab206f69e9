"""Whether what a run deployed is of use: more than a constant, and within what the user demanded."""

from __future__ import annotations

from collections.abc import Iterable

from automl.errors import ConstraintError
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


def explain_failure(run: Run, results: Iterable[TrialResult]) -> str:
    """Why nothing but the constant finished: the reason that most configurations gave."""
    reasons = [result.reason for result in results if result.reason and result.status != "pruned"]
    common = max(set(reasons), key=reasons.count) if reasons else "the time was too short for a first model"
    return f"Nothing but the constant model finished in {run.path}: {common}"


def check_constraints(recipe: Recipe, cost: dict[str, float]) -> None:
    """Hold the deployed model against what the user demanded of it.

    Raises:
        ConstraintError: if it is slower or larger; the run is complete all the same.
    """
    asked = {"row_ms": recipe.constraints.latency_ms, "size_mb": recipe.constraints.size_mb}
    for name, flag, unit in (("row_ms", "--max-latency", "ms"), ("size_mb", "--max-size", "MB")):
        limit, found = asked[name], cost.get(name)
        if limit is not None and found is not None and found > limit:
            raise ConstraintError(
                f"No model keeps {flag} {limit:g}{unit}: the one that comes nearest has {found:g} {unit}",
                hint=f"Allow more with {flag}, or begin from --recipe quick",
            )
