"""automl resume: go on with a run that was killed, stopped or interrupted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from automl.cli import options as opt


def resume_command(
    run: opt.RunArgument,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help=f"{opt.ENGINE_HELP} As before, if that was here.")
    ] = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """Go on with a run that was killed, stopped or interrupted; finished work is kept."""
    from automl.clock import command_started

    started = command_started()
    from automl import flow
    from automl.cli.fit import finish
    from automl.cli.live import open_view

    with open_view(sys.stderr, quiet, as_json) as view:
        resumed = flow.resume(run, engine=engine, sinks=[view], started=started)
    raise typer.Exit(finish(resumed, as_json=as_json, quiet=quiet))
