"""automl track: tell a run that is there to a tracking system."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import options as opt


def track_command(
    run: opt.RunArgument,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="mlflow or tensorboard (automl plugins lists them).")],
    as_json: opt.JsonOption = False,
) -> None:
    """Log a run's trials, curves, scores and files to MLflow or TensorBoard, after the fact."""
    from automl.cli.output import print_json
    from automl.errors import EngineError
    from automl.run import Run
    from automl.track import replay, trackers

    trackers.get(to)
    opened = Run.open(run)
    try:
        events = replay(opened, to)
    except Exception as error:  # somebody else's system: its address is wrong, or it is down
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        hint = "See that the system answers at its address (MLFLOW_TRACKING_URI for mlflow)"
        raise EngineError(f"{trackers.get(to).title} did not take the run: {reason}", hint=hint) from error
    where = trackers.get(to).where(opened)
    if as_json:
        print_json({"run": str(run), "to": to, "events": events, "show": where})
    else:
        print(f"{events} events told to {trackers.get(to).title}")
        print(f"next: {where}")
