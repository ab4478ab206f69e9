"""automl verify: whether an export is whole and still answers as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import options as opt


def verify_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An export folder.", show_default=False)],
    trust: Annotated[
        bool, typer.Option("--trust", help="Load formats that run code from the folder, such as joblib, too.")
    ] = False,
    as_json: opt.JsonOption = False,
) -> None:
    """Check an export: every file unchanged, its golden rows answered as ever; exit code 6 if not."""
    from automl.cli.output import print_json
    from automl.export._bundle import verify_export

    result = verify_export(folder, trust=trust)
    if as_json:
        print_json(result)
        return
    print(f"{folder}: {result['format']}, {result['files']} files as they were written")
    if not result["has_answers"]:
        print("it holds no model that could be asked")
    elif result["golden_rows"] is None:
        print("not loaded: this format runs code from the folder; --trust loads it")
    else:
        print(f"{result['golden_rows']} golden rows answered, largest difference {result['largest_difference']:.1e}")
