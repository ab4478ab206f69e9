"""automl export: the model of a run as a folder that serves."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from automl.cli import options as opt
from automl.errors import UsageError


def export_command(
    model: opt.ModelArgument,
    name: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="onnx, skops, … (automl plugins lists them).")
    ] = "skops",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="The folder to make.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="Rows to compare on; the run's own data unless given."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", metavar="SIZE", help="Cut the ensemble until its graph is as small: 500KB, 2MB."),
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option("--max-latency", metavar="TIME", help="Cut the ensemble until one row is as quick: 1ms."),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Leave out members that have no form as a graph; the others take their weight."),
    ] = False,
    as_json: opt.JsonOption = False,
) -> None:
    """Write the model in a format that serves; it is reloaded and compared before it is called done."""
    from automl.cli.output import print_json
    from automl.export import formats
    from automl.export._bundle import export_model, open_source
    from automl.export._cuts import leave_out

    formats.check(name)
    source = open_source(model)
    default = source.run.export / name if source.run is not None else Path(f"{source.name}-{name}")
    place = out or default
    notes: dict[str, Any] = {}
    if refit and not formats.get(name).from_graph:
        raise UsageError(f"{name} takes every member as it is: --refit leaves none out", hint="--format onnx --refit")
    if refit:
        source, left_out, score = leave_out(source)
        notes |= {"left_out": left_out, "out_of_fold_score": score} if left_out else {}
        if left_out and not as_json:
            _print_left_out(left_out, score, source.predictor)
    cuts: list[Any] = []
    if max_size is not None or max_latency is not None:
        source, cuts, taken = _cut(source, name, max_size, max_latency)
        if not as_json:
            _print_cuts(cuts, taken, source.predictor.task.metric)
    notes |= {"cuts": [cut.to_json() for cut in cuts]} if cuts else {}
    manifest = export_model(source, name, place, data=data, notes=notes)
    size = sum(facts["bytes"] for facts in manifest["files"].values())
    if as_json:
        parity, table = manifest["parity"], manifest.get("cuts", [])
        print_json({"out": str(place), "format": name, "bytes": size, "parity": parity, "cuts": table})
        return
    parity = manifest["parity"]
    worst = max(parity["largest_difference"], parity["planted_largest_difference"])
    for form in manifest.get("forms", []):
        sizes = f"{form['bytes'] / 1e6:8.2f} MB, packed {form['packed_bytes'] / 1e6:.2f}"
        figures = f"{sizes} {form['row_ms']:8.2f} ms a row   {form['score']:.5g}   keeps {form['kept']:.1%}"
        print(f" {'→' if form['name'] == manifest.get('taken') else ' '} {form['name']:<16} {figures}")
    print(f"{place}: {name}, {size / 1e6:.1f} MB, {len(manifest['files'])} files")
    if parity["said"]:
        print(parity["said"])
    if parity["rows"]:
        print(f"compared on {parity['rows'] + parity['planted_rows']} rows: largest difference {worst:.1e}")
    print(f"next: automl verify {shlex.quote(str(place))}")


def _print_left_out(left_out: list[str], score: float | None, predictor: Any) -> None:
    for line in left_out:
        print(f"left out: {line}")
    before = predictor.manifest.get("out_of_fold_score")
    if score is not None and before is not None:
        print(f"out-of-fold {predictor.task.metric}: {score:.5g} in place of {before:.5g}")


def _cut(source: Any, name: str, max_size: str | None, max_latency: str | None) -> tuple[Any, list[Any], Any]:
    from automl.export import formats

    if not formats.get(name).from_graph:
        raise UsageError(f"The format {name!r} takes the model whole", hint="Limits go with --format onnx")
    from automl.export._cuts import choose_cut

    max_mb = None if max_size is None else opt.parse_megabytes(max_size)
    max_ms = None if max_latency is None else 1000 * opt.parse_duration(max_latency, option="--max-latency")
    return choose_cut(source, max_mb=max_mb, max_ms=max_ms)


def _print_cuts(cuts: list[Any], taken: Any, metric: str) -> None:
    print(f"   {'form':<32}{'graph MB':>10}{'ms a row':>10}{metric:>12}")
    for cut in cuts:
        score = "" if cut.score is None else f"{cut.score:.5g}"
        mark = "→" if cut is taken else " "
        print(f" {mark} {cut.name:<32}{cut.bytes / 1e6:>10.2f}{cut.row_ms:>10.2f}{score:>12}")
