"""automl check: what may spoil a model of a table, before any model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import options as opt


def check_command(
    data: opt.DataArgument,
    new: Annotated[
        Path | None, typer.Argument(metavar="[NEW]", help="A second file: is it like the first?", show_default=False)
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COL", help="Without it, only columns are looked at.")
    ] = None,
    role: opt.RoleOption = None,
    drop: opt.DropOption = None,
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
) -> None:
    """Leaks, identifiers, duplicates, constant columns, drift between two files; exit code 4 if a risk is found."""
    from automl.cli.fit import build_recipe_from, spool_stdin
    from automl.cli.output import open_output, print_json
    from automl.flow import check

    asked = build_recipe_from(None, role=role, drop=drop, encoding=encoding)
    facts = check(spool_stdin(data), target=target, recipe=asked, new=new)
    if as_json:
        print_json(facts)
    else:
        from automl.report.console import print_findings

        print_findings(facts, open_output())
    raise typer.Exit(4 if any(finding["severity"] == "risk" for finding in facts["findings"]) else 0)
