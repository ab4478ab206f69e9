"""automl distill: one small model that learned from an ensemble."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from automl.cli import options as opt


def distill_command(
    run: opt.RunArgument,
    to: Annotated[str, typer.Option("--to", metavar="MODEL", help="The family of the small model.")] = "xgboost",
    keep: Annotated[
        float, typer.Option("--keep", metavar="SHARE", help="The share of the ensemble's gain that must remain.")
    ] = 0.99,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="The model folder to make.", show_default=False)
    ] = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """Train one small model on what the ensemble says; exit code 4 if it keeps too little of the ensemble's gain."""
    from dataclasses import asdict

    from automl.cli.output import print_json
    from automl.ensemble.distill import distill
    from automl.errors import UsageError
    from automl.run import Run

    if not 0 <= keep <= 1:
        raise UsageError(f"--keep {keep} is not a share", hint="Write it as --keep 0.99")
    opened = Run.open(run)
    place = out or opened.path / "distilled" / to
    tell = (lambda _: None) if quiet or as_json else (lambda text: print(text, file=sys.stderr))
    result = distill(opened, to, place, keep=keep, tell=tell)
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    if as_json:
        print_json({"out": str(place), "bytes": size, **asdict(result), "kept": result.kept})
        return
    teacher = sum(path.stat().st_size for path in opened.model.rglob("*") if path.is_file())
    print(f"{'':<14}{'MB':>8}{result.metric:>14}")
    print(f"{'ensemble':<14}{teacher / 1e6:>8.2f}{result.teacher:>14.5g}")
    print(f"{result.candidate:<14}{size / 1e6:>8.2f}{result.student:>14.5g}   keeps {result.kept:.1%} of the gain")
    print(f"next: automl export {shlex.quote(str(place))} --format onnx --out {shlex.quote(place.name)}-onnx")
