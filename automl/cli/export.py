"""automl export: the model of a run as a folder that serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import options as opt


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
    as_json: opt.JsonOption = False,
) -> None:
    """Write the model in a format that serves; it is reloaded and compared before it is called done."""
    from automl.cli.output import print_json
    from automl.export import formats
    from automl.export._bundle import export_model, open_source

    formats.check(name)
    source = open_source(model)
    default = source.run.export / name if source.run is not None else Path(f"{source.name}-{name}")
    place = out or default
    manifest = export_model(source, name, place, data=data)
    size = sum(facts["bytes"] for facts in manifest["files"].values())
    if as_json:
        print_json({"out": str(place), "format": name, "bytes": size, "parity": manifest["parity"]})
        return
    parity = manifest["parity"]
    worst = max(parity["largest_difference"], parity["planted_largest_difference"])
    print(f"{place}: {name}, {size / 1e6:.1f} MB, {len(manifest['files'])} files")
    print(f"compared on {parity['rows'] + parity['planted_rows']} rows: largest difference {worst:.1e}")
    print(f"next: automl verify {place}")
