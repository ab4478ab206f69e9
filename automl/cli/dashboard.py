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
    from automl.errors import UsageError
    from automl.run import Run
    from automl.search.dashboard import serve_dashboard

    if not 1 <= port <= 65_535:
        raise UsageError(f"--port {port} is out of range", hint="Choose 1 to 65535")

    def tell() -> None:
        url = f"http://127.0.0.1:{port}/"
        if as_json:
            print_json({"url": url})
            sys.stdout.flush()
        else:
            print(f"{url} (Ctrl-C ends it)", file=sys.stderr)

    serve_dashboard(Run.open(run), host="127.0.0.1", port=port, on_ready=tell)
