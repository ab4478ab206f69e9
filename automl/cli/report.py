"""automl report: write the report of a run again, or say it in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import options as opt


def report_command(
    run: opt.RunArgument,
    console: Annotated[bool, typer.Option("--console", help="Print it here instead of writing files.")] = False,
    as_json: opt.JsonOption = False,
) -> None:
    """Write report.html, report.json and model_card.md anew from what the run holds."""
    from automl.cli.output import open_output, print_json
    from automl.report.document import build_document
    from automl.report.write import write_report
    from automl.run import Run

    opened = Run.open(run)
    if as_json:
        print_json(build_document(opened).to_json())
    elif console:
        from automl.report.console import print_document

        print_document(build_document(opened), open_output())
    else:
        print(write_report(opened))
