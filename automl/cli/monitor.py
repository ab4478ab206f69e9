"""automl monitor: has the data moved away from what the model learned from?"""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Annotated, Any

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
        typer.Option(
            "--gate",
            metavar="D",
            help="Drift of columns from which the exit code is 4; 1 is the top column. Predictions and score always "
            "count.",
        ),
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
            print(f"next: {write_retrain_command(record, model, data, encoding=encoding)}")
    raise typer.Exit(4 if record["over_gate"] else 0)


def write_retrain_command(record: dict[str, Any], model: Path, data: Path, *, encoding: str | None = None) -> str:
    """The command that trains again for what was found; RUN and LABELLED.csv where these are no run or have no labels.

    Args:
        record: what `automl.monitor.watch.watch` found, over its gate.
    """
    from automl.monitor.drift import GATE
    from automl.run import Run

    has_run, has_labels = Run(model).record_path.is_file(), record["score"] is not None
    decayed = has_labels and record["score"]["drifted"]
    drifted = not decayed or record["drift"] >= record["gate"] or (record["predictions"] or {}).get("drifted")
    words = ["automl", "retrain", str(model) if has_run else "RUN", str(data) if has_labels else "LABELLED.csv"]
    words += ["--if", "drift"] if drifted else []
    words += ["--if", "decay"] if decayed else []
    words += ["--gate", f"{record['gate']:g}"] if drifted and record["gate"] != GATE else []
    words += ["--encoding", encoding] if encoding and has_labels else []
    return shlex.join(words)
