"""automl compare: which of two runs is better, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import options as opt


def compare_command(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder (A).", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="The run to hold against it (B).", show_default=False)],
    as_json: opt.JsonOption = False,
) -> None:
    """Why the second run is better or worse than the first: data, columns, models, and a paired test on common rows."""
    from automl.cli.output import open_output, print_json
    from automl.evaluate.comparison import compare_runs
    from automl.run import Run

    record = compare_runs(Run.open(first), Run.open(second))
    if as_json:
        print_json(record)
        return
    from automl.report.comparison import comparison_blocks
    from automl.report.console import print_blocks

    print_blocks(comparison_blocks(record), open_output())
