"""The job of one fold: what a worker is told, what it may take, and the files that it reads and leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.engines import Files, Job, Limits
from automl.search.data import fold_folder
from automl.search.trial import TrialSpec, run_fold


def make_fold_job(
    run_path: Path,
    spec: TrialSpec,
    fold: int,
    *,
    pool: str,
    seed: int,
    seconds: float | None,
    limits: Limits,
    lead: dict[str, Any] | None = None,
) -> Job:
    """A job that runs `automl.search.trial.run_fold`.

    Args:
        seed: the run's.
        seconds: after which the fit should return its best; None: never.
        limits: at which it is ended by force.
        lead: what another fold's record says of how long a fit goes on.
    """
    payload = {
        "run": str(run_path),
        "trial": spec.number,
        "fold": fold,
        "candidate": spec.candidate,
        "params": spec.params,
        "seed": seed,
        "seconds": seconds,
        "threads": 1,
        "lead": lead,
    }
    place = fold_folder(run_path, spec.number, fold)
    return Job(
        id=f"{spec.number}-{fold}",
        function=run_fold,
        payload=payload,
        pool=pool,
        limits=limits,
        files=Files(root=run_path, reads=("data",), leaves=f"search/models/{place.name}"),
    )
