"""automl stop: ask a running search to wrap up."""

from __future__ import annotations

import shlex

from automl.cli import options as opt


def stop_command(run: opt.RunArgument, as_json: opt.JsonOption = False) -> None:
    """Ask a running search to wrap up with the best so far."""
    from automl.cli.output import print_json
    from automl.errors import UsageError
    from automl.run import Run

    opened = Run.open(run)
    if not opened.is_locked():
        raise UsageError(
            f"{run} is not running ({opened.record['status']})", hint=f"automl leaderboard {shlex.quote(str(run))}"
        )
    opened.stop_path.touch()
    if as_json:
        print_json({"run": str(opened.path), "stopping": True})
    else:
        print(f"{run} wraps up now; watch it with: automl status {shlex.quote(str(run))}")
