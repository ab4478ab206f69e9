"""automl check: what may spoil a model of a table, before any model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    """Leaks, identifiers, duplicates, constant columns, drift between two files; exit code 4 for a risk such as a leak.

    Drift is a warning here and leaves the exit code at 0: automl monitor has a gate for it.
    """
    from automl.cli.fit import build_recipe_from
    from automl.cli.output import print_json
    from automl.preview import check

    asked = build_recipe_from(None, role=role, drop=drop, encoding=encoding)
    facts = check(Path(data), target=target, recipe=asked, new=new)
    if as_json:
        print_json(facts)
    else:
        show_findings(facts)
    raise typer.Exit(4 if any(finding["severity"] == "risk" for finding in facts["findings"]) else 0)


def show_findings(facts: dict[str, Any]) -> None:
    """Print findings by severity, then what was guessed while reading."""
    from automl.cli.output import open_output
    from automl.report.blocks import Alert, Block, Paragraph, Table, Tone
    from automl.report.console import print_blocks

    tones: dict[str, Tone] = {"risk": "bad", "warning": "warn", "note": "neutral"}
    blocks: list[Block] = [
        Alert(
            tone=tones[finding["severity"]],
            title=f"{finding['severity']}, {finding['kind']}",
            text=f"{finding['text']} {finding['action']}".strip(),
        )
        for finding in facts["findings"]
    ]
    if not blocks:
        blocks.append(Paragraph(text=f"Nothing found in {facts['rows']:,} rows.", tone="good"))
    if facts["notices"]:
        rows = tuple((notice["text"], notice["reason"]) for notice in facts["notices"])
        blocks.append(Table(headings=("guessed or changed", "why"), rows=rows))
    print_blocks(blocks, open_output())
