"""automl dashboard: a longer look at a search, in a browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from automl.cli import options as opt


def dashboard_command(
    run: opt.RunArgument,
    port: Annotated[int, typer.Option("--port", metavar="N", help="Where to listen, on this machine only.")] = 8080,
    as_json: opt.JsonOption = False,
) -> None:
    """Every trial of a search in a browser, by optuna-dashboard (extra `dashboard`); ends with Ctrl-C."""
    from automl.cli.output import print_json
    from automl.run import Run
    from automl.search.dashboard import serve_dashboard

    opened = Run.open(run)
    url = f"http://127.0.0.1:{port}/"
    if as_json:
        print_json({"url": url})
        sys.stdout.flush()
    else:
        print(f"{url} (Ctrl-C ends it)", file=sys.stderr)
    serve_dashboard(opened, host="127.0.0.1", port=port)
