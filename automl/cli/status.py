"""automl status: how far a run came."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

from automl.cli import options as opt


def status_command(run: opt.RunArgument, as_json: opt.JsonOption = False) -> None:
    """How far a run came: running or not, time used, trials by outcome, best so far."""
    from automl.cli.output import clean, print_json
    from automl.run import Run

    facts = read_status(Run.open(run))
    if as_json:
        print_json(facts)
        return
    limit = f" of {facts['budget_seconds']:.0f} s" if facts["budget_seconds"] else " s"
    print(clean(f"{facts['run']}: {facts['status']}, {facts['seconds']:.0f}{limit}"))
    print("trials: " + (", ".join(f"{count} {name}" for name, count in facts["trials"].items()) or "none finished"))
    if facts["best"]:
        print(clean(f"best so far: {facts['best']['model']}, {facts['metric']} {facts['best']['score']:.5g}"))
    next_command = "resume" if facts["status"] not in ("running", "complete") else "leaderboard"
    print(f"next: automl {next_command} {shlex.quote(str(run))}")


def read_status(run: Any) -> dict[str, Any]:
    """Facts of a run at any moment of its life."""
    from automl.clock import spent_seconds
    from automl.events import BestImproved, TrialFinished, read_events

    record = run.record
    counts: Counter[str] = Counter()
    best = None
    for event in read_events(run.events_path):
        if isinstance(event, TrialFinished):
            counts[event.status] += 1
        elif isinstance(event, BestImproved):
            best = {"model": event.model, "score": event.score, "elapsed": event.elapsed}
    status = record["status"]
    if status == "running" and not run.is_locked():
        status = "killed"
    return {
        "run": str(run.path),
        "status": status,
        "seconds": round(spent_seconds(run.events_path), 1),
        "budget_seconds": record["budget_seconds"],
        "trials_budget": record["trials_budget"],
        "trials": dict(counts),
        "metric": record["metric"],
        "best": best,
    }
