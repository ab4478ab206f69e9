"""An evaluation that an earlier session finished, known again by what it is of: a poorer one does not replace it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from automl.ensemble.build import identify
from automl.files import read_json, sha256
from automl.run import Run
from automl.search.leaderboard import correct_leaderboard
from automl.search.trial import TrialResult


def describe_subject(run: Run, results: Iterable[TrialResult]) -> list[Any]:
    """What an evaluation is of: the ensemble, the files that answer, and among how many it was chosen."""
    deployed = run.model / "ensemble.json"
    files = sha256(deployed) if deployed.is_file() else ""
    return [identify(read_json(run.ensemble_path)), files, sum(result.score is not None for result in results)]


def note_subject(run: Run, subject: list[Any], seconds: float | None) -> None:
    """Add to the stage's entry in the ledger what the evaluation is of, and what time it was given."""
    run.mark_stage("evaluate", **{**run.record["stages"]["evaluate"], "of": subject, "given_seconds": seconds})


def recall(run: Run, subject: list[Any], seconds: float | None) -> dict[str, Any] | None:
    """What an earlier session found of the same, in as much time or more; None if there is no such.

    Args:
        seconds: that a new evaluation would be given; None without a limit.
    """
    known = run.record["stages"].get("evaluate", {})
    if not run.evaluation_path.exists() or known.get("of") != subject:
        return None
    given = known["given_seconds"]
    if given is not None and (seconds is None or given < seconds):
        return None
    try:
        result: dict[str, Any] = read_json(run.evaluation_path)
        correct_leaderboard(run, score=result["score"], low=result["low"], high=result["high"])
    except (ValueError, KeyError, OSError):  # a power cut may have taken it
        return None
    return result
