"""Runs the studies of `automl.evaluate.jobs` that a run still lacks, inside the time there is, into studies.json."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from automl.clock import Clock
from automl.engines import Engine, Job, Limits, Status
from automl.evaluate.jobs import measure_study, registry
from automl.files import read_json, write_json
from automl.recipe import Recipe
from automl.run import Run
from automl.search.trial import candidates

GRACE_SECONDS = 1.0
NO_TIME = "the time did not allow it"
# Of the time left, what one study may have where several wait.
SHARE = 0.5
# Of the user's time, what all of them together may have, and how long before its end the last one must end.
TIME_SHARE = 0.05
MARGIN_SECONDS = 0.5


def is_late(reason: str) -> bool:
    """Whether a study was skipped for a reason that more time would remove: none was left, or it took too long."""
    return reason == NO_TIME or reason.startswith(("TimeoutError", "not done after"))


def read_studies(run: Run) -> dict[str, Any]:
    """What is stored: study → record; "skipped": study → reason."""
    return read_json(run.studies_path) if run.studies_path.exists() else {}


def missing_studies(run: Run) -> list[str]:
    """Studies that are available and not done, in their order; one that had nothing to say is done."""
    stored = read_studies(run)
    names = [name for name in registry.names() if registry.is_available(name) and name not in stored]
    return sorted(names, key=lambda name: (registry.get(name).order, name))


def wanted_studies(clock: Clock, recipe: Recipe) -> list[str]:
    """All that are available; in a run too short for them those that the user asked for, if any."""
    names = [name for name in registry.names() if registry.is_available(name)]
    if clock.seconds is None or clock.study_seconds():
        return names
    return [name for name in names if getattr(registry.get(name), "is_plain", False) and recipe.data.sensitive]


def seconds_for_studies(clock: Clock, kept: float) -> float | None:
    """Their share of the time that is left, when `kept` seconds of it are for what follows; None without a limit."""
    if clock.seconds is None:
        return None
    return max(0.0, min(clock.left() - kept - MARGIN_SECONDS, TIME_SHARE * clock.seconds))


def run_studies(
    run: Run,
    *,
    seconds: float | None,
    seed: int,
    engine: Engine | None = None,
    names: list[str] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Do the missing studies and add them to studies.json. A study that fails or finds no time is told as skipped.

    Args:
        seconds: for all of them together; None gives each what it asks for.
        engine: does them side by side under limits; without one they are done here, one after the other.
        names: only these.
        should_stop: asked often; what is not there by then is skipped.

    Returns:
        All that is stored, as `read_studies`.
    """
    waiting = [name for name in missing_studies(run) if names is None or name in names]
    stored = {**read_studies(run), "skipped": {}}
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    step = _Here() if engine is None else engine
    running: set[str] = set()
    pool = choose_pool(run)
    while waiting or running:
        late = time.monotonic() > deadline + GRACE_SECONDS  # workers that had to be started first, or a busy machine
        if late or should_stop():
            if engine is not None:
                engine.cancel()
            stored["skipped"] |= dict.fromkeys((*running, *waiting), NO_TIME)
            break
        while waiting and step.free_slots() > 0:
            name = waiting.pop(0)
            given = _seconds_for(name, deadline - time.monotonic(), len(waiting), step.slots)
            if given is None:
                stored["skipped"][name] = NO_TIME
                continue
            payload = {"run": str(run.path), "study": name, "seed": seed, "seconds": given}
            limits = Limits(seconds=given + GRACE_SECONDS)
            step.submit(Job(id=name, function=measure_study, payload=payload, pool=pool, limits=limits))
            running.add(name)
        for outcome in step.wait(0.1) if running else ():
            if outcome.id in running:
                running.discard(outcome.id)
                if outcome.status is Status.OK:
                    stored[outcome.id] = _finite(outcome.value)
                else:
                    stored["skipped"][outcome.id] = outcome.reason or str(outcome.status)
    write_json(run.studies_path, stored)
    return stored


def _finite(value: Any) -> Any:
    """Figures that are not finite, such as the score of rows of one class, become None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def choose_pool(run: Run) -> str:
    """The warm workers that have loaded what the deployed members need: a net in any other waits for its library."""
    members = read_json(run.ensemble_path)["members"] if run.ensemble_path.exists() else []
    pools = [candidates.get(member["candidate"]).pool for member in members]
    return next((pool for pool in pools if pool != "core"), "core")


def _seconds_for(name: str, left: float, waiting: int, slots: int) -> float | None:
    """Seconds for the next study, or None if there are too few."""
    study = registry.get(name)
    if left == float("inf"):
        return study.seconds
    fair = left if waiting < slots else max(left * SHARE, study.least_seconds)
    given = min(fair, left, study.seconds)
    return given if given >= study.least_seconds else None


class _Here:
    """An engine that does a job where it is submitted; a failure is an outcome."""

    slots = 1

    def __init__(self) -> None:
        self._done: list[Any] = []

    def free_slots(self) -> int:
        return 1 - len(self._done)

    def submit(self, job: Job) -> int:
        from automl.engines.machine.worker import run_job

        self._done.append((job.id, run_job(job)))
        return 0

    def wait(self, seconds: float) -> list[Any]:
        from automl.engines import Outcome

        done, self._done = self._done, []
        return [Outcome(id=name, status=result[0], value=result[1], reason=result[2]) for name, result in done]
