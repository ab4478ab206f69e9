"""automl retrain: a challenger from new rows, promoted if it is better."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from automl.cli import options as opt


def retrain_command(
    run: opt.RunArgument,
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A table of new labelled rows.", show_default=False)],
    condition: Annotated[
        list[str] | None,
        typer.Option("--if", metavar="drift|decay|always", help="When to train; may be repeated. always unless given."),
    ] = None,
    rows: Annotated[
        str, typer.Option("--rows", metavar="all|new", help="Learn from the old rows as well, or from NEW alone.")
    ] = "all",
    gate: Annotated[
        float | None,
        typer.Option("--gate", metavar="D", help="Of --if drift, as in automl monitor.", show_default="0.1"),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", metavar="5m", help="For the challenger's search; as the run had unless given."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="Configurations in place of a time.")
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", metavar="N", help="Workers; as the run had.")] = None,
    keep: Annotated[int, typer.Option("--keep", metavar="N", min=0, help="Versions kept besides those in use.")] = 5,
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """Champion against challenger on new labelled rows; the winner is put in use, and can be rolled back."""
    from automl.cli.live import open_view
    from automl.cli.output import clean, print_json
    from automl.errors import UsageError
    from automl.monitor.drift import GATE
    from automl.retrain import retrain

    if gate is not None and "drift" not in (condition or ()):
        raise UsageError("--gate is that of --if drift, which is not given", hint="Leave it out, or add --if drift")

    def tell(text: str) -> None:
        if not quiet:
            print(f"note: {clean(text)}", file=sys.stderr)

    with open_view(sys.stderr, quiet, as_json) as view:
        record = retrain(
            run, new, conditions=tuple(condition or ("always",)), rows=rows, keep=keep, encoding=encoding,
            gate=GATE if gate is None else gate, sinks=[view], tell=tell, trials=trials, jobs=jobs,
            time=None if time is None else opt.parse_duration(time),
        )  # fmt: skip
    if as_json:
        print_json(record)
    elif not quiet:
        _show(record, run)


def _show(record: dict[str, Any], run: Path) -> None:
    from automl.cli.output import open_output
    from automl.report.console import print_blocks
    from automl.report.retraining import retraining_blocks
    from automl.report.source import RunSource
    from automl.run import Run

    print_blocks(retraining_blocks(record), open_output())
    if record["promoted"]:
        new, place = RunSource(Run(run)).new_data, shlex.quote(str(run))
        print(f"next: automl monitor {place} {new}, or back again: automl rollback {place}")
    elif record["retrained"]:
        print(f"next: automl report {shlex.quote(record['folder'])} shows the challenger")
