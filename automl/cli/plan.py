"""automl plan: what fit would do with a table, and what it may cost; no search."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from automl.cli import options as opt


def plan_command(
    context: typer.Context,
    data: opt.DataArgument,
    target: opt.TargetOption = None,
    time: Annotated[str | None, typer.Option("--time", metavar="5m", help="The time fit would have.")] = None,
    trials: Annotated[int | None, typer.Option("--trials", metavar="N", help="The trials fit would have.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="roc_auc, log_loss or rmse unless given.")] = None,
    task: opt.TaskOption = None,
    group: opt.GroupOption = None,
    time_column: opt.TimeColumnOption = None,
    weight: opt.WeightOption = None,
    positive: opt.PositiveOption = None,
    drop: opt.DropOption = None,
    role: opt.RoleOption = None,
    encoding: opt.EncodingOption = None,
    recipe: opt.RecipeOption = None,
    test: Annotated[Path | None, typer.Option("--test", metavar="FILE", help="A second file to look at.")] = None,
    as_json: opt.JsonOption = False,
) -> None:
    """What fit would do: roles with reasons, findings, folds, candidates and their order. Nothing is trained."""
    from automl.cli.fit import build_recipe_from
    from automl.cli.output import print_json
    from automl.preview import plan

    asked = build_recipe_from(
        recipe, time=time, trials=trials, metric=metric, task=task, group=group, time_column=time_column, weight=weight,
        drop=drop, role=role, encoding=encoding, positive=positive,
    )  # fmt: skip
    facts = plan(Path(data), target=target, recipe=asked, test=test)
    if as_json:
        print_json(facts)
        return
    show_plan(facts, command=write_fit_command(data, context.params))


def write_fit_command(data: str, options: dict[str, Any]) -> str:
    """The command that fits what was planned: the same data, and every option that was given, as a shell reads it.

    Args:
        options: parameter of `plan_command` → what was given for it.
    """
    words = ["automl", "fit", f"./{data}" if data.startswith("-") and data != "-" else data]
    for name, value in options.items():
        given = value if isinstance(value, list | tuple) else [value]
        if name not in {"data", "as_json"}:
            words += [word for one in given if one is not None for word in (f"--{name.replace('_', '-')}", str(one))]
    return shlex.join(words)


def show_plan(facts: dict[str, Any], *, command: str) -> None:
    """Print the plan as tables, the command to go on with last."""
    from automl.cli.check import show_findings
    from automl.cli.output import open_output
    from automl.report.blocks import Facts, Paragraph, Table
    from automl.report.console import print_blocks, print_command
    from automl.report.sections.data import describe_split

    task, split, budget = facts["task"], facts["split"], facts["budget"]
    limits = [f"{budget['trials']} trials"] if budget["trials"] else []
    limits += [f"{budget['seconds']:.0f} s"] if budget["seconds"] else []
    limit = " or ".join(limits) + (", whichever is over first" if len(limits) > 1 else "")
    about = (
        ("Task", task["kind"], task["reason"]),
        ("Metric", task["metric"], ""),
        ("Rows", f"{facts['rows']:,}", f"{facts['matrix_mb']} MB as a matrix"),
        ("Scored by", *describe_split(split)),
        ("Budget", limit, ""),
    )
    columns = tuple((column["name"], column["role"], column["reason"]) for column in facts["columns"])
    unused = tuple((name, reason) for name, reason in facts["unused"].items())
    console = open_output()
    print_blocks((Facts(items=about), Table(headings=("column", "role", "why"), rows=columns)), console)
    show_findings(facts)
    print_blocks((Paragraph(text=_tell_order(facts)),), console)
    if unused:
        print_blocks((Table(headings=("not tried", "why"), rows=unused),), console)
    print_command(command, console)


def _tell_order(facts: dict[str, Any]) -> str:
    """What is tried, and what follows, if anything does."""
    order, trials = ", ".join(entry["name"] for entry in facts["portfolio"]), facts["budget"]["trials"]
    if trials and trials <= len(facts["portfolio"]):
        return f"Tried in this order, {trials} in all: {order}."
    if not facts["tune"]:
        return f"Tried in this order, and nothing after it: {order}."
    return f"Tried first, in this order: {order}; then Optuna goes on from the best."
