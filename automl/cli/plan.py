"""automl plan: what fit would do with a table, and what it may cost; no search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import options as opt


def plan_command(
    data: opt.DataArgument,
    target: opt.TargetOption,
    time: Annotated[str | None, typer.Option("--time", metavar="5m", help="The time fit would have.")] = None,
    trials: Annotated[int | None, typer.Option("--trials", metavar="N", help="The trials fit would have.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="roc_auc, log_loss or rmse unless given.")] = None,
    task: opt.TaskOption = None,
    group: opt.GroupOption = None,
    time_column: opt.TimeColumnOption = None,
    weight: opt.WeightOption = None,
    drop: opt.DropOption = None,
    role: opt.RoleOption = None,
    encoding: opt.EncodingOption = None,
    recipe: opt.RecipeOption = None,
    test: Annotated[Path | None, typer.Option("--test", metavar="FILE", help="A second file to look at.")] = None,
    as_json: opt.JsonOption = False,
) -> None:
    """What fit would do: roles with reasons, findings, folds, candidates and their order. Nothing is trained."""
    from automl.cli.fit import build_recipe_from, spool_stdin
    from automl.cli.output import open_output, print_json
    from automl.flow import plan

    asked = build_recipe_from(
        recipe, time=time, trials=trials, metric=metric, task=task, group=group, time_column=time_column, weight=weight,
        drop=drop, role=role, encoding=encoding,
    )  # fmt: skip
    facts = plan(spool_stdin(data), target=target, recipe=asked, test=test)
    if as_json:
        print_json(facts)
        return
    from automl.report.console import print_plan

    print_plan(facts, open_output(), command=f"automl fit {data} --target {target}")
