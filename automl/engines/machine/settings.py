"""What a recipe and a run ask of an engine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import psutil

from automl.engines import Engine, Settings
from automl.engines.machine.cores import count_cores
from automl.errors import UsageError
from automl.recipe import Recipe
from automl.run import Run

# The engine of this machine, unless another is asked for.
LOCAL = "local"
# How long a run without a time limit waits once all workers are lost.
PATIENCE_SECONDS = 60.0
LEAST_JOB_MB = 256.0


def make_settings(recipe: Recipe, preload: Mapping[str, Sequence[str]], accelerated: bool) -> Settings:
    """What workers are opened with. A run with a time limit ends by it; one without must not wait for ever."""
    return Settings(
        jobs=recipe.budget.jobs or count_cores(),
        preload=preload,
        accelerated=accelerated,
        total_mb=float(recipe.budget.memory_mb or "inf"),
        patience_seconds=PATIENCE_SECONDS if recipe.budget.seconds is None else float("inf"),
    )


def memory_for_jobs(recipe: Recipe, engine: Engine) -> float:
    """Resident MB that one job may use: its share of the user's limit, or of what the engine finds free."""
    total = recipe.budget.memory_mb
    if total is not None:
        own = psutil.Process().memory_info().rss / 2**20
        return max(LEAST_JOB_MB, (total - own) / engine.slots)
    return engine.memory_mb / engine.slots


def known_engine(run: Run) -> str:
    """The engine of an earlier session.

    Raises:
        UsageError: if it was at an address: a run folder may be a stranger's, and a cluster gets data and runs code.
    """
    name: str = run.record.get("engine", LOCAL)
    if "://" in name:
        raise UsageError(
            f"{run.path} was searched on {name}",
            hint=f"automl resume {shlex.quote(str(run.path))} --engine {name}, or --engine local",
        )
    return name
