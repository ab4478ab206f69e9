"""automl monitor: has the data moved away from what the model learned from?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from automl.cli import options as opt
from automl.errors import UsageError


def monitor_command(
    model: opt.ModelArgument,
    data: Annotated[
        Path,
        typer.Argument(metavar="NEW", help="A table of new rows, or a server's log folder.", show_default=False),
    ],
    gate: Annotated[
        float,
        typer.Option("--gate", metavar="D", help="Drift from which the exit code is 4; 1 is the top column alone."),
    ] = 0.1,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the page as well.", show_default=False)
    ] = None,
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
) -> None:
    """Drift of columns, predictions and, with labels, of the score since training; exit code 4 over the gate."""
    from automl.cli.output import open_output, print_json
    from automl.files import write_text
    from automl.monitor.watch import watch

    if math.isnan(gate) or gate < 0:
        raise UsageError(f"--gate {gate:g} is no amount of drift", hint="Write it as --gate 0.1; 1 is one whole column")
    record = watch(model, data, gate=gate, encoding=encoding)
    if html is not None:
        from automl.report.drift import drift_document
        from automl.report.html import render_html

        write_text(html, render_html(drift_document(record)))
    if as_json:
        print_json(record)
    else:
        from automl.report.console import print_blocks
        from automl.report.drift import drift_blocks

        print_blocks(drift_blocks(record), open_output())
        if record["over_gate"]:
            print(f"next: automl retrain {model} {data} --if drift")
    raise typer.Exit(4 if record["over_gate"] else 0)
