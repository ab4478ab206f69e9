"""automl rollback: the version before the current one is put in use again."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from automl.cli import options as opt


def rollback_command(
    run: opt.RunArgument,
    to: Annotated[
        int | None, typer.Option("--to", metavar="N", help="This version; the one before unless given.")
    ] = None,
    as_json: opt.JsonOption = False,
) -> None:
    """Take a promotion of retrain back: the model of the version before is in use again, at once."""
    from automl.cli.output import print_json
    from automl.report.source import RunSource
    from automl.retrain import roll_back
    from automl.run import Run

    record = roll_back(run, to)
    if as_json:
        print_json(record)
    else:
        print(f"version {record['version']} is in use, in place of version {record['before']}")
        print(f"next: automl retrain {shlex.quote(str(run))} {RunSource(Run(run)).new_data} --if drift")
