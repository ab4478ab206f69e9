"""automl fit: the whole flow."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli import options as opt

if TYPE_CHECKING:
    from automl.recipe import Recipe
    from automl.run import Run


def fit_command(
    data: opt.DataArgument,
    target: opt.TargetOption = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="5m", help="Wall clock for everything; 5m unless --trials is given.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="Configurations; repeats exactly for a --seed.")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="roc_auc, log_loss or rmse unless given.")] = None,
    task: opt.TaskOption = None,
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help="Labelled file: drift is told, scored once at the end."),
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", metavar="N", help="Workers; one a core.")] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="4G", help="Memory of all processes; 80% of what is free.")
    ] = None,
    max_latency: Annotated[
        str | None, typer.Option("--max-latency", metavar="5ms", help="Longest time for one row in a warm process.")
    ] = None,
    max_size: Annotated[str | None, typer.Option("--max-size", metavar="50M", help="Largest model folder.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="auto, cpu or gpu: what neural networks learn on.")
    ] = None,
    engine: opt.EngineOption = "local",
    seed: opt.SeedOption = None,
    group: opt.GroupOption = None,
    time_column: opt.TimeColumnOption = None,
    weight: opt.WeightOption = None,
    positive: opt.PositiveOption = None,
    drop: opt.DropOption = None,
    role: opt.RoleOption = None,
    sensitive: opt.SensitiveOption = None,
    encoding: opt.EncodingOption = None,
    embeddings: opt.EmbeddingsOption = None,
    backbone: opt.BackboneOption = None,
    recipe: opt.RecipeOption = None,
    include_samples: Annotated[
        bool, typer.Option("--include-samples", help="The report may show texts and pictures of the data.")
    ] = False,
    track: Annotated[
        list[str] | None, typer.Option("--track", metavar="NAME", help="Log to mlflow or tensorboard; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="The run folder.")] = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """From a table to a run folder: leaderboard, report and a model that predicts."""
    from automl.clock import command_started

    started = command_started()
    asked = build_recipe_from(
        recipe, time=time, trials=trials, metric=metric, task=task, jobs=jobs, memory=memory, device=device, seed=seed,
        group=group, time_column=time_column, weight=weight, drop=drop, role=role, encoding=encoding, positive=positive,
        max_latency=max_latency, max_size=max_size, sensitive=sensitive, include_samples=include_samples,
        embeddings=embeddings, backbone=backbone,
    )  # fmt: skip
    from automl import flow
    from automl.cli.live import open_view
    from automl.track import Tracking

    with Tracking(track or (), _warn) as tracking, open_view(sys.stderr, quiet, as_json) as view:
        run = flow.fit(
            Path(data), target=target, recipe=asked, out=out, test=test, engine=engine, sinks=[view, tracking],
            started=started,
        )  # fmt: skip
    raise typer.Exit(finish(run, as_json=as_json, quiet=quiet))


def _warn(text: str) -> None:
    from automl.cli.output import clean

    print(f"warning: {clean(text)}", file=sys.stderr)


def build_recipe_from(
    name: str | None,
    *,
    time: str | None = None,
    trials: int | None = None,
    metric: str | None = None,
    task: str | None = None,
    jobs: int | None = None,
    memory: str | None = None,
    device: str | None = None,
    seed: int | None = None,
    group: str | None = None,
    time_column: str | None = None,
    weight: str | None = None,
    drop: list[str] | None = None,
    role: list[str] | None = None,
    encoding: str | None = None,
    embeddings: str | None = None,
    backbone: str | None = None,
    positive: str | None = None,
    max_latency: str | None = None,
    max_size: str | None = None,
    sensitive: list[str] | None = None,
    include_samples: bool = False,
) -> Recipe:
    """The recipe that the flags ask for: the named one (or the defaults) with the flags laid over it.

    Raises:
        UsageError, RecipeError: if a flag or the recipe is wrong.
    """
    from automl.recipe import Recipe, load_recipe

    base = load_recipe(name) if name else Recipe()
    budget: dict[str, Any] = {"trials": trials, "jobs": jobs}
    if time is not None:
        budget["seconds"] = opt.parse_duration(time)
    elif trials is not None:
        budget["seconds"] = None
    if memory is not None:
        budget["memory_mb"] = opt.parse_size_mb(memory)
    if device is not None:
        budget["device"] = device
    data = {
        "group": group, "time": time_column, "weight": weight, "drop": tuple(drop) if drop else None,
        "roles": opt.parse_roles(role) or None, "encoding": encoding, "positive": positive,
        "sensitive": tuple(sensitive) if sensitive else None,
        "embeddings": embeddings, "backbone": backbone,
    }  # fmt: skip
    changes: dict[str, Any] = {"metric": metric, "task": task, "seed": seed}
    changes = {key: value for key, value in changes.items() if value is not None}
    changes["budget"] = {k: v for k, v in budget.items() if v is not None or k == "seconds"}
    limits = {
        "latency_ms": None if max_latency is None else 1000 * opt.parse_duration(max_latency, option="--max-latency"),
        "size_mb": None if max_size is None else opt.parse_megabytes(max_size),
    }
    changes["constraints"] = {key: value for key, value in limits.items() if value is not None}
    if include_samples:
        changes["report"] = {"include_samples": True}
    changes["data"] = {key: value for key, value in data.items() if value is not None}
    return base.override(changes)


def finish(run: Run, *, as_json: bool, quiet: bool) -> int:
    """Print what came out; returns the exit code."""
    from automl.cli.output import open_output, print_json
    from automl.files import read_json

    record = run.record
    if as_json:
        evaluation = read_json(run.evaluation_path) if run.evaluation_path.exists() else {}
        board = json.loads((run.path / "leaderboard.json").read_text(encoding="utf-8"))
        keys = ("metric", "score", "low", "high", "raw_score", "baselines", "better_than_constant", "test")
        print_json(
            {
                "run": str(run.path),
                "status": record["status"],
                "seconds": record["seconds"],
                "report": str(run.report_path),
                **{key: evaluation[key] for key in keys if key in evaluation},
                "models": len(board["models"]),
            }
        )
    elif not quiet:
        from automl.report.console import print_verdict

        print_verdict(run, open_output())
    return 130 if record["status"] == "interrupted" else 0
