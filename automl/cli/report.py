"""automl report: write the report of a run again, or say it in the terminal."""

from __future__ import annotations

import io
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli import options as opt

if TYPE_CHECKING:
    from automl.run import Run


def report_command(
    run: opt.RunArgument,
    full: Annotated[
        bool,
        typer.Option("--full", help="First measure what the run's time did not allow: curves, slices, parameters."),
    ] = False,
    html: Annotated[bool, typer.Option("--html", help="Print the page itself.")] = False,
    md: Annotated[bool, typer.Option("--md", help="Print the model card, Markdown.")] = False,
    console: Annotated[bool, typer.Option("--console", help="Print it here instead of writing files.")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Write it and open it in a browser.")] = False,
    as_json: opt.JsonOption = False,
) -> None:
    """Write report.html, report.json and model_card.md anew from what the run holds."""
    from automl.cli.output import open_output, print_json
    from automl.errors import UsageError
    from automl.report.document import build_document
    from automl.report.write import write_report
    from automl.run import Run

    opened = Run.open(run)
    chosen = [
        name
        for name, given in (
            ("--html", html),
            ("--md", md),
            ("--console", console),
            ("--open", open_it),
            ("--json", as_json),
        )
        if given
    ]
    if len(chosen) > 1:
        raise UsageError(
            f"{' and '.join(chosen)} do not go together", hint=f"automl report {shlex.quote(str(run))} {chosen[0]}"
        )
    if full:
        _measure(opened)
    if as_json:
        print_json(build_document(opened).to_json())
    elif console:
        from automl.report.console import print_document

        print_document(build_document(opened), open_output())
    elif html:
        from automl.report.html import render_html

        _print_utf8(render_html(build_document(opened)))
    elif md:
        from automl.report.markdown import render_model_card

        _print_utf8(render_model_card(build_document(opened)))
    else:
        path = write_report(opened)
        print(path)
        if open_it:
            import webbrowser

            webbrowser.open(path.as_uri())


def _print_utf8(text: str) -> None:
    """A file's text to stdout in the encoding that the file says it has, whatever the terminal's."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    print(text, end="")


def _measure(run: Run) -> None:
    """Everything that the run's time left out.

    Raises:
        SearchError: if there is no model whose predictions could be looked at.
    """
    from automl.errors import SearchError
    from automl.evaluate.evaluation import measure_all_details

    if not run.ensemble_path.exists() or not run.evaluation_path.exists():
        raise SearchError(
            f"{run.path} has no checked model to look at", hint=f"automl resume {shlex.quote(str(run.path))}"
        )
    with run.locked():
        measure_all_details(run, int(run.record.get("seed") or 0))
